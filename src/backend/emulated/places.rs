//! The positions of a call: those of its tokens, and of any other token of its layouts, which only faults ask for.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::case::call::{PositionView, QkView, SegmentRef};
use crate::numeric::{Dd, Number};
use crate::positions::{Evaluation, Layout, Positions, Segment, length_at, length_of};
use crate::spec::Parameters;
use crate::spec::model::Scheme;

/// Positions of the tokens of a call by axis, batch row and token.
pub(super) struct Places<'a> {
    /// `[axis][row][token of the call]`
    window: Vec<Vec<Vec<Dd>>>,
    start: usize,
    layouts: Option<Layouts<'a>>,
}

/// Layouts of the batch rows, or of the sequences that are packed in one row, and their positions in the window of a call.
pub(super) struct Layouts<'a> {
    scheme: &'a Scheme,
    parameters: &'a Parameters,
    layouts: Vec<Layout>,
    /// Positions of each layout.
    pub(super) rows: Vec<Positions>,
    /// Of other tokens: by layout and token.
    others: RefCell<BTreeMap<(usize, usize), Vec<Dd>>>,
}

impl<'a> Layouts<'a> {
    /// `window` is the first token and the number of tokens; `None`: all of each layout.
    pub(super) fn new(
        scheme: &'a Scheme,
        parameters: &'a Parameters,
        segments: &[Vec<SegmentRef>],
        window: Option<(usize, usize)>,
    ) -> Result<Self, String> {
        let layouts: Vec<Layout> = segments.iter().map(|row| layout(row)).collect::<Result<_, _>>()?;
        let run = |layout: &Layout| {
            let mut run = Evaluation::new(scheme, parameters, layout);
            if let Some((start, count)) = window {
                run = run.window(start as u64..(start + count) as u64);
            }
            run.run().map_err(|e| e.to_string())
        };
        let rows = layouts.iter().map(run).collect::<Result<_, _>>()?;
        Ok(Layouts { scheme, parameters, layouts, rows, others: RefCell::new(BTreeMap::new()) })
    }

    /// Tokens of the longest layout.
    pub(super) fn total(&self) -> usize {
        self.layouts.iter().map(|l| usize::try_from(l.tokens()).unwrap_or(usize::MAX)).max().unwrap_or(0)
    }

    /// The position of any token of a layout.
    fn any(&self, row: usize, token: usize, axis: usize) -> Option<Dd> {
        let layout = self.layouts.get(row).filter(|layout| (token as u64) < layout.tokens())?;
        let mut others = self.others.borrow_mut();
        let known = others.entry((row, token)).or_insert_with(|| {
            let run =
                Evaluation::new(self.scheme, self.parameters, layout).window(token as u64..token as u64 + 1).run();
            let position = run.ok().and_then(|positions| positions.token(token as u64));
            position.unwrap_or_default().iter().map(Number::to_dd).collect()
        });
        known.get(axis).copied()
    }
}

impl<'a> Places<'a> {
    /// What the position tensor of a call holds.
    pub(super) fn read(view: &PositionView, axes: usize, qk: &QkView, memory: &[u8]) -> Self {
        let one = |axis, row, token| {
            let at = view.at(axis, row, token);
            let bytes = memory.get(at..at + view.dtype.size());
            Dd::from_f64(bytes.map_or(f64::NAN, |bytes| view.dtype.decode_at(bytes, 0)))
        };
        let row = |axis, row| (0..qk.tokens).map(|token| one(axis, row, token)).collect();
        let window = (0..axes).map(|axis| (0..qk.batch).map(|b| row(axis, b)).collect()).collect();
        Places { window, start: 0, layouts: None }
    }

    /// What the scheme says of a call's layouts; `packed`: they follow one another in one row.
    pub(super) fn of(layouts: Layouts<'a>, axes: usize, start: usize, packed: bool) -> Self {
        let numbers = |axis: usize, row: &Positions| -> Vec<Dd> {
            row.window().map(|token| row.get(axis, token).map_or(Dd::ZERO, |number| number.to_dd())).collect()
        };
        let axis = |axis: usize| {
            let rows: Vec<Vec<Dd>> = layouts.rows.iter().map(|row| numbers(axis, row)).collect();
            if packed { vec![rows.concat()] } else { rows }
        };
        let window = (0..axes).map(axis).collect();
        Places { window, start, layouts: (!packed).then_some(layouts) }
    }

    /// Tokens of the longest layout, or of the call.
    pub(super) fn total(&self) -> usize {
        let tokens = || self.window.first().and_then(|rows| rows.first()).map_or(0, Vec::len);
        self.layouts.as_ref().map_or_else(tokens, Layouts::total)
    }

    /// The length of the sequences of the call: its largest position plus 1, those of whole layouts where it has them.
    pub(super) fn length(&self) -> Number {
        let window = length_at(self.window.iter().flatten().flatten());
        let Some(layouts) = &self.layouts else { return window };
        let whole = length_of(layouts.scheme, layouts.parameters, &layouts.layouts);
        whole.unwrap_or(window)
    }

    /// The position of a token of the layout (or of the call, where there is none); 0 on no axis and beyond the end.
    pub(super) fn get(&self, axis: u8, row: usize, token: usize) -> Dd {
        let axis = usize::from(axis);
        let Some(rows) = self.window.get(axis) else { return Dd::ZERO };
        let inside = token.checked_sub(self.start).and_then(|t| rows.get(row)?.get(t).copied());
        let outside = || self.layouts.as_ref().and_then(|layouts| layouts.any(row, token, axis));
        inside.or_else(outside).unwrap_or(Dd::ZERO)
    }
}

fn layout(segments: &[SegmentRef]) -> Result<Layout, String> {
    let size = |n: i64| u32::try_from(n).map_err(|_| format!("a segment of size {n}"));
    let one = |segment: &SegmentRef| -> Result<Segment, String> {
        let [t, h, w] = segment.grid;
        let [num, den] = segment.seconds;
        Ok(match segment.kind {
            0 => Segment::Text(size(segment.tokens)?),
            1 => Segment::Image { h: size(h)?, w: size(w)? },
            _ => {
                let seconds = Number::ratio(num.into(), den.into()).map_err(|e| e.to_string())?;
                Segment::Video { t: size(t)?, h: size(h)?, w: size(w)?, seconds }
            }
        })
    };
    let segments = segments.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    Layout::new(segments).map_err(|e| e.to_string())
}
