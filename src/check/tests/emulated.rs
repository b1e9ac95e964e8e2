//! Honest kernels of other classes, operation by operation: tables in the storage type, arithmetic in it or in f32, with and
//! without fused multiply-add. They must pass whatever these checks ask.

use crate::backend::Outcome;
use crate::backend::manifest::ContractName;
use crate::case::call::{Call, TensorView};
use crate::check::tests::bent::Bent;
use crate::numeric::DType;
use crate::spec::model::Pairing;

/// How it computes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Emulated {
    /// Whether products and sums round to the storage type.
    pub(super) eager: bool,
    pub(super) fma: bool,
}

pub(super) const EMULATED: [Emulated; 4] = [
    Emulated { eager: false, fma: false },
    Emulated { eager: false, fma: true },
    Emulated { eager: true, fma: false },
    Emulated { eager: true, fma: true },
];

impl Emulated {
    pub(super) fn backend(self) -> Bent {
        let class = if self.eager { "eager" } else { "cached" };
        let declared = Bent::straight().declaring(|m| {
            for (_, level) in &mut m.levels {
                level.contracts.iter_mut().for_each(|(_, contract)| {
                    *contract = ContractName { class: class.into(), ..contract.clone() };
                });
            }
        });
        declared.running(move |call, memory| self.run(call, memory))
    }

    /// a c + b s in f32 or in the storage type.
    fn turned(self, storage: DType, (a, c): (f64, f64), (b, s): (f64, f64)) -> f64 {
        let kept = if self.eager { storage } else { DType::F32 };
        // Products of two numbers of at most 24 bits are exact in f64.
        let second = kept.round(b * s);
        let sum = match (self.fma, kept) {
            (true, DType::F32) => f64::from((a as f32).mul_add(c as f32, second as f32)),
            (true, _) => kept.round(a * c + second),
            (false, DType::F32) => f64::from((a * c) as f32 + second as f32),
            (false, _) => kept.round(kept.round(a * c) + second),
        };
        storage.round(sum)
    }

    fn run(self, call: &Call, memory: &mut [u8]) -> Outcome {
        let Call::Rotate { plan, qk, positions, .. } = call else { return Outcome::Unsupported("emulated".into()) };
        let (storage, pairs) = (qk.q.dtype, plan.rotary_dim / 2);
        let number = |memory: &[u8], dtype: DType, at: usize| {
            let mut value = [0.0];
            dtype.decode_slice(&memory[at..at + dtype.size()], &mut value);
            value[0]
        };
        let m = plan.attention_scaling as f32;
        for (b, t) in (0..qk.batch).flat_map(|b| (0..qk.tokens).map(move |t| (b, t))) {
            let table: Vec<(f64, f64)> = (0..pairs)
                .map(|pair| {
                    let axis = memory[plan.axis_of_pair.offset + pair];
                    let frequency = number(memory, DType::F64, plan.inv_freq.offset + 8 * pair) as f32;
                    let position = match axis {
                        255 => 0.0,
                        axis => number(memory, positions.dtype, positions.at(usize::from(axis), b, t)) as f32,
                    };
                    let (sin, cos) = (position * frequency).sin_cos();
                    let (cos, sin) = (f64::from(cos * m), f64::from(sin * m) * f64::from(plan.direction));
                    (storage.round(cos), storage.round(sin))
                })
                .collect();
            let sides = [(Some(qk.q), Some(qk.q_out)), (qk.k, qk.k_out)];
            for (from, to) in sides.into_iter().filter_map(|(from, to)| Some((from?, to?))) {
                for h in 0..from.shape[2] {
                    let at = |view: &TensorView, d| view.at(b, t, h, d);
                    let row: Vec<f64> = (0..plan.head_dim).map(|d| number(memory, storage, at(&from, d))).collect();
                    let mut out = row.clone();
                    for (pair, (cos, sin)) in table.iter().enumerate() {
                        let (i, j) = match plan.pairing {
                            Pairing::Half => (plan.rotary_offset + pair, plan.rotary_offset + pair + pairs),
                            Pairing::Adjacent => (plan.rotary_offset + 2 * pair, plan.rotary_offset + 2 * pair + 1),
                        };
                        out[i] = self.turned(storage, (row[i], *cos), (-row[j], *sin));
                        out[j] = self.turned(storage, (row[j], *cos), (row[i], *sin));
                    }
                    for (d, value) in out.iter().enumerate() {
                        storage.encode_slice(&[*value], &mut memory[at(&to, d)..][..storage.size()]);
                    }
                }
            }
        }
        Outcome::Ok
    }
}
