//! A backend that is right but for calls in a region.

use std::sync::Arc;

use super::Region;
use crate::backend::{Answer, Backend, Manifest, StartError};
use crate::case::call::{Call, PositionView, SchemeRef, SegmentRef};
use crate::case::{CallDimensions, octave};
use crate::numeric::{DType, Number};
use crate::positions::{Evaluation, Layout, Segment};
use crate::spec::{Library, Parameters};

/// Passes calls on to a backend, and spoils what it answers in a region: of tensors every rotated channel becomes NaN,
/// positions are one too large; where the region is about tokens, those of its tokens.
pub struct Spoiled<'a> {
    inner: Box<dyn Backend + 'a>,
    region: Option<Arc<Region>>,
    library: &'a Library,
    /// Bytes of the arena of the next call.
    bytes: usize,
    /// The arena after a call that was spoiled.
    spoiled: Option<Vec<u8>>,
}

/// Positions by axis, row and token.
type Places = Vec<Vec<Vec<f64>>>;

impl<'a> Spoiled<'a> {
    /// Of a backend that is right everywhere.
    #[must_use]
    pub fn new(inner: Box<dyn Backend + 'a>, library: &'a Library) -> Spoiled<'a> {
        Spoiled { inner, region: None, library, bytes: 0, spoiled: None }
    }

    /// Says where it is wrong from now on; `None`: nowhere.
    pub fn set(&mut self, region: Option<Arc<Region>>) {
        self.region = region;
    }

    /// The positions of a call, as the call and its memory have them.
    fn places(&self, call: &Call) -> Places {
        let memory = self.inner.memory();
        let read = |view: &PositionView, [axes, rows, tokens]: [usize; 3]| {
            let one = |axis, row, token| number(memory, view.dtype, view.at(axis, row, token));
            let row = |axis, row| (0..tokens).map(|token| one(axis, row, token)).collect();
            (0..axes).map(|axis| (0..rows).map(|r| row(axis, r)).collect()).collect()
        };
        match call {
            Call::Positions { scheme, layouts, token_count, out, .. } => {
                read(out, [scheme.axes.len(), layouts.len(), *token_count])
            }
            Call::Rotate { scheme, qk, positions, .. } => read(positions, [scheme.axes.len(), qk.batch, qk.tokens]),
            Call::Fused { scheme, qk, layouts, token_start, .. } => {
                let rows: Option<Vec<_>> = if qk.sequences.is_some() {
                    let all: Option<Vec<Vec<Vec<f64>>>> =
                        layouts.iter().map(|layout| self.of_scheme(scheme, layout, 0, usize::MAX)).collect();
                    all.map(|all| vec![joined(all, scheme.axes.len())])
                } else {
                    layouts.iter().map(|layout| self.of_scheme(scheme, layout, *token_start, qk.tokens)).collect()
                };
                let rows = rows.unwrap_or_default();
                (0..scheme.axes.len()).map(|axis| rows.iter().map(|row| row[axis].clone()).collect()).collect()
            }
            Call::Apply { .. } => Vec::new(),
        }
    }

    /// Positions of tokens of a layout by axis, as the scheme has them.
    fn of_scheme(
        &self,
        scheme: &SchemeRef,
        layout: &[SegmentRef],
        start: usize,
        count: usize,
    ) -> Option<Vec<Vec<f64>>> {
        let found = self.library.get(&format!("{}@{}", scheme.scheme, scheme.profile)).ok()?;
        let exact = |p: &crate::case::call::ParameterValue| {
            let value = if p.den == 0 { Number::from_f64(p.value) } else { Number::ratio(p.num.into(), p.den.into()) };
            Some((p.name.clone(), value.ok()?))
        };
        let parameters = scheme.parameters.iter().map(exact).collect::<Option<Vec<_>>>()?;
        let parameters = Parameters::resolve(found, &parameters).ok()?;
        let layout = Layout::new(layout.iter().map(segment).collect::<Option<_>>()?).ok()?;
        let start = u64::try_from(start).ok()?;
        let end = start.saturating_add(u64::try_from(count).ok()?).min(layout.tokens());
        let found = Evaluation::new(found, &parameters, &layout).window(start..end).run().ok()?;
        let numbers = |column: &crate::positions::Column| {
            (0..column.len()).map(|at| column.get(at).map_or(f64::NAN, |number| number.to_f64())).collect()
        };
        Some(found.columns().iter().map(numbers).collect())
    }

    /// Tokens of each packed sequence.
    fn sequences(&self, call: &Call) -> Vec<i64> {
        let Some((at, count)) = call.qk().and_then(|qk| qk.sequences) else { return Vec::new() };
        let table = self.inner.memory().get(at..at + 8 * (count + 1)).unwrap_or_default();
        let starts: Vec<i64> =
            table.chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap_or_default())).collect();
        starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

/// Sequences one after the other, by axis.
fn joined(sequences: Vec<Vec<Vec<f64>>>, axes: usize) -> Vec<Vec<f64>> {
    (0..axes).map(|axis| sequences.iter().flat_map(|sequence| sequence[axis].iter().copied()).collect()).collect()
}

fn segment(segment: &SegmentRef) -> Option<Segment> {
    let [t, h, w] = segment.grid.map(u32::try_from);
    Some(match segment.kind {
        0 => Segment::Text(segment.tokens.try_into().ok()?),
        1 => Segment::Image { h: h.ok()?, w: w.ok()? },
        _ => {
            let [num, den] = segment.seconds.map(i128::from);
            Segment::Video { t: t.ok()?, h: h.ok()?, w: w.ok()?, seconds: Number::ratio(num, den).ok()? }
        }
    })
}

/// A position in memory.
fn number(memory: &[u8], dtype: DType, at: usize) -> f64 {
    let bytes = memory.get(at..at + dtype.size()).unwrap_or_default();
    match dtype {
        DType::I32 => bytes.try_into().map_or(f64::NAN, |b| f64::from(i32::from_le_bytes(b))),
        DType::I64 => bytes.try_into().map_or(f64::NAN, |b| i64::from_le_bytes(b) as f64),
        DType::F64 => bytes.try_into().map_or(f64::NAN, f64::from_le_bytes),
        _ => bytes.try_into().map_or(f64::NAN, |b| f64::from(f32::from_le_bytes(b))),
    }
}

/// Writes a position.
fn put(memory: &mut [u8], dtype: DType, at: usize, value: f64) {
    let Some(bytes) = memory.get_mut(at..at + dtype.size()) else { return };
    match dtype {
        DType::I32 => bytes.copy_from_slice(&(value as i32).to_le_bytes()),
        DType::I64 => bytes.copy_from_slice(&(value as i64).to_le_bytes()),
        DType::F64 => bytes.copy_from_slice(&value.to_le_bytes()),
        _ => bytes.copy_from_slice(&(value as f32).to_le_bytes()),
    }
}

impl Region {
    /// Which tokens of a call are in it, by row and token; `None`: none.
    fn tokens(&self, call: &Call, sequences: &[i64], places: &Places) -> Option<Vec<Vec<bool>>> {
        let all = CallDimensions::new(call, sequences, places);
        if !self.holds(&all) {
            return None;
        }
        let rows = places.first().map_or(0, Vec::len);
        if !self.is_about_tokens() {
            return Some(Vec::new());
        }
        // Tokens in the same octaves are in it or not together.
        let mut known: std::collections::BTreeMap<Vec<i64>, bool> = std::collections::BTreeMap::new();
        let mut one = |row: usize, token: usize| {
            let here: Vec<f64> = places.iter().map(|axis| axis[row][token]).collect();
            let octaves = here.iter().map(|position| octave(*position)).collect();
            *known.entry(octaves).or_insert_with(|| {
                let alone: Places = here.iter().map(|position| vec![vec![*position]]).collect();
                self.holds(&CallDimensions::new(call, sequences, &alone))
            })
        };
        let tokens = |row: usize| 0..places[0][row].len();
        Some((0..rows).map(|row| tokens(row).map(|token| one(row, token)).collect()).collect())
    }
}

impl Backend for Spoiled<'_> {
    fn manifest(&self) -> &Manifest {
        self.inner.manifest()
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        (self.bytes, self.spoiled) = (bytes, None);
        self.inner.arena(bytes)
    }

    fn call(&mut self, call: &Call) -> Answer {
        self.spoiled = None;
        let sequences = self.sequences(call);
        // On level positions they are what is answered.
        let given = (!matches!(call, Call::Positions { .. })).then(|| self.places(call));
        let answer = self.inner.call(call);
        let (Some(region), Answer::Ok) = (self.region.clone(), &answer) else { return answer };
        let places = given.unwrap_or_else(|| self.places(call));
        let Some(tokens) = region.tokens(call, &sequences, &places) else { return answer };
        let hit = |row: usize, token: usize| tokens.get(row).is_none_or(|tokens| tokens.get(token) == Some(&true));
        let mut memory = self.inner.memory().get(..self.bytes).unwrap_or_default().to_vec();
        if let Call::Positions { out, .. } = call {
            for (axis, rows) in places.iter().enumerate() {
                for (row, tokens) in rows.iter().enumerate() {
                    for (token, position) in tokens.iter().enumerate().filter(|(token, _)| hit(row, *token)) {
                        put(&mut memory, out.dtype, out.at(axis, row, token), position + 1.0);
                    }
                }
            }
        }
        if let (Some(qk), Some(plan)) = (call.qk(), call.plan()) {
            for view in [Some(qk.q_out), qk.k_out].into_iter().flatten() {
                let rows: Vec<_> = view.rows().map(|((row, token, head), _)| (row, token, head)).collect();
                for (row, token, head) in rows.into_iter().filter(|(row, token, _)| hit(*row, *token)) {
                    for channel in plan.rotary_offset..plan.rotary_offset + plan.rotary_dim {
                        let at = view.at(row, token, head, channel);
                        if let Some(bytes) = memory.get_mut(at..at + view.dtype.size()) {
                            // All bits set are a NaN in every type.
                            bytes.fill(0xff);
                        }
                    }
                }
            }
        }
        self.spoiled = Some(memory);
        answer
    }

    fn memory(&self) -> &[u8] {
        self.spoiled.as_deref().unwrap_or_else(|| self.inner.memory())
    }
}
