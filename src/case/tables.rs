//! Cosines and sines that the suite hands over, and the truth that follows from them.

use std::collections::BTreeMap;

use super::arena::Arena;
use super::call::CosSinView;
use super::truth::{FLOAT_POISON, PrepareError, Truth};
use super::{Case, Memory, TableWidth, channels_of_pair};
use crate::numeric::{DType, Dd, sincos};
use crate::rotation::NO_AXIS;

/// Cosines and sines of one token, as the storage type holds them.
fn table_row(truth: &Truth, dtype: DType, b: usize, t: usize) -> Vec<(f64, f64)> {
    let (axes, frequencies) = (truth.plan.axes(0), truth.plan.frequencies(0));
    let m = truth.plan.attention_scaling;
    axes.iter()
        .zip(frequencies)
        .map(|(axis, frequency)| {
            let position = if *axis == NO_AXIS { Dd::ZERO } else { truth.positions[usize::from(*axis)][b][t] };
            let exact = sincos(position, *frequency);
            (dtype.round(m * exact.cos), dtype.round(m * exact.sin))
        })
        .collect()
}

fn one_map(truth: &Truth) -> Result<(), PrepareError> {
    if truth.plan.map_heads > 1 {
        return Err(PrepareError::NotApplicable(
            "the axis map differs per head, a cos/sin table cannot say that".into(),
        ));
    }
    Ok(())
}

pub(super) fn cos_sin(case: &Case, truth: &mut Truth, arena: &mut Arena) -> Result<CosSinView, PrepareError> {
    one_map(truth)?;
    let dtype = case.table_dtype.beside(case.dtype);
    let tokens = truth.positions.first().and_then(|a| a.first()).map_or(0, Vec::len);
    let pairs = truth.pairs;
    let full = case.table_width == TableWidth::Full;
    let width = if full { 2 * pairs } else { pairs };
    // No padding next to a guard band, or an overrun would end in it.
    let stride = match case.memory {
        Memory::GuardEnd | Memory::GuardStart => [tokens * width, width],
        _ => [tokens * (width + 1) + 2, width + 1],
    };
    let elements = case.batch() * stride[0];
    let (mut cos, mut sin) = (vec![FLOAT_POISON; dtype.size() * elements], vec![FLOAT_POISON; dtype.size() * elements]);
    let mut given = Vec::new();
    for b in 0..case.batch() {
        let mut rows = Vec::new();
        for t in 0..tokens {
            let values = table_row(truth, dtype, b, t);
            for (pair, (c, s)) in values.iter().enumerate().take(pairs) {
                let (first, second) = channels_of_pair(case.pairing, truth.rotary_dim, 0, pair);
                for cell in if full { vec![first, second] } else { vec![pair] } {
                    let at = b * stride[0] + t * stride[1] + cell;
                    dtype.put_bits(&mut cos, at, dtype.encode(*c));
                    dtype.put_bits(&mut sin, at, dtype.encode(*s));
                }
            }
            rows.push(values);
        }
        given.push(rows);
    }
    truth.given = Some(given);
    let size = dtype.size();
    Ok(CosSinView { dtype, cos: arena.put("cos", cos, size), sin: arena.put("sin", sin, size), stride, full })
}

/// Most rows of a cache.
pub const MAX_CACHE_ROWS: usize = 1 << 20;

/// A cache by position, of at least as many rows as a row of the batch has tokens: no model has a shorter one. A row
/// where a token is on some axis is complete; every other row is NaN.
pub(super) fn cache(case: &Case, truth: &mut Truth, arena: &mut Arena) -> Result<(CosSinView, usize), PrepareError> {
    one_map(truth)?;
    let dtype = case.table_dtype.beside(case.dtype);
    let m = truth.plan.attention_scaling;
    let mut rows = truth.positions.first().and_then(|axis| axis.first()).map_or(0, Vec::len);
    for position in truth.positions.iter().flatten().flatten() {
        if position.hi < 0.0 || position.hi.fract() != 0.0 || position.lo != 0.0 || position.hi >= MAX_CACHE_ROWS as f64
        {
            return Err(PrepareError::NotApplicable(format!("position {} has no row in a cos/sin cache", position.hi)));
        }
        rows = rows.max(position.hi as usize + 1);
    }
    if rows > MAX_CACHE_ROWS {
        return Err(PrepareError::NotApplicable(format!("a cos/sin cache has at most {MAX_CACHE_ROWS} rows")));
    }
    let (pairs, stride) = (truth.pairs, 2 * truth.pairs);
    let mut bytes = vec![FLOAT_POISON; dtype.size() * stride * rows];
    let mut written = BTreeMap::new();
    let mut row_at = |position: usize| -> Vec<(f64, f64)> {
        let row = written.entry(position).or_insert_with(|| {
            let one = |frequency: &f64| {
                let exact = sincos(Dd::from_f64(position as f64), *frequency);
                (dtype.round(m * exact.cos), dtype.round(m * exact.sin))
            };
            let row: Vec<(f64, f64)> = truth.plan.frequencies(0).iter().map(one).collect();
            for (pair, (cos, sin)) in row.iter().enumerate() {
                dtype.put_bits(&mut bytes, position * stride + pair, dtype.encode(*cos));
                dtype.put_bits(&mut bytes, position * stride + pairs + pair, dtype.encode(*sin));
            }
            row
        });
        row.clone()
    };
    let tokens = truth.positions.first().and_then(|axis| axis.first()).map_or(0, Vec::len);
    let mut given = vec![vec![vec![(0.0, 0.0); pairs]; tokens]; case.batch()];
    for (b, row) in given.iter_mut().enumerate() {
        for (t, values) in row.iter_mut().enumerate() {
            let rows: Vec<_> = truth.positions.iter().map(|axis| row_at(axis[b][t].hi as usize)).collect();
            for (pair, value) in values.iter_mut().enumerate() {
                // A pair on no axis reads row 0.
                *value = match truth.plan.axes(0)[pair] {
                    NO_AXIS => row_at(0)[pair],
                    axis => rows[usize::from(axis)][pair],
                };
            }
        }
    }
    truth.given = Some(given);
    let offset = arena.put("cache", bytes, dtype.size());
    Ok((CosSinView { dtype, cos: offset, sin: offset + dtype.size() * pairs, stride: [0, stride], full: false }, rows))
}

#[cfg(test)]
mod tests {
    use super::super::call::Call;
    use super::super::{Consume, prepare};
    use super::*;
    use crate::rotation::PlanCache;
    use crate::spec::Library;

    /// What a level rotate of RoPE that consumes `consumes` is called with.
    fn call(tokens: &str, consumes: &[Consume]) -> Call {
        let library = Library::embedded().expect("embedded specs load");
        let start = "accuracy,scheme=rope@default,level=rotate,dtype=f32,pairing=half";
        let rest = "positions=i64,heads=1/1,head-dim=8,memory=packed,alias=out,data=uniform,seed=1";
        let case: Case = format!("{start},{tokens},{rest}").parse().expect("a case");
        let scheme = library.get("rope@default").expect("a scheme");
        prepare(&case, scheme, &PlanCache::new(), consumes, 1).expect("a call").call
    }

    #[test]
    fn a_cache_has_a_row_for_every_position_and_for_every_token() {
        let rows = |tokens: &str| match call(tokens, &[Consume::Positions, Consume::CosSinCache]) {
            Call::Rotate { cache: Some((_, rows)), .. } => rows,
            other => panic!("no cache in {other:?}"),
        };
        assert_eq!((rows("layout=text:9,span=3..3"), rows("layout=text:2,span=30..30")), (9, 31));
    }

    #[test]
    fn parameters_are_right_whatever_is_consumed() {
        for consumes in [&[Consume::Positions, Consume::InvFreq][..], &[Consume::Positions, Consume::Base]] {
            let Call::Rotate { scheme, plan, .. } = call("layout=text:2", consumes) else { panic!("another level") };
            let base = scheme.parameters.iter().find(|p| p.name == "base").expect("a base");
            assert_eq!((base.value, base.num, base.den), (10_000.0, 10_000, 1));
            assert_eq!(plan.base.is_nan(), !consumes.contains(&Consume::Base), "the plan's is poisoned");
        }
    }
}
