//! Position bands of `accuracy`, and how a case gets into one.

use super::generator::{Generator, text};
use crate::case::{Case, Consume, Level, PositionSource, holds};
use crate::numeric::{DType, Number, Rng};
use crate::positions::{Layout, Segment};
use crate::spec::Parameters;

/// What lies in a band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BandKind {
    /// Integers.
    Range,
    /// Every integer near one of them.
    Around,
    /// Below 0.
    Negative,
    /// No integers.
    Fractional,
    /// Near multiples of π/2.
    QuarterTurns,
    /// Up to the largest position there is.
    Max,
}

/// A part of the positions.
#[derive(Debug, Clone, Copy)]
pub struct Band {
    /// Part of case ids.
    pub name: &'static str,
    kind: BandKind,
    low: i64,
    high: i64,
}

const fn band(name: &'static str, kind: BandKind, low: i64, high: i64) -> Band {
    Band { name, kind, low, high }
}

/// From here on an f32 no longer holds every integer.
const F32_INTEGERS: i64 = 1 << 24;
/// Bands end here: the reference's promise does, and so do the positions of an i32.
const END: i64 = i32::MAX as i64;

/// Bands of check `accuracy`, in the order of reports.
pub const BANDS: [Band; 11] = [
    band("0..255", BandKind::Range, 0, 255),
    band("256..2047", BandKind::Range, 256, 2047),
    band("2048..32767", BandKind::Range, 2048, 32_767),
    band("32768..131071", BandKind::Range, 32_768, 131_071),
    band("131072..1048575", BandKind::Range, 131_072, 1_048_575),
    band("2^24", BandKind::Around, F32_INTEGERS, F32_INTEGERS),
    band("to-2^31", BandKind::Range, F32_INTEGERS + 2, END),
    band("negative", BandKind::Negative, -END, -1),
    band("fractional", BandKind::Fractional, -255, 2047),
    band("near-half-pi", BandKind::QuarterTurns, 1, END),
    band("max", BandKind::Max, 0, i64::MAX),
];

/// Most tokens that a backend without token ranges is given for the sake of their positions.
const WHOLE: i64 = 8192;
/// Room for a small layout: no scheme gives one of [`Generator::layout`] more positions.
const ROOM: i64 = 600;
/// Negative positions down to here, and in every second case beyond.
const NEAR_BELOW: i64 = -131_072;

impl Band {
    /// Moves a case into the band; `index` counts the cases of the band.
    ///
    /// # Errors
    /// Why the backend cannot be asked for it.
    pub fn place(&self, g: &Generator, case: &mut Case, index: u32, rng: &mut Rng) -> Result<(), String> {
        let (least, most) = g.limits();
        let declared = g.manifest.max_position <= most;
        let far = if declared { "the manifest's max_position" } else { "the largest position that can be handed over" };
        if self.kind == BandKind::Around && most < self.low - 1 || self.kind == BandKind::Range && most < self.low {
            return Err(format!("{far} is {most}"));
        }
        if self.kind == BandKind::Negative && least >= 0 {
            return Err(format!("the smallest position that can be handed over is {least}"));
        }
        if self.low >= 131_072 || self.kind == BandKind::Max {
            small_if_cached(g, case);
        }
        match g.group.level {
            Level::Rotate | Level::Apply => self.drawn(g, case, index, (least, most), rng),
            _ => self.prefixed(g, case, index, most, rng),
        }
    }

    /// Positions are handed over, or nobody's concern: any number will do.
    fn drawn(
        &self,
        g: &Generator,
        case: &mut Case,
        index: u32,
        (least, most): (i64, i64),
        rng: &mut Rng,
    ) -> Result<(), String> {
        let even = index.is_multiple_of(2);
        let tokens = u32::try_from(rng.between(3, 24)).unwrap_or(8);
        let rows = if g.manifest.batch_layouts && rng.one_in(2) { 2 } else { 1 };
        case.layouts = vec![text(tokens); rows];
        case.place = match self.kind {
            BandKind::Range => {
                let (low, high) = (self.low, self.high.min(most));
                match if even { None } else { self.layout_inside(g, case, (low, high), rng) } {
                    Some(place) => place,
                    None => PositionSource::Span { low, high },
                }
            }
            BandKind::Around if even => {
                case.layouts = vec![text(12)];
                PositionSource::Layout { shift: (self.low - 6).min(most - 11) }
            }
            BandKind::Around => PositionSource::Span { low: self.low - 3, high: (self.low + 3).min(most) },
            BandKind::Negative if even || least >= NEAR_BELOW => {
                PositionSource::Span { low: least.max(NEAR_BELOW), high: -1 }
            }
            BandKind::Negative => PositionSource::Span { low: least.max(self.low), high: NEAR_BELOW - 1 },
            BandKind::Fractional => {
                let types = float_types(g)?;
                let which = usize::try_from(index).unwrap_or(0) % types.len().max(1);
                case.position_dtype = types.get(which).copied().unwrap_or(DType::F64);
                // Thirds and halves, which no type and every type holds.
                let parts = if even { 6 } else { 1024 };
                case.place = PositionSource::Fractions { low: self.low.max(least), high: self.high.min(most), parts };
                return Ok(());
            }
            BandKind::QuarterTurns => {
                case.layouts = vec![text(12)];
                PositionSource::QuarterTurns { low: self.low, high: self.high.min(most) }
            }
            BandKind::Max => PositionSource::Span { low: (most - 1000).max(0), high: most },
        };
        // Every second case as the manifest's types come; the others in a type that holds the numbers meant.
        let ends = match case.place {
            PositionSource::Span { low, high } | PositionSource::QuarterTurns { low, high } => [low, high],
            PositionSource::Layout { .. } if self.kind == BandKind::Around => [self.low - 1, self.low + 1],
            PositionSource::Layout { shift } => [shift, shift + ROOM],
            _ => [0, 0],
        };
        let fits = |d: DType| ends.iter().all(|end| holds(d, *end));
        if !fits(case.position_dtype)
            && (even || self.kind == BandKind::Negative || case.position_dtype == DType::I32)
            && let Some(dtype) = g.position_types().into_iter().find(|d| fits(*d))
        {
            case.position_dtype = dtype;
        }
        Ok(())
    }

    /// A small layout, moved to somewhere in the band; `None` where it does not fit.
    fn layout_inside(
        &self,
        g: &Generator,
        case: &mut Case,
        (low, high): (i64, i64),
        rng: &mut Rng,
    ) -> Option<PositionSource> {
        let layout = g.layout(rng);
        let (first, last) = g.extent(case, &layout)?;
        let (from, to) = (low - first, high - last);
        if from > to {
            return None;
        }
        case.layouts = vec![layout];
        Some(PositionSource::Layout { shift: rng.between(from, to) })
    }

    /// Level fused: a text prefix brings the tokens that are looked at into the band; only they are asked
    /// for.
    fn prefixed(&self, g: &Generator, case: &mut Case, index: u32, most: i64, rng: &mut Rng) -> Result<(), String> {
        let step = g.text_step();
        let ranges = g.manifest.token_ranges;
        let reach = if ranges { most } else { most.min((WHOLE - 1).saturating_mul(step)) };
        let whole = || format!("the backend takes no token ranges, and more than {WHOLE} tokens are too many");
        match self.kind {
            BandKind::Negative => Err("a layout has positions below 0 only in schemes that say so".into()),
            BandKind::Fractional => Err("a layout has fractional positions only in schemes that say so".into()),
            BandKind::Range if self.low == 0 => {
                case.layouts = vec![g.layout(rng)];
                Ok(())
            }
            BandKind::Range => {
                let high = self.high.min(reach);
                if self.low > high {
                    return Err(whole());
                }
                // Without ranges the tokens before are paid for, so there are as few as can be.
                let high = if ranges { high } else { high.min(self.low + self.low / 4 + ROOM) };
                let visual = high - self.low >= ROOM;
                let last = if visual { high - ROOM } else { high };
                let before = rng.between(self.low / step + 1, (last / step).max(self.low / step + 1));
                if visual { window(g, case, before, &g.layout(rng)) } else { ending_at(g, case, before, 12) }
            }
            BandKind::Around => {
                if self.low + 6 > reach {
                    return Err(if self.low + 6 > most { format!("max_position is {most}") } else { whole() });
                }
                ending_at(g, case, (self.low + 6) / step, 12)
            }
            BandKind::QuarterTurns => {
                let inside = |p: &&i64| **p <= reach && **p % step == 0;
                let near: Vec<&i64> = crate::case::CONVERGENTS.iter().filter(inside).collect();
                let offset = usize::try_from(rng.below(near.len() as u64)).unwrap_or(0);
                let Some(p) = near.get((offset + index as usize) % near.len().max(1)) else {
                    return Err(format!("none is known up to position {reach}"));
                };
                ending_at(g, case, **p / step, 5)
            }
            BandKind::Max => {
                let last = most / step;
                if most > reach {
                    return Err(whole());
                }
                if last > END {
                    return Err("a layout has at most 2^31 tokens".into());
                }
                ending_at(g, case, last, 24)
            }
        }
    }
}

/// Text up to and including token `last`; the last `count` tokens are looked at.
fn ending_at(g: &Generator, case: &mut Case, last: i64, count: u64) -> Result<(), String> {
    let tokens = u32::try_from(last + 1).map_err(|_| "a layout has at most 2^31 tokens".to_owned())?;
    let layout = Layout::new(vec![Segment::Text(tokens)]).map_err(|e| e.to_string())?;
    look_at(g, case, layout, u64::from(tokens).saturating_sub(count));
    Ok(())
}

/// Text, and then `tail`, such that the largest position, or that which text goes on with, is the largest of
/// the manifest or as near below it as the scheme's steps allow; and the first token to look at.
///
/// # Errors
/// Why there is no such layout.
pub(super) fn far(g: &Generator, tail: &str) -> Result<(Layout, u64), String> {
    let (most, step) = (g.limits().1, g.text_step());
    let with = |before: i64| -> Result<Layout, String> {
        let parse = |text: &str| Layout::parse(text).map_err(|_| "a layout has at most 2^31 tokens".to_owned());
        let whole = parse(&format!("text:{before}"))?.followed_by(&parse(tail)?);
        g.adapted(&whole.map_err(|_| "a layout has at most 2^31 tokens".to_owned())?)
    };
    if with(2)?.tokens() == with(1)?.tokens() {
        return Err("without text (the manifest's layouts.kinds) no token is far from the start".into());
    }
    let parameters = Parameters::resolve(g.scheme, &g.own_parameters()).map_err(|e| e.to_string())?;
    let positions = crate::positions::positions(g.scheme, &parameters, &with(1)?).map_err(|e| e.to_string())?;
    let mut last = f64::NEG_INFINITY;
    for (axis, column) in positions.columns().iter().enumerate() {
        let next = positions.next().on(axis).map_or(last, Number::to_f64);
        last = (0..column.len()).filter_map(|i| column.get(i)).fold(last.max(next), |most, p| most.max(p.to_f64()));
    }
    // Where a segment has more tokens than positions, the tokens end first.
    let room = (1i64 << 31) - (with(1)?.tokens() - 1).cast_signed();
    let before = (1 + (most - last.ceil() as i64).max(0) / step).min(room);
    let layout = with(before)?;
    if !g.manifest.token_ranges && layout.tokens() > WHOLE.unsigned_abs() {
        return Err(format!("the backend takes no token ranges, and more than {WHOLE} tokens are too many"));
    }
    let start = if g.manifest.token_ranges { before.unsigned_abs().saturating_sub(2) } else { 0 };
    Ok((layout, start))
}

/// A case whose longest sequence has this length; on level fused its last tokens are looked at.
///
/// # Errors
/// Why the backend cannot be asked for it.
pub(super) fn at_length(g: &Generator, case: &mut Case, length: i64) -> Result<(), String> {
    const TOKENS: u64 = 12;
    small_if_cached(g, case);
    if g.group.level != Level::Fused {
        case.layouts = vec![text(TOKENS as u32)];
        case.place = PositionSource::Span { low: 0, high: length - 1 };
        return Ok(());
    }
    let step = g.text_step();
    if (length - 1) % step != 0 {
        return Err(format!("text has positions in steps of {step}, so that none is {}", length - 1));
    }
    let last = (length - 1) / step;
    if !g.manifest.token_ranges && last >= WHOLE {
        return Err(format!("the backend takes no token ranges, and more than {WHOLE} tokens are too many"));
    }
    if !g.manifest.token_ranges && last >= g.manifest.max_tokens {
        return Err(format!("the manifest's max_tokens is {}", g.manifest.max_tokens));
    }
    ending_at(g, case, last, TOKENS)
}

/// The layout, its first text as long as `before`; two tokens of that are looked at too.
fn window(g: &Generator, case: &mut Case, before: i64, layout: &Layout) -> Result<(), String> {
    let mut segments = layout.segments().to_vec();
    let before = u32::try_from(before).map_err(|_| "a layout has at most 2^31 tokens".to_owned())?;
    match segments.first_mut() {
        Some(Segment::Text(n)) => *n = before,
        _ => segments.insert(0, Segment::Text(before)),
    }
    let layout = Layout::new(segments).map_err(|e| e.to_string())?;
    look_at(g, case, layout, u64::from(before).saturating_sub(2));
    Ok(())
}

fn look_at(g: &Generator, case: &mut Case, layout: Layout, start: u64) {
    if g.manifest.token_ranges {
        case.window = (start > 0).then(|| (start, layout.tokens() - start));
    } else if layout.tokens() > 1024
        && let Some(heads) = g.heads().first()
    {
        g.set_heads(case, heads);
    }
    case.layouts = vec![layout];
}

/// A cache has a row for every position: with large heads it would be gigabytes.
fn small_if_cached(g: &Generator, case: &mut Case) {
    if g.level.consumes(Consume::CosSinCache)
        && let Some(heads) = g.heads().iter().min_by_key(|h| h.rotary.map_or(h.head_dim, |(width, _)| width))
    {
        g.set_heads(case, heads);
    }
}

/// Types that fractions can be handed over in.
fn float_types(g: &Generator) -> Result<Vec<DType>, String> {
    if g.group.level == Level::Apply {
        return Ok(vec![DType::F64]);
    }
    if g.level.consumes(Consume::CosSinCache) {
        return Err("a cos/sin cache has no row for a fraction".into());
    }
    let types: Vec<DType> = g.manifest.position_dtypes.iter().copied().filter(|d| d.is_float()).collect();
    if types.is_empty() && g.level.consumes(Consume::Positions) {
        return Err("no position type of the backend holds a fraction".into());
    }
    Ok(types)
}
