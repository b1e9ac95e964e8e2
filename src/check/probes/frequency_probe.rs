//! `frequency-probe`: how fast each pair turns, read off the output.

use super::other_turn::other_turn;
use super::pair_of_head::pair_of_head;
use crate::case::{Case, Consume, Data, Level};
use crate::check::definition::{Check, Docs, MAP_LEVELS};
use crate::check::failure::{Cause, Failure, Place, Scalar, Stop};
use crate::check::generator::{Generator, text};
use crate::check::harness::{Harness, Outputs};
use crate::check::judge::{Element, Fit, Judge};
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::rotation::NO_AXIS;

pub(in crate::check) struct FrequencyProbe;

/// Tokens of the probe: positions 0 to 64 on text.
const TOKENS: u32 = 65;

impl Check for FrequencyProbe {
    fn id(&self) -> &'static str {
        "frequency-probe"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Each pair turns by the scheme's frequency per position, and its length grows by \
                        attention_scaling.",
            formula: "input (1, 0) on every pair at text positions 0..64: output m (cos(p f_i), sin(p f_i)) \
                      within the bound",
            source: "reports of wrong base, rounded or restarted frequencies: transformers PR 29285, \
                     LeetCUDA 290, vllm PR 48351",
            catches: "a wrong base, frequencies in 16 bits, an index that restarts per axis, a missing \
                      attention factor",
            cannot_catch: "whether the frequencies are the scheme's where the suite supplied them; \
                           deviations that stay below the bound at position 64 (accuracy goes further out)",
        }
    }

    fn levels(&self) -> &'static [Level] {
        MAP_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if g.level.consumes(Consume::CosSin) || g.level.consumes(Consume::CosSinCache) {
            return Schedule::nothing("the suite supplies cos and sin, so no frequency is used");
        }
        let mut s = Scheduler::new(g, self.id());
        for preset in s.probed() {
            let mut case = s.case(vec![text(TOKENS)], &preset);
            case.data = Data::First;
            s.plan("0..64", case);
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
    let mut measure = Measure::default();
    let heads = if judge.truth().plan.map_heads > 1 { judge.heads() } else { 1 };
    for head in 0..heads {
        let pairs = judge.truth().pairs;
        let fits: Vec<Fit> = (0..pairs).map(|i| judge.fits_everywhere(&outputs, head, i, None, None)).collect();
        let wrong: Vec<usize> = (0..pairs).filter(|i| fits[*i] == Fit::No).collect();
        let silent = fits.iter().filter(|fit| **fit == Fit::NothingClaimed).count();
        measure.elements += (pairs - silent) as u64;
        judge.count_beyond(&mut measure, (0..pairs).map(|pair| judge.unclaimed(head, pair)).sum());
        if let Some(first) = wrong.first().copied() {
            return Err(explain(&judge, &outputs, head, first, wrong).into());
        }
    }
    measure.observations = judge.observed_in(&outputs);
    Ok(measure)
}

/// Radians per position of a pair, and its length, followed from token to token so that whole turns are
/// counted.
fn measured(judge: &Judge, outputs: &Outputs, head: usize, pair: usize) -> Option<(f64, f64)> {
    let axis = judge.axis(head, pair);
    if axis == NO_AXIS {
        return None;
    }
    let mut frequency: Option<f64> = None;
    let mut length = 0.0f64;
    for token in 0..judge.tokens() {
        let position = judge.truth().positions[usize::from(axis)][0][token].hi;
        let (cos, sin) = judge.output_pair(outputs, 0, token, head, pair);
        length = length.max(cos.hypot(sin));
        if position <= 0.0 || !cos.is_finite() || !sin.is_finite() || !judge.claims(0, token, head, pair) {
            continue;
        }
        let angle = (judge.truth().direction * sin).atan2(cos);
        let expected = frequency.map_or(angle, |f| f * position);
        let turns = ((expected - angle) / std::f64::consts::TAU).round();
        frequency = Some((angle + turns * std::f64::consts::TAU) / position);
    }
    Some((frequency?, length))
}

/// A failure where no token tells how fast the pair turns.
fn unmeasured(judge: &Judge, outputs: &Outputs, head: usize, pair: usize) -> Box<Failure> {
    let axis = judge.axis(head, pair);
    if axis == NO_AXIS {
        return Failure::at(pair_of_head(judge, head, pair), Cause::TurnsWithoutAxis);
    }
    // Every token that is not at the origin has outputs that are no numbers.
    let output = |token: usize| judge.output_pair(outputs, 0, token, head, pair);
    let odd = (0..judge.tokens()).find(|token| !(output(*token).0.is_finite() && output(*token).1.is_finite()));
    let token = odd.unwrap_or(0);
    let numbers = |(first, second): (f64, f64)| [Scalar(first), Scalar(second)];
    let cause = Cause::NoFrequency {
        position: Scalar(judge.truth().positions[usize::from(axis)][0][token].hi),
        observed: numbers(output(token)),
        expected: numbers(judge.bound(0, token, head, pair).turn.apply(1.0, 0.0)),
    };
    let element = Element { row: 0, token, head, channel: judge.channels(pair).0 };
    Failure::at(Place { channel: None, ..judge.place(element) }, cause)
}

fn explain(judge: &Judge, outputs: &Outputs, head: usize, first: usize, wrong_pairs: Vec<usize>) -> Box<Failure> {
    let Some((found, length)) = measured(judge, outputs, head, first) else {
        return unmeasured(judge, outputs, head, first);
    };
    // f_i = base^(-i/R): the median over the pairs resists a few that are wrong in some other way.
    let pairs = judge.truth().pairs;
    let measured: Vec<Option<f64>> = (0..pairs).map(|i| Some(measured(judge, outputs, head, i)?.0)).collect();
    let base_of = |(i, f): (usize, &Option<f64>)| {
        let base = (-(*f)?.ln() * pairs as f64 / i as f64).exp();
        base.is_finite().then_some(base)
    };
    let mut bases: Vec<f64> = measured.iter().enumerate().skip(1).filter_map(base_of).collect();
    bases.sort_by(f64::total_cmp);
    // Only one that explains every pair is told, and a round number rather than its neighbour.
    let median = bases.get(bases.len() / 2).copied();
    let round = median.map(|base| {
        let digit = 10f64.powf(base.log10().floor());
        (base / digit).round() * digit
    });
    let explains = |base: &f64| (0..pairs).all(|i| judge.fits_base(outputs, head, i, *base) != Fit::No);
    let base = round.into_iter().chain(median).find(explains);
    let over_head_dim = base.zip(judge.truth().plan.base).is_some_and(|(found, stated)| {
        let part = judge.truth().rotary_dim as f64 / f64::from(judge.head_dim());
        part < 1.0
            && (0..pairs).all(|i| judge.fits_base(outputs, head, i, stated.powf(part)) != Fit::No)
            && found != stated
    });
    // Of a pair that turns at no one frequency the slope is none; it may be that of positions that are off.
    let steady = base.is_some() || judge.turns_at(outputs, head, first, found, length);
    let axes = judge.truth().positions.len();
    let turn = if steady { None } else { other_turn(judge, outputs, axes, head, first) };
    let cause = Cause::WrongFrequency {
        expected: Scalar(judge.frequency(head, first)),
        observed: steady.then_some(Scalar(found)),
        shift: turn.map(|turn| turn.shift).filter(|shift| *shift != 0),
        length: Some(Scalar(length)),
        attention_scaling: Scalar(judge.truth().plan.attention_scaling),
        wrong_pairs,
        of_pairs: pairs,
        base: base.map(Scalar),
        over_head_dim,
    };
    Failure::at(pair_of_head(judge, head, first), cause)
}
