//! What the laws of rotation and the special values share: small cases, the same sequence further on, and single pairs with
//! the bounds of their two outputs.

use crate::case::{Case, Consume, Data, Level, PositionSource, Prepared, Tensor};
use crate::check::generator::Generator;
use crate::check::judge::Judge;
use crate::check::{Failure, Gap, Halt, Harness, Outputs, Planned, Schedule, Verdict};
use crate::contract::{Allowance, Judgement, PairBound};
use crate::numeric::{DType, Rng};
use crate::positions::{Layout, Segment};

/// Two cases on small heads: a plain one, and one with other memory, aliasing, direction and position type.
pub(in crate::check) fn small_cases(
    g: &Generator,
    id: &str,
    data: Data,
    mut shape: impl FnMut(&mut Case, &mut Rng),
) -> Schedule {
    let mut schedule = Schedule::default();
    let heads = g.heads();
    if heads.is_empty() {
        schedule.gaps.push(Gap { band: "-".into(), why: "no head preset fits the manifest and the scheme".into() });
    }
    let mut rng = g.rng(id);
    for (index, preset) in (0u32..).zip(heads.iter().cycle().take(2.min(2 * heads.len()))) {
        let mut case = g.case(id, vec![g.layout(&mut rng)], preset, rng.next_u64());
        case.data = data;
        if index > 0 {
            g.vary(&mut case, index, &mut rng);
        }
        shape(&mut case, &mut rng);
        schedule.cases.push(Planned { band: "-".into(), case });
    }
    schedule
}

/// Whether the suite hands over cosines and sines on this level, so that no axis and no position is the backend's own.
pub(in crate::check) fn trig_is_given(g: &Generator) -> bool {
    g.group.level == Level::Apply || g.level.consumes(Consume::CosSin)
}

/// The same tokens `by` further on, by moved positions or by a longer first text; also the number of tokens in front.
pub(in crate::check) fn further(case: &Case, by: u32) -> Result<(Case, usize), Halt> {
    let mut later = case.clone();
    if case.level != Level::Fused {
        let by = i64::from(by);
        later.place = match case.place {
            PositionSource::Layout { shift } => PositionSource::Layout { shift: shift.saturating_add(by) },
            PositionSource::Random { low, high } => {
                PositionSource::Random { low: low.saturating_add(by), high: high.saturating_add(by) }
            }
            _ => return Err(Halt::broken("this check moves positions, which must be those of a layout or any")),
        };
        return Ok((later, 0));
    }
    if case.window.is_some() {
        return Err(Halt::broken("this check needs the whole sequence"));
    }
    for layout in &mut later.layouts {
        let mut segments = layout.segments().to_vec();
        match segments.first_mut() {
            Some(Segment::Text(n)) => *n = n.saturating_add(by),
            _ => segments.insert(0, Segment::Text(by)),
        }
        *layout = Layout::new(segments).map_err(|e| Halt::broken(e.to_string()))?;
    }
    Ok((later, by as usize))
}

/// That the manifest allows the tokens of a case that was made longer. (Positions are looked at when it is prepared.)
fn allowed(harness: &Harness, prepared: &Prepared) -> Result<(), Halt> {
    let tokens = prepared.call.qk().map_or(0, |qk| qk.tokens);
    if i64::try_from(tokens).is_ok_and(|n| n > harness.backend.manifest().max_tokens) {
        return Err(Halt::not_judged(format!("{tokens} tokens are more than the manifest's max_tokens")));
    }
    Ok(())
}

/// Says in front of a failure what it is about.
pub(in crate::check) fn about(verdict: Verdict, what: &str) -> Verdict {
    match verdict {
        Verdict::Fail(mut failure) => {
            failure.summary = format!("{what}: {}", failure.summary);
            Verdict::Fail(failure)
        }
        other => other,
    }
}

/// A second call on what a first one returned, judged by itself.
pub(in crate::check) fn second_call(
    harness: &mut Harness,
    case: &Case,
    second: &Case,
    before: usize,
    what: &str,
) -> Result<Verdict, Halt> {
    let (first, then) = (harness.prepare(case)?, harness.prepare(second)?);
    allowed(harness, &then)?;
    let (q, k) = Harness::inputs(case, &first);
    let there = harness.run(&first, q, k)?;
    if !there.q_out.values().iter().any(|v| v.is_finite()) {
        return Err(Halt::not_judged("the first call returned no finite number to go on with"));
    }
    let outputs = harness.run(&then, there.q_out.pushed_back(before), there.k_out.pushed_back(before))?;
    let judge = Judge::new(harness, second, &then)?;
    Ok(about(judge.all(&outputs), what))
}

/// Where a pair is.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct At {
    pub(in crate::check) row: usize,
    pub(in crate::check) token: usize,
    pub(in crate::check) head: usize,
    pub(in crate::check) pair: usize,
}

/// One of the two outputs of a pair.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct OutputSide {
    pub(in crate::check) channel: usize,
    pub(in crate::check) expected: f64,
    pub(in crate::check) observed: f64,
    pub(in crate::check) allowance: Allowance,
    pub(in crate::check) judgement: Judgement,
}

impl Judge<'_> {
    /// Calls `visit` for every pair of every head of every token, with its bound; stops at the first failure.
    pub(in crate::check) fn every_pair<E>(
        &self,
        mut visit: impl FnMut(At, &PairBound) -> Result<(), E>,
    ) -> Result<(), E> {
        let pairs = self.truth.pairs;
        for row in 0..self.case.batch() {
            for token in 0..self.tokens() {
                let (mut bounds, mut made_for) = (Vec::new(), None);
                for head in 0..self.heads() {
                    if made_for != Some(self.plan_row(head)) {
                        bounds = (0..pairs).map(|pair| self.bound(row, token, head, pair)).collect();
                        made_for = Some(self.plan_row(head));
                    }
                    for (pair, bound) in bounds.iter().enumerate() {
                        visit(At { row, token, head, pair }, bound)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The two inputs of a pair.
    pub(in crate::check) fn inputs_of(&self, outputs: &Outputs, at: At) -> (f64, f64) {
        let (a, b) = self.channels(at.pair);
        let row = self.input_row(outputs, at.row, at.token, at.head);
        (row[a], row[b])
    }

    /// The two outputs of a pair under its bound.
    pub(in crate::check) fn sides(&self, outputs: &Outputs, at: At, bound: &PairBound) -> [OutputSide; 2] {
        let inputs = self.inputs_of(outputs, at);
        let (y, z) = bound.turn.apply(inputs.0, inputs.1);
        let (first, second) = self.output_pair(outputs, at.row, at.token, at.head, at.pair);
        let channels = self.channels(at.pair);
        let side = |second, channel, expected, partner, observed| OutputSide {
            channel,
            expected,
            observed,
            allowance: bound.allowance(&self.types, second, inputs, expected, partner),
            judgement: bound.judge(&self.types, second, inputs, observed),
        };
        [side(false, channels.0, y, z, first), side(true, channels.1, z, y, second)]
    }

    /// Names an output of a pair for people.
    pub(in crate::check) fn place_of(&self, at: At, channel: usize) -> String {
        self.place(at.row, at.token, at.head, channel)
    }
}

/// Calls `change` with the two channels of every pair of every row of channels, and the row.
pub(in crate::check) fn change_pairs(
    judge: &Judge,
    tensor: &mut Tensor,
    mut change: impl FnMut(&mut [f64], usize, usize),
) {
    let width = tensor.shape()[3].max(1);
    for row in tensor.values_mut().chunks_exact_mut(width) {
        for pair in 0..judge.truth().pairs {
            let (a, b) = judge.channels(pair);
            change(row, a, b);
        }
    }
}

/// A failure with details.
pub(in crate::check) fn failure(summary: String, details: Vec<String>) -> Box<Failure> {
    Box::new(Failure { summary, details, lost_backend: false })
}

/// `most`, or the largest number up to which the position type holds every integer, and at most 2^31.
pub(in crate::check) fn exact_up_to(dtype: DType, most: i64) -> i64 {
    most.min(match dtype {
        DType::F32 => 1 << 24,
        DType::I32 => i64::from(i32::MAX),
        _ => 1 << 31,
    })
}
