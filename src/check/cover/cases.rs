//! Rows of the covering array as cases.

use super::row::{CoverRow, Division, Octave};
use crate::case::{Alias, Case, Data, Level, Memory, Order, PositionSource};
use crate::check::generator::{Generator, text};
use crate::numeric::{Number, Rng};
use crate::positions::{Layout, Segment};

/// The cases of the generator's group, for a check.
pub fn cases(g: &Generator, check: &str) -> Vec<Case> {
    let ours = g
        .cover
        .iter()
        .filter(|row| row.scheme == g.group.scheme && row.dtype == g.group.dtype && row.pairing == g.group.pairing);
    ours.filter_map(|row| case(row, g, check)).collect()
}

/// The call as a case of a check; `None` where the scheme cannot be there.
fn case(row: &CoverRow, g: &Generator, check: &str) -> Option<Case> {
    let mut rng = Rng::new(row.seed);
    let mut case = g.case(check, Vec::new(), &row.heads, row.seed);
    case.data = Data::Mixed;
    case.alias = row.alias;
    case.direction = row.direction;
    case.scaling = row.scaling;
    let [q, k, out] = row.orders;
    // Outputs on the inputs have the order of the inputs.
    let out = if row.alias == Alias::In { Order::Packed } else { out };
    case.memory = match (q, k, out) {
        (Order::Packed, Order::Packed, Order::Packed) => Memory::Packed,
        (q, k, out) => Memory::Each { q, k, out },
    };
    let one = |tokens: u32, rng: &mut Rng| match g.group.level {
        Level::Fused => mixed(tokens, rng),
        _ => text(tokens),
    };
    case.layouts = match row.rows {
        Division::Batch(n) if g.manifest.batch_layouts => (0..n).map(|_| one(row.tokens, &mut rng)).collect(),
        Division::Batch(n) => vec![one(row.tokens, &mut rng); n as usize],
        Division::Packed { sequences, empty } => {
            case.packed = true;
            let lengths = divided(row.tokens, sequences, empty, &mut rng);
            lengths.map(|n| if n == 0 { Layout::default() } else { one(n, &mut rng) }).collect()
        }
    };
    let Octave { axis, low, high } = row.octave;
    if g.group.level == Level::Fused {
        return prefixed(row, g, case);
    }
    if g.group.level == Level::Rotate {
        case.position_dtype = row.position_dtype;
    }
    case.place = match axis {
        Some(axis) if g.manifest.batch_layouts || row.batch() == 1 => PositionSource::Axis { axis, low, high },
        None if g.manifest.batch_layouts || row.batch() == 1 => PositionSource::Random { low, high },
        _ => {
            let (least, most) = (g.limits().0, g.limits().1 - i64::from(row.tokens));
            PositionSource::Layout { shift: (least <= most).then(|| low.clamp(least, most))? }
        }
    };
    Some(case)
}

/// Level fused: text before the tokens that are asked for brings them into the octave.
fn prefixed(row: &CoverRow, g: &Generator, mut case: Case) -> Option<Case> {
    let before = (row.octave.low / g.text_step()).max(0);
    let most = g.limits().1.min(i64::from(i32::MAX) / 2);
    let room = most.checked_sub(i64::from(row.tokens).checked_mul(4)?)?;
    let fits = before > 0 && before <= room && g.manifest.token_ranges && !case.packed;
    if let Some(before) = u32::try_from(before).ok().filter(|_| fits) {
        for layout in &mut case.layouts {
            let mut segments = layout.segments().to_vec();
            match segments.first_mut() {
                Some(Segment::Text(n)) => *n += before,
                _ => segments.insert(0, Segment::Text(before)),
            }
            *layout = Layout::new(segments).ok()?;
        }
        case.window = Some((before.into(), row.tokens.into()));
    }
    Some(case)
}

/// Text and, where there is room, an image or a video inside of it: so many tokens.
fn mixed(tokens: u32, rng: &mut Rng) -> Layout {
    let mut below = |most: u32| u32::try_from(rng.between(1, i64::from(most.max(1)))).unwrap_or(1);
    if tokens < 4 || below(4) == 1 {
        return text(tokens);
    }
    let w = below((tokens - 2).min(32));
    let h = below(((tokens - 2) / w).min(32));
    let t = below(((tokens - 2) / (w * h)).min(32));
    let rest = tokens - t * h * w;
    let before = below(rest - 1);
    let grid = if t == 1 { Segment::Image { h, w } } else { Segment::Video { t, h, w, seconds: Number::ONE } };
    let segments = vec![Segment::Text(before), grid, Segment::Text(rest - before)];
    Layout::new(segments).unwrap_or_else(|_| text(tokens))
}

/// So many tokens in so many sequences, some of them empty, the others of any length.
fn divided(tokens: u32, sequences: u32, empty: u32, rng: &mut Rng) -> std::vec::IntoIter<u32> {
    let full = (sequences - empty).max(1);
    let mut lengths = vec![1; full as usize];
    let mut rest = tokens.saturating_sub(full);
    while rest > 0 {
        let at = usize::try_from(rng.below(full.into())).unwrap_or(0);
        let more = u32::try_from(rng.between(1, rest.into())).unwrap_or(1);
        lengths[at] += more;
        rest -= more;
    }
    for _ in 0..empty {
        let at = usize::try_from(rng.below(lengths.len() as u64 + 1)).unwrap_or(0);
        lengths.insert(at, 0);
    }
    lengths.into_iter()
}
