//! `pairing-probe`: which two channels are turned together, read off the output.

use crate::case::{Case, Data, Level};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Cause, Failure, OneHotReached, Scalar, Stop};
use crate::check::generator::{Generator, text};
use crate::check::harness::Harness;
use crate::check::judge::{Element, Judge, KeptBounds};
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};

pub(in crate::check) struct PairingProbe;

impl Check for PairingProbe {
    fn id(&self) -> &'static str {
        "pairing-probe"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A single 1 on a channel reaches that channel and its partner, with the right signs, \
                        and no other.",
            formula: "e_first -> (m cos, m sin), e_second -> (-m sin, m cos) on the two channels of the \
                      pair, 0 elsewhere",
            source: "reports of half for adjacent and the reverse: vllm 42016, candle 3410, mlx-vlm PR 481",
            catches: "the wrong pairing, a wrong sign, a wrong rotary width or offset, channels that leak \
                      into others",
            cannot_catch: "faults that need two non-zero channels",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        for preset in s.probed() {
            // Token t carries channel t; channel 0 comes again at the end, where the position is not 0.
            s.add(vec![text(preset.head_dim + 1)], &preset, |case| case.data = Data::Channel);
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let (prepared, outputs) = harness.execute(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let (mut measure, mut kept) = (Measure::default(), KeptBounds::default());
    let width = case.head_dim as usize;
    for token in 0..judge.tokens() {
        let channel = token % width;
        for head in [0, case.q_heads as usize] {
            if head >= judge.heads() {
                continue;
            }
            let row = judge.output_row(&outputs, 0, token, head);
            let partner = judge.partner(channel);
            // Two inputs of 0 give 0 whatever their angle is, unless its sine is no number where none is
            // claimed.
            let claimed = |c: usize| {
                row[c].is_finite() || judge.pair_of_channel(c).is_none_or(|pair| judge.claims(0, token, head, pair))
            };
            // From NaN nothing can be read off; it is out of its bound.
            let reached: Vec<usize> =
                (0..width).filter(|c| row[*c] != 0.0 && !row[*c].is_nan() && claimed(*c)).collect();
            measure.elements += 1;
            let at = |channel| Element { row: 0, token, head, channel };
            if let Some(stray) = reached.into_iter().find(|c| *c != channel && Some(*c) != partner) {
                let cause = stray_channel(&judge, case, channel, stray, row[stray]);
                return Err(Failure::at(judge.place(at(stray)), cause).into());
            }
            judge.row(&outputs, (0, token, head), &mut measure, &mut kept).map_err(|stop| match stop {
                Stop::Failed(inner) if row[channel].is_nan() || partner.is_some_and(|p| row[p].is_nan()) => {
                    inner.into()
                }
                Stop::Failed(inner) => {
                    Failure::at(judge.place(at(channel)), wrong_turn(&judge, at(channel), row, *inner)).into()
                }
                other => other,
            })?;
        }
    }
    Ok(measure)
}

fn stray_channel(judge: &Judge, case: &Case, channel: usize, reached: usize, value: f64) -> Cause {
    Cause::StrayChannel(Box::new(OneHotReached {
        channel,
        partner: judge.partner(channel),
        reached,
        value: Scalar(value),
        asked: case.pairing,
        found: (judge.partner_in_other_pairing(channel) == Some(reached)).then(|| judge.other_pairing()),
    }))
}

fn wrong_turn(judge: &Judge, at: Element, row: &[f64], inner: Failure) -> Cause {
    let (partner, pair) = (judge.partner(at.channel), judge.pair_of_channel(at.channel));
    let negated = matches!(&inner.cause, Cause::OutOfBound(element) if element.opposite_sign);
    let expected = pair.map_or((1.0, 0.0), |pair| {
        let turn = judge.bound(at.row, at.token, at.head, pair).turn;
        let (a, b) = if judge.channels(pair).0 == at.channel { (1.0, 0.0) } else { (0.0, 1.0) };
        let (y, z) = turn.apply(a, b);
        if a == 1.0 { (y, z) } else { (z, y) }
    });
    Cause::WrongTurn {
        channel: at.channel,
        cos: Scalar(row[at.channel]),
        sin: Scalar(partner.map_or(0.0, |p| row[p])),
        expected: [expected.0, expected.1].map(Scalar),
        opposite: negated && partner.is_some(),
        element: Box::new(inner.cause),
        at: inner.place,
    }
}
