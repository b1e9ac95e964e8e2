//! `packed-sequences`: sequences of different lengths in one row are rotated as if each were alone.

use crate::case::{Case, Level, PositionSource};
use crate::check::generator::{Generator, HeadPreset};
use crate::check::judge::Judge;
use crate::check::slices::{add, bits_differ, claims_bits, layouts, places, same_bits, tokens_of, while_doing};
use crate::check::{Check, Docs, Gap, Halt, Harness, Measure, Planned, Schedule, TENSOR_LEVELS, Verdict};

pub(in crate::check) struct PackedSequences;

const SEQUENCES: [&str; 4] = ["text:3", "text:1 image:2x2 text:2", "video:2x1x2", "text:1"];

impl Check for PackedSequences {
    fn id(&self) -> &'static str {
        "packed-sequences"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Sequences of different lengths, packed one after another in one row (cu_seqlens), have the outputs that \
                        each would have alone.",
            formula: "f(x_1 ++ ... ++ x_n, cu_seqlens) = f(x_1) ++ ... ++ f(x_n), within the bounds",
            source: "flash-attention's and FlashInfer's varlen calls; TensorRT-LLM: cos/sin found by the token's place in its \
                     request, so that requests shared them",
            catches: "positions that run on over a border, the first sequence's layout for all, offsets counted in rows",
            cannot_catch: "anything if the manifest does not offer varlen",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = Schedule::default();
        if !g.manifest.varlen {
            schedule.gaps.push(Gap { band: "-".into(), why: NOT_OFFERED.into() });
            return schedule;
        }
        let mut rng = g.rng(self.id());
        let heads = g.heads();
        let ends: [Option<&HeadPreset>; 2] = [heads.first(), heads.last().filter(|_| heads.len() > 1)];
        for (index, preset) in ends.into_iter().flatten().enumerate() {
            let mut case = g.case(self.id(), layouts(&SEQUENCES), preset, rng.next_u64());
            case.packed = true;
            if index > 0 && g.group.level != Level::Fused {
                // Every token anywhere: what packed decoding looks like.
                case.place = PositionSource::Random { low: 0, high: g.max_position().min(4095) };
            }
            schedule.cases.push(Planned { band: "-".into(), case });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        if !harness.backend.manifest().varlen {
            return Verdict::NotJudged(NOT_OFFERED.into());
        }
        if !case.packed {
            return Verdict::NotJudged("the case packs nothing".into());
        }
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

const NOT_OFFERED: &str = "the manifest does not offer varlen";

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let (prepared, outputs) = harness.execute(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let mut measure = Measure::default();
    add(&mut measure, judge.all(&outputs))?;
    if !claims_bits(harness) || matches!(case.place, PositionSource::Random { .. }) {
        return Ok(Verdict::Pass(measure));
    }
    let mut start = 0;
    for (index, layout) in case.layouts.iter().enumerate() {
        let alone = Case { layouts: vec![layout.clone()], packed: false, ..case.clone() };
        let prepared = harness.prepare(&alone)?;
        let alone_judge = Judge::new(harness, &alone, &prepared)?;
        let tokens = alone_judge.tokens();
        let cut = |tensor| tokens_of(tensor, start, tokens);
        let single = harness.run(&prepared, cut(&outputs.q), cut(&outputs.k))?;
        add(&mut measure, while_doing(alone_judge.all(&single), || format!("sequence {index} alone")))?;
        for (_, token, head) in places([1, tokens, judge.heads()]) {
            let packed = judge.output_row(&outputs, 0, start + token, head);
            if !same_bits(packed, alone_judge.output_row(&single, 0, token, head)) {
                let place = judge.place(0, start + token, head, 0);
                return Ok(Verdict::Fail(bits_differ(&place, "when its sequence is alone")));
            }
        }
        start += tokens;
    }
    Ok(Verdict::Pass(measure))
}
