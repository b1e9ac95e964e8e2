//! `strides`: tensors with gaps, in another order, cut out of larger ones.

use super::common::{blame, schedule, sound, watched};
use crate::backend::Manifest;
use crate::case::{Alias, Case, FLOAT_POISON, HUGE_POISON, Level, Memory, Order, Part, Strides};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Circumstance, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};

pub(in crate::check) struct FreeStrides;

/// The kinds of memory that a manifest's strides allow.
pub(in crate::check) fn offered(manifest: &Manifest) -> Vec<Memory> {
    let mut all = match manifest.strides {
        Strides::Packed => vec![Memory::Packed],
        Strides::Rows => vec![Memory::Packed, Memory::Padded, Memory::HeadsFirst, Memory::Sliced],
        Strides::Any => vec![Memory::Packed, Memory::Padded, Memory::HeadsFirst, Memory::Sliced, Memory::Spread],
    };
    let backwards = [Order::Reversed, Order::Mirrored].into_iter().filter(|order| manifest.takes_order(*order));
    all.extend(backwards.map(|order| Memory::Each { q: order, k: order, out: order }));
    all
}

impl Check for FreeStrides {
    fn id(&self) -> &'static str {
        "strides"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Whatever the strides, the result is right, and the gaps between elements are neither \
                        used nor written.",
            formula: "|y' - y| <= E with padded, permuted, sliced, spread and reversed tensors, gaps of NaN and of \
                      huge numbers; gaps: bytes before = bytes after",
            source: "ggml-org/llama.cpp PR 14580 and four more, vllm-project/vllm 16658",
            catches: "strides that are assumed, mixed up, or taken from the other tensor; vector stores \
                      across a row's end",
            cannot_catch: "strides of 0, which no case has, and those below 0 where the manifest does not offer \
                           them; reads of gaps that change nothing",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn is_about_memory(&self) -> bool {
        true
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        match &offered(g.manifest)[..] {
            [] | [_] => Schedule::nothing("the manifest offers packed tensors only"),
            [_, free @ ..] => schedule(Scheduler::new(g, self.id()), free, &[Alias::Out, Alias::In]),
        }
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let mut prepared = harness.prepare(case)?;
    let inputs = Harness::inputs(case, &prepared);
    let mut measure = Measure::default();
    for poison in [FLOAT_POISON, HUGE_POISON] {
        let run = watched(harness, &mut prepared, inputs.clone(), poison)?;
        run.unchanged(Part::Gap)?;
        match blame(harness, case, &prepared, &run.outputs, Circumstance::Strided) {
            Ok(found) => measure = found,
            Err(stop) => {
                sound(harness, case)?;
                return Err(stop);
            }
        }
    }
    Ok(measure)
}
