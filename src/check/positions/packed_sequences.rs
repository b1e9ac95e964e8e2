//! `packed-sequences`: sequences of different lengths in one row are rotated as if each were alone.

use crate::case::{Case, Level, PositionSource};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{BitsOf, Circumstance, During, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler, layouts};
use crate::check::slices::{claims_bits, one_plan, places, tokens_of};

pub(in crate::check) struct PackedSequences;

const SEQUENCES: [&str; 5] = ["text:3", "text:1 image:2x2 text:2", "video:2x1x2", "image:5x4 text:1", "text:1"];

impl Check for PackedSequences {
    fn id(&self) -> &'static str {
        "packed-sequences"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Sequences of different lengths, packed one after another in one row (cu_seqlens), \
                        have the outputs that each would have alone.",
            formula: "f(x_1 ++ ... ++ x_n, cu_seqlens) = f(x_1) ++ ... ++ f(x_n), within the bounds",
            source: "flash-attention's and FlashInfer's varlen calls; TensorRT-LLM: cos/sin found by the \
                     token's place in its request, so that requests shared them",
            catches: "positions that run on over a border, the first sequence's layout for all, offsets \
                      counted in rows",
            cannot_catch: "anything if the manifest does not offer varlen",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if !g.manifest.varlen {
            return Schedule::nothing(NOT_OFFERED);
        }
        let mut s = Scheduler::new(g, self.id());
        for (index, preset) in s.smallest_and_last().into_iter().chain(s.wide()).enumerate() {
            s.add(layouts(&SEQUENCES), &preset, |case| {
                case.packed = true;
                if index > 0 && g.group.level != Level::Fused {
                    // Every token anywhere: what packed decoding looks like.
                    case.place = PositionSource::Random { low: 0, high: g.max_position().min(4095) };
                }
            });
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        if !harness.backend.manifest().varlen {
            return Err(Stop::not_judged(NOT_OFFERED));
        }
        if !case.packed {
            return Err(Stop::not_judged("the case packs nothing"));
        }
        probe(case, harness)
    }
}

const NOT_OFFERED: &str = "the manifest does not offer varlen";

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let (packed, outputs) = harness.execute(case)?;
    let judge = Judge::new(harness, case, &packed)?;
    let mut measure = Measure::default();
    measure.add_part(judge.all(&outputs)?);
    if !claims_bits(harness) || matches!(case.place, PositionSource::Random { .. }) {
        return Ok(measure);
    }
    let mut start = 0;
    for (sequence, layout) in case.layouts.iter().enumerate() {
        let alone = Case { layouts: vec![layout.clone()], packed: false, ..case.clone() };
        let prepared = harness.prepare(&alone)?;
        let alone_judge = Judge::new(harness, &alone, &prepared)?;
        let tokens = alone_judge.tokens();
        let cut = |tensor| tokens_of(tensor, start, tokens);
        let single = harness.run(&prepared, cut(&outputs.q), cut(&outputs.k))?;
        measure.add_part(alone_judge.all(&single).during(Circumstance::SequenceAlone { sequence })?);
        // Alone, a sequence may be short enough to have other frequencies.
        let compared = if one_plan(&packed, &prepared).is_ok() { tokens } else { 0 };
        for (_, token, head) in places([1, compared, judge.heads()]) {
            let bits = alone_judge.output_row(&single, 0, token, head);
            judge.has_bits(&outputs, (0, start + token, head), bits, |_| BitsOf::SequenceAlone)?;
        }
        start += tokens;
    }
    Ok(measure)
}
