//! Contents that rounding finds hard. They follow from how the pairs are turned, so they are made pair by pair.

use super::data::{Data, Tensor, channels_of_pair, uniform};
use super::truth::Truth;
use crate::numeric::{DType, Rng};
use crate::rotation::reference::Turn;
use crate::spec::model::Pairing;

/// Most tries for ties in a tensor: a few thousand of them show what more would.
const MOST_TRIES: u32 = 1 << 15;

/// Fills a tensor whose first head is number `first_head` of the call.
pub(super) fn fill_pairs(
    data: Data,
    dtype: DType,
    pairing: Pairing,
    truth: &Truth,
    first_head: usize,
    tensor: &mut Tensor,
    rng: &mut Rng,
) {
    let [rows, tokens, heads, _] = tensor.shape();
    let mut tries_left = MOST_TRIES;
    for row in 0..rows {
        for token in 0..tokens {
            let mut made: Option<(u32, Vec<Turn>)> = None;
            for head in 0..heads {
                let map_row = truth.map_row(first_head + head);
                let turns = match made.take() {
                    Some((of, turns)) if of == map_row => turns,
                    _ => truth.turns(row, token, map_row),
                };
                let channels = tensor.row_mut(row, token, head);
                channels.iter_mut().for_each(|v| *v = uniform(rng, dtype));
                for (pair, turn) in turns.iter().enumerate() {
                    let (first, second) = channels_of_pair(pairing, truth.rotary_dim, truth.rotary_offset, pair);
                    let (a, b) = inputs(data, rng, dtype, *turn, &mut tries_left);
                    if let Some(channel) = channels.get_mut(first) {
                        *channel = a;
                    }
                    if let Some(channel) = channels.get_mut(second) {
                        *channel = b;
                    }
                }
                made = Some((map_row, turns));
            }
        }
    }
}

/// The inputs of one pair, numbers of the type.
fn inputs(data: Data, rng: &mut Rng, dtype: DType, turn: Turn, tries_left: &mut u32) -> (f64, f64) {
    match data {
        Data::Ties => tied(rng, dtype, turn, tries_left),
        Data::Cancel => cancelling(rng, dtype, turn),
        Data::Extremes => {
            let pair = [rng.below(4), rng.below(4)].map(|kind| match kind {
                // Three binades below the largest: scaled sums of two stay finite, mostly.
                0 | 1 => scaled(rng, dtype, dtype.max_exponent() - 3),
                2 => scaled(rng, dtype, dtype.min_exponent() + 2),
                _ => scaled(rng, dtype, 0),
            });
            (pair[0], pair[1])
        }
        Data::Subnormal => (subnormal(rng, dtype), subnormal(rng, dtype)),
        Data::Powers => (power(rng, dtype), power(rng, dtype)),
        Data::Overflow => {
            // Half of the pairs stay far below, so that there is something to judge.
            let most = if rng.one_in(2) { dtype.max_finite() } else { dtype.max_finite() / 16.0 };
            (near(rng, dtype, most), near(rng, dtype, most))
        }
        _ => (uniform(rng, dtype), uniform(rng, dtype)),
    }
}

fn sign(rng: &mut Rng) -> f64 {
    if rng.one_in(2) { -1.0 } else { 1.0 }
}

fn scaled(rng: &mut Rng, dtype: DType, exponent: i32) -> f64 {
    dtype.round(sign(rng) * (1.0 + rng.unit()) * 2f64.powi(exponent))
}

/// Between half of `most` and all of it.
fn near(rng: &mut Rng, dtype: DType, most: f64) -> f64 {
    dtype.round(sign(rng) * most * (0.5 + 0.5 * rng.unit()))
}

/// One output nearly vanishes: the smaller input is the one that makes it do so.
fn cancelling(rng: &mut Rng, dtype: DType, turn: Turn) -> (f64, f64) {
    let exponent = i32::try_from(rng.between(-4, 4)).unwrap_or(0);
    let large = scaled(rng, dtype, exponent);
    // first: a cos = b sin; second: b cos = -a sin
    let way = sign(rng);
    let (ratio, steep) =
        if turn.cos.abs() <= turn.sin.abs() { (turn.cos / turn.sin, true) } else { (turn.sin / turn.cos, false) };
    let small = dtype.round(way * large * ratio);
    // The first output wants the smaller input as b where the sine is larger; the second one as a.
    if steep == (way > 0.0) { (large, small) } else { (small, large) }
}

/// One output lies as nearly as a few tries can bring it in the middle between two numbers of the type.
fn tied(rng: &mut Rng, dtype: DType, turn: Turn, tries_left: &mut u32) -> (f64, f64) {
    const TRIES: u32 = 12;
    let tries = TRIES.min(*tries_left);
    *tries_left -= tries;
    let second = rng.one_in(2);
    let mut best = (uniform(rng, dtype), uniform(rng, dtype));
    let mut distance = f64::INFINITY;
    for _ in 0..tries {
        let (a, b) = (uniform(rng, dtype), uniform(rng, dtype));
        let (y, z) = turn.apply(a, b);
        let value = if second { z } else { y }.abs();
        let away = ((value / (2.0 * dtype.half_ulp(value))).fract() - 0.5).abs();
        if away < distance {
            (best, distance) = ((a, b), away);
        }
    }
    best
}

fn subnormal(rng: &mut Rng, dtype: DType) -> f64 {
    let count = 1i64 << (dtype.precision() - 1);
    rng.between(-count, count) as f64 * 2.0 * dtype.half_ulp(0.0)
}

/// A power of two, or up to three units above it: where a unit is largest beside the value.
fn power(rng: &mut Rng, dtype: DType) -> f64 {
    let exponent = i32::try_from(rng.between(-8, 8)).unwrap_or(0);
    let above = rng.between(0, 3) as f64 * 2.0 * dtype.half_ulp(1.0);
    sign(rng) * (1.0 + above) * 2f64.powi(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Dd;

    const TYPES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];
    const HARD: [Data; 6] = [Data::Cancel, Data::Extremes, Data::Ties, Data::Subnormal, Data::Powers, Data::Overflow];

    fn many(data: Data, dtype: DType) -> Vec<(Turn, f64, f64)> {
        let mut rng = Rng::new(3);
        (0..600)
            .map(|i| {
                let turn = Turn::new(Dd::from_f64(f64::from(i)), 0.37, 1.138_629_436_111_989, i % 2 == 0);
                let (a, b) = inputs(data, &mut rng, dtype, turn, &mut MOST_TRIES.clone());
                (turn, a, b)
            })
            .collect()
    }

    #[test]
    fn every_value_is_a_number_of_the_type() {
        for dtype in TYPES {
            for data in HARD {
                for (_, a, b) in many(data, dtype) {
                    assert!(dtype.holds(a) && dtype.holds(b), "{data:?} in {}: {a:e} {b:e}", dtype.name());
                    assert!(a.is_finite() && b.is_finite());
                }
            }
        }
    }

    #[test]
    fn cancelling_pairs_cancel() {
        for dtype in TYPES {
            for (turn, a, b) in many(Data::Cancel, dtype) {
                let (y, z) = turn.apply(a, b);
                // The smaller input is rounded once, and its factor is at most 1.14.
                let rest = 1.14 * dtype.half_ulp(a.abs().min(b.abs()));
                assert!(y.abs().min(z.abs()) <= rest * (1.0 + 1e-9), "{}: {a} {b} {y} {z}", dtype.name());
            }
        }
    }

    #[test]
    fn the_kinds_are_what_they_say() {
        for dtype in TYPES {
            let ties = many(Data::Ties, dtype);
            let near = ties.iter().filter(|(turn, a, b)| {
                let (y, z) = turn.apply(*a, *b);
                let away = |v: f64| ((v.abs() / (2.0 * dtype.half_ulp(v))).fract() - 0.5).abs();
                away(y).min(away(z)) < 0.1
            });
            // A fifth would be by chance for one output, a third for the better of two; twelve tries bring nine tenths.
            assert!(near.count() > 480, "{}", dtype.name());
            let below = |(_, a, b): &&(Turn, f64, f64)| a.abs() < dtype.min_normal() || b.abs() < dtype.min_normal();
            assert!(many(Data::Subnormal, dtype).iter().filter(below).count() > 590);
            let far = |(_, a, b): &&(Turn, f64, f64)| (a / b).abs().max((b / a).abs()) > 1e4;
            // A quarter of the pairs has one number of each end.
            assert!(many(Data::Extremes, dtype).iter().filter(far).count() > 100, "{}", dtype.name());
            let (mut over, mut under) = (0, 0);
            for (turn, a, b) in many(Data::Overflow, dtype) {
                let (y, z) = turn.apply(a, b);
                let beyond = y.abs().max(z.abs()) >= dtype.overflow_threshold();
                *if beyond { &mut over } else { &mut under } += 1;
            }
            assert!(over > 60 && under > 60, "{over} overflow, {under} do not");
        }
    }
}
