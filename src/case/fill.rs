//! Fills q and k.

use super::data::{Data, Tensor, channels_of_pair, uniform};
use super::hard::fill_pairs;
use super::truth::Truth;
use crate::numeric::{DType, Rng};
use crate::spec::model::Pairing;

/// Fills a tensor whose first head is number `first_head` of the call. The contents depend on the arguments alone.
#[must_use]
pub fn fill(
    (data, dtype, pairing): (Data, DType, Pairing),
    shape: [usize; 4],
    truth: &Truth,
    first_head: usize,
    mut rng: Rng,
) -> Tensor {
    let mut tensor = Tensor::zeros(shape);
    let (rotary_dim, offset) = (truth.rotary_dim, truth.rotary_offset);
    let pair = |i| channels_of_pair(pairing, rotary_dim, offset, i);
    match data {
        Data::Uniform => tensor.values_mut().iter_mut().for_each(|v| *v = uniform(&mut rng, dtype)),
        Data::Mixed | Data::NotFinite => {
            for row in tensor.values_mut().chunks_exact_mut(shape[3]) {
                row.iter_mut().for_each(|v| *v = mixed(&mut rng, dtype));
                for i in 0..rotary_dim / 2 {
                    let (first, second) = pair(i);
                    match rng.below(16) {
                        0 => row[second] = row[first],
                        1 => row[second] = -row[first],
                        2 => row[second] = 0.0,
                        3 => row[first] = 0.0,
                        _ => {}
                    }
                    if data == Data::NotFinite {
                        spoil(&mut rng, row, first, second);
                    }
                }
            }
        }
        Data::First | Data::Second => {
            for row in tensor.values_mut().chunks_exact_mut(shape[3]) {
                for i in 0..rotary_dim / 2 {
                    let (first, second) = pair(i);
                    row[if data == Data::First { first } else { second }] = 1.0;
                }
            }
        }
        Data::Channel => {
            let [_, tokens, heads, channels] = shape;
            for (index, row) in tensor.values_mut().chunks_exact_mut(channels).enumerate() {
                row[(index / heads) % tokens % channels] = 1.0;
            }
        }
        Data::Cancel | Data::Extremes | Data::Ties | Data::Subnormal | Data::Powers | Data::Overflow => {
            fill_pairs(data, dtype, pairing, truth, first_head, &mut tensor, &mut rng);
        }
    }
    tensor
}

fn spoil(rng: &mut Rng, row: &mut [f64], first: usize, second: usize) {
    let value = match rng.below(24) {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => f64::NEG_INFINITY,
        _ => return,
    };
    match rng.below(4) {
        0 => row[first] = value,
        1 => row[second] = value,
        2 => (row[first], row[second]) = (value, value),
        _ => (row[first], row[second]) = (value, f64::NEG_INFINITY),
    }
}

fn mixed(rng: &mut Rng, dtype: DType) -> f64 {
    let value = 4.0 * rng.unit() - 2.0;
    // Twelve binades either way stay inside the normal range of f16.
    let scale = match rng.below(16) {
        0 => f64::from(1u32 << rng.below(13)),
        1 => 1.0 / f64::from(1u32 << rng.below(13)),
        _ => 1.0,
    };
    dtype.round(value * scale)
}
