//! `pairing-probe`: which two channels are turned together, read off the output.

use crate::case::{Case, Data, Level};
use crate::check::generator::{Generator, text};
use crate::check::judge::Judge;
use crate::check::{Check, Docs, Failure, Halt, Harness, Measure, Planned, Schedule, TENSOR_LEVELS, Verdict};

pub(in crate::check) struct PairingProbe;

impl Check for PairingProbe {
    fn id(&self) -> &'static str {
        "pairing-probe"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A single 1 on a channel reaches that channel and its partner, with the right signs, and no other.",
            formula: "e_first -> (m cos, m sin), e_second -> (-m sin, m cos) on the two channels of the pair, 0 elsewhere",
            source: "reports of half for adjacent and the reverse: vllm 42016, candle 3410, mlx-vlm PR 481",
            catches: "the wrong pairing, a wrong sign, a wrong rotary width or offset, channels that leak into others",
            cannot_catch: "faults that need two non-zero channels",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut rng = g.rng(self.id());
        let heads = g.heads();
        let chosen = [heads.first(), heads.last().filter(|_| heads.len() > 1)];
        let cases = chosen.into_iter().flatten().map(|preset| {
            // Token t carries channel t; channel 0 comes again at the end, where the position is not 0.
            let mut case = g.case(self.id(), vec![text(preset.head_dim + 1)], preset, rng.next_u64());
            case.data = Data::Channel;
            Planned { band: "-".into(), case }
        });
        Schedule { cases: cases.collect(), gaps: Vec::new() }
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let (prepared, outputs) = harness.execute(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let mut measure = Measure::default();
    let width = case.head_dim as usize;
    for token in 0..judge.tokens() {
        let channel = token % width;
        for head in [0, case.q_heads as usize] {
            if head >= judge.heads() {
                continue;
            }
            let row = judge.output_row(&outputs, 0, token, head);
            let partner = judge.partner(channel);
            // Two inputs of 0 give 0 whatever their angle is, unless its sine is no number where none is claimed.
            let claimed = |c: usize| {
                row[c].is_finite() || judge.pair_of_channel(c).is_none_or(|pair| judge.claims(0, token, head, pair))
            };
            let reached: Vec<usize> = (0..width).filter(|c| row[*c] != 0.0 && claimed(*c)).collect();
            measure.elements += 1;
            if let Some(stray) = reached.iter().find(|c| **c != channel && Some(**c) != partner) {
                return Ok(Verdict::Fail(stray_channel(&judge, channel, partner, *stray, row[*stray])));
            }
            if let Verdict::Fail(failure) = judge.row(&outputs, 0, token, head, &mut measure) {
                return Ok(Verdict::Fail(wrong_turn(&judge, channel, partner, row, failure)));
            }
        }
    }
    Ok(Verdict::Pass(measure))
}

fn stray_channel(judge: &Judge, channel: usize, partner: Option<usize>, stray: usize, value: f64) -> Box<Failure> {
    let expected = match partner {
        Some(partner) => format!("its partner is channel {partner}"),
        None => "it lies outside the rotary width and must pass through".to_owned(),
    };
    let mut failure = Failure::new(format!("a 1 on channel {channel} reaches channel {stray} ({value:e}); {expected}"));
    if let Some(other) = judge.partner_in_other_pairing(channel)
        && other == stray
    {
        failure.details.push(format!(
            "that is the partner under the other pairing: the kernel pairs {}, {} was asked for",
            judge.other_pairing_name(),
            judge.pairing_name()
        ));
    }
    failure
}

fn wrong_turn(judge: &Judge, channel: usize, partner: Option<usize>, row: &[f64], inner: Box<Failure>) -> Box<Failure> {
    let (cos, sin) = (row[channel], partner.map_or(0.0, |p| row[p]));
    let mut failure = Failure::new(format!("a 1 on channel {channel} comes back as {cos:.6}, its partner as {sin:.6}"));
    if judge.is_negated_sine(channel, &inner) {
        failure.details.push("the sine has the wrong sign: the pair turns the other way".to_owned());
    }
    failure.details.push(inner.summary);
    failure.details.extend(inner.details);
    failure
}
