//! Makes a failing case small: fewer tokens, rows, heads and channels, plainer memory, as long as the check still fails.

use crate::backend::Manifest;
use crate::backend::manifest::beside;
use crate::case::{Alias, BesideDtype, Case, Data, Level, Memory, Order, PositionOrder, PositionSource, TableWidth};
use crate::check::{Failure, Measure, Stop};
use crate::positions::{Layout, Segment};

use super::context::Context;

/// The smallest failing case found within `budget` runs, and its failure.
pub fn shrink(
    case: &Case,
    failure: Box<Failure>,
    budget: usize,
    manifest: &Manifest,
    context: &Context,
    mut judge: impl FnMut(&Case) -> Result<Measure, Stop>,
) -> (Case, Box<Failure>) {
    let (mut best, mut why) = (case.clone(), failure);
    let mut runs = 0;
    'again: loop {
        for candidate in candidates(&best, manifest) {
            if runs >= budget || context.is_interrupted() {
                return (best, why);
            }
            runs += 1;
            // Another failure would be told in the place of this one.
            if let Err(Stop::Failed(failure)) = judge(&candidate)
                && failure.is_like(&why)
            {
                (best, why) = (candidate, failure);
                continue 'again;
            }
        }
        return (best, why);
    }
}

/// Simpler cases, the boldest first. Each is strictly simpler, so that shrinking ends.
fn candidates(case: &Case, manifest: &Manifest) -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut Case)| {
        let mut simpler = case.clone();
        change(&mut simpler);
        if simpler != *case && simpler.layouts.iter().any(|layout| layout.tokens() > 0) {
            all.push(simpler);
        }
    };
    if case.layouts.len() > 1 {
        for row in 0..case.layouts.len() {
            add(&|c| c.layouts = vec![c.layouts[row].clone()]);
        }
    }
    if case.layouts.len() > 2 {
        for row in 0..case.layouts.len() {
            add(&|c| _ = c.layouts.remove(row));
        }
    }
    if !case.packed && case.window.is_none() && case.layouts.windows(2).all(|rows| rows[0] == rows[1]) {
        // Rows of a batch have one length, so they shrink together.
        for layout in case.layouts.first().filter(|_| case.layouts.len() > 1).map_or_else(Vec::new, smaller_layouts) {
            add(&|c| c.layouts.fill(layout.clone()));
        }
    }
    if case.layouts.len() == 1 {
        for layout in smaller_layouts(&case.layouts[0]) {
            add(&|c| {
                c.layouts = vec![layout.clone()];
                c.window = c.window.and_then(|(start, count)| {
                    let tokens = layout.tokens();
                    let start = start.min(tokens.saturating_sub(1));
                    let count = count.min(tokens - start);
                    (count > 0).then_some((start, count))
                });
            });
        }
    }
    if case.packed && case.layouts.len() > 1 {
        // Packed sequences need not have the same length, so each may shrink alone.
        for (row, layout) in case.layouts.iter().enumerate() {
            for smaller in smaller_layouts(layout) {
                add(&|c| c.layouts[row] = smaller.clone());
            }
        }
    }
    if let Some((start, count)) = case.window
        && count > 1
    {
        add(&|c| c.window = Some((start, count / 2)));
        add(&|c| c.window = Some((start + count / 2, count - count / 2)));
        add(&|c| c.window = Some((start, count - 1)));
    }
    if case.level != Level::Positions {
        heads(case, manifest, &mut add);
    }
    for place in nearer_places(case.place) {
        add(&|c| c.place = place);
    }
    if case.per_head {
        add(&|c| c.per_head = false);
    }
    if case.scaling.is_some() {
        add(&|c| c.scaling = None);
    }
    if case.level != Level::Positions
        && !matches!(case.data, Data::Uniform | Data::First | Data::Second | Data::Channel)
    {
        add(&|c| c.data = Data::Uniform);
    }
    all
}

/// Places with fewer or smaller numbers. Each is simpler, so that no chain of them comes back to where it was.
fn nearer_places(place: PositionSource) -> Vec<PositionSource> {
    let half = |low: i64, high: i64| low + (high - low) / 2;
    match place {
        PositionSource::Layout { shift: 0 } => Vec::new(),
        PositionSource::Layout { shift } => {
            vec![PositionSource::Layout { shift: 0 }, PositionSource::Layout { shift: shift / 2 }]
        }
        PositionSource::Random { low, high } if high > low => {
            vec![PositionSource::Random { low, high: half(low, high) }]
        }
        PositionSource::Random { .. } => Vec::new(),
        PositionSource::Octaves { low, high, turn, axis } => {
            let middle = half(low, high);
            let halves = [(low, middle), (middle + 1, high)].into_iter().filter(|_| low < high);
            let halves = halves.map(|(low, high)| PositionSource::Octaves { low, high, turn, axis });
            let again = (turn > 0).then_some(PositionSource::Octaves { low, high, turn: 0, axis });
            [PositionSource::Layout { shift: 0 }, PositionSource::Span { low, high }]
                .into_iter()
                .chain(halves)
                .chain(again)
                .collect()
        }
        // One number for all tokens, and that nearer to 0.
        PositionSource::Span { low, high } if low == high => [low / 2, low - low.signum()]
            .into_iter()
            .filter(|v| *v != low)
            .map(|v| PositionSource::Span { low: v, high: v })
            .collect(),
        PositionSource::Span { low, high } => {
            let ends = [(0, 0), (low, low), (high, high), (low, half(low, high)), (half(low, high) + 1, high)];
            let inside = ends.into_iter().filter(|(a, b)| (low..=high).contains(a) && (*a, *b) != (low, high));
            let spans = inside.map(|(low, high)| PositionSource::Span { low, high });
            [PositionSource::Layout { shift: 0 }].into_iter().chain(spans).collect()
        }
        PositionSource::Fractions { low, high, parts } if high - low > 1 => {
            vec![PositionSource::Layout { shift: 0 }, PositionSource::Fractions { low, high: half(low, high), parts }]
        }
        PositionSource::QuarterTurns { low, high } if high > low => {
            vec![
                PositionSource::Layout { shift: 0 },
                PositionSource::Span { low: high, high },
                PositionSource::QuarterTurns { low, high: half(low, high) },
            ]
        }
        PositionSource::Fractions { .. } | PositionSource::QuarterTurns { .. } => {
            vec![PositionSource::Layout { shift: 0 }]
        }
    }
}

/// Takes a change of a case and keeps the changed case.
type Add<'a> = dyn FnMut(&dyn Fn(&mut Case)) + 'a;

fn heads(case: &Case, manifest: &Manifest, add: &mut Add) {
    let fits = |value: u32, allowed: &crate::backend::manifest::Integers| allowed.allows(i64::from(value));
    for q in [1, case.q_heads / 2] {
        // Key heads share out the query heads, or there are none.
        let shares = |k: &u32| fits(*k, &manifest.k_heads) && (*k == 0 || q.is_multiple_of(*k));
        if q > 0
            && q < case.q_heads
            && fits(q, &manifest.q_heads)
            && let Some(k) = (0..=q.min(case.k_heads)).rev().find(shares)
        {
            add(&|c| (c.q_heads, c.k_heads) = (q, k));
        }
    }
    for k in [0, 1] {
        if k < case.k_heads && fits(k, &manifest.k_heads) {
            add(&|c| c.k_heads = k);
        }
    }
    if let Some((width, offset)) = case.rotary {
        if offset > 0 && manifest.takes_part(case.head_dim, width, 0) {
            add(&|c| c.rotary = Some((width, 0)));
        }
        add(&|c| c.rotary = None);
    }
    for dim in [4, 8, 16, 32, 64] {
        if dim < case.head_dim && fits(dim, &manifest.head_dims) {
            add(&|c| {
                c.head_dim = dim;
                c.rotary = None;
            });
            // A part of the head may be what it takes to fail.
            let less = |width: &u32| case.rotary.is_some_and(|(most, _)| *width <= most);
            let part = |width: &u32| less(width) && manifest.takes_part(dim, *width, 0);
            for width in [dim / 2, dim / 4].into_iter().filter(|width| *width > 0).filter(part) {
                add(&|c| (c.head_dim, c.rotary) = (dim, Some((width, 0))));
            }
        }
    }
    if let Some((width, offset)) = case.rotary {
        for less in [2, 4, 8, 16, 32, 64] {
            if less < width && manifest.takes_part(case.head_dim, less, offset) {
                add(&|c| c.rotary = Some((less, offset)));
            }
        }
    }
    if case.memory != Memory::Packed {
        add(&|c| c.memory = Memory::Packed);
    }
    if let Memory::Each { q, k, out } = case.memory {
        let packed = Order::Packed;
        let one_less = [(packed, k, out), (q, packed, out), (q, k, packed)];
        for (q, k, out) in one_less.into_iter().filter(|less| *less != (q, k, out)) {
            add(&|c| c.memory = Memory::Each { q, k, out });
        }
    }
    if case.position_order != PositionOrder::Rows {
        add(&|c| c.position_order = PositionOrder::Rows);
    }
    let storage = |offered: &[BesideDtype]| beside(offered, case.dtype).contains(&BesideDtype::Storage);
    if case.k_dtype != BesideDtype::Storage && storage(&manifest.k_dtypes) {
        add(&|c| c.k_dtype = BesideDtype::Storage);
    }
    if case.output_dtype != BesideDtype::Storage && storage(&manifest.output_dtypes) {
        add(&|c| c.output_dtype = BesideDtype::Storage);
    }
    if case.table_dtype != BesideDtype::Storage && storage(&manifest.table_dtypes) {
        add(&|c| c.table_dtype = BesideDtype::Storage);
    }
    if case.table_width != TableWidth::Half && manifest.table_widths.contains(&TableWidth::Half) {
        add(&|c| c.table_width = TableWidth::Half);
    }
    if case.alias != Alias::Out && manifest.alias.contains(&Alias::Out) {
        add(&|c| c.alias = Alias::Out);
    }
    if case.direction < 0 && manifest.directions.contains(&1) {
        add(&|c| c.direction = 1);
    }
}

/// Layouts with one thing less.
fn smaller_layouts(layout: &Layout) -> Vec<Layout> {
    let segments = layout.segments();
    let mut all: Vec<Vec<Segment>> = Vec::new();
    if segments.len() > 1 {
        for skip in 0..segments.len() {
            all.push(segments.iter().enumerate().filter(|(i, _)| *i != skip).map(|(_, s)| s.clone()).collect());
        }
    }
    for (index, segment) in segments.iter().enumerate() {
        let mut with = |smaller: Segment| {
            let mut changed = segments.to_vec();
            changed[index] = smaller;
            all.push(changed);
        };
        let less = |n: u32| [1, n / 2, n.saturating_sub(1)].into_iter().filter(move |m| *m > 0 && *m < n);
        match segment.clone() {
            Segment::Text(n) => less(n).for_each(|m| with(Segment::Text(m))),
            Segment::Image { h, w } => {
                less(h).for_each(|m| with(Segment::Image { h: m, w }));
                less(w).for_each(|m| with(Segment::Image { h, w: m }));
            }
            Segment::Video { t, h, w, seconds } => {
                less(t).for_each(|m| with(Segment::Video { t: m, h, w, seconds: seconds.clone() }));
                less(h).for_each(|m| with(Segment::Video { t, h: m, w, seconds: seconds.clone() }));
                less(w).for_each(|m| with(Segment::Video { t, h, w: m, seconds: seconds.clone() }));
            }
        }
    }
    all.into_iter().filter_map(|s| Layout::new(s).ok()).filter(|l| l.tokens() > 0).collect()
}

#[cfg(test)]
#[path = "shrink_tests.rs"]
mod tests;
