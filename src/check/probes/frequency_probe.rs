//! `frequency-probe`: how fast each pair turns, read off the output.

use crate::case::{Case, Consume, Data, Level};
use crate::check::fit::Fit;
use crate::check::generator::{Generator, text};
use crate::check::judge::Judge;
use crate::check::{
    Check, Docs, Failure, Gap, Halt, Harness, MAP_LEVELS, Measure, Outputs, Planned, Schedule, Verdict,
};
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
            statement: "Each pair turns by the scheme's frequency per position, and its length grows by attention_scaling.",
            formula: "input (1, 0) on every pair at text positions 0..64: output m (cos(p f_i), sin(p f_i)) within the bound",
            source: "reports of wrong base, rounded or restarted frequencies: transformers PR 29285, LeetCUDA 290, \
                     vllm PR 48351",
            catches: "a wrong base, frequencies in 16 bits, an index that restarts per axis, a missing attention factor",
            cannot_catch: "whether the frequencies are the scheme's where the suite supplied them; deviations that stay \
                           below the bound at position 64 (accuracy goes further out)",
        }
    }

    fn levels(&self) -> &'static [Level] {
        MAP_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = Schedule::default();
        if g.level.consumes(Consume::CosSin) || g.level.consumes(Consume::CosSinCache) {
            schedule
                .gaps
                .push(Gap { band: "-".into(), why: "the suite supplies cos and sin, so no frequency is used".into() });
            return schedule;
        }
        let mut rng = g.rng(self.id());
        let heads = g.heads();
        for preset in [heads.first(), heads.last().filter(|_| heads.len() > 1)].into_iter().flatten() {
            let mut case = g.case(self.id(), vec![text(TOKENS)], preset, rng.next_u64());
            case.data = Data::First;
            schedule.cases.push(Planned { band: "0..64".into(), case });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
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
            return Ok(Verdict::Fail(explain(&judge, &outputs, head, first, &wrong)));
        }
    }
    Ok(Verdict::Pass(measure))
}

/// Radians per position of a pair, and its length, followed from token to token so that whole turns are counted.
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
        return Failure::new(format!("pair {pair} is on no axis and must not turn, but it does"));
    }
    // Every token that is not at the origin has outputs that are no numbers.
    let output = |token: usize| judge.output_pair(outputs, 0, token, head, pair);
    let odd = (0..judge.tokens()).find(|token| !(output(*token).0.is_finite() && output(*token).1.is_finite()));
    let token = odd.unwrap_or(0);
    let (position, (first, second)) = (judge.truth().positions[usize::from(axis)][0][token].hi, output(token));
    let (cos, sin) = judge.bound(0, token, head, pair).turn.apply(1.0, 0.0);
    Failure::new(format!(
        "pair {pair} is ({first}, {second}) after (1, 0) at position {position}, the scheme says ({cos:.6}, {sin:.6})"
    ))
}

fn explain(judge: &Judge, outputs: &Outputs, head: usize, first: usize, wrong: &[usize]) -> Box<Failure> {
    let stated = judge.frequency(head, first);
    let Some((found, length)) = measured(judge, outputs, head, first) else {
        return unmeasured(judge, outputs, head, first);
    };
    let mut failure =
        Failure::new(format!("pair {first} turns by {found:.6} per position, the scheme says {stated:.6}"));
    let m = judge.truth().plan.attention_scaling;
    failure.details.push(format!("{} of {} pairs are off in head {head}", wrong.len(), judge.truth().pairs));
    failure.details.push(format!("length of pair {first}: {length:.6}, attention_scaling is {m:.6}"));
    // f_i = base^(-i/R): the median over the pairs resists a few that are wrong in some other way.
    let pairs = judge.truth().pairs;
    let mut bases: Vec<f64> = (1..pairs)
        .filter_map(|i| {
            let (f, _) = measured(judge, outputs, head, i)?;
            let base = (-f.ln() * pairs as f64 / i as f64).exp();
            base.is_finite().then_some(base)
        })
        .collect();
    bases.sort_by(f64::total_cmp);
    if let Some(base) = bases.get(bases.len() / 2) {
        failure.details.push(format!("the measured frequencies fit base {base:.4e} best"));
    }
    failure
}
