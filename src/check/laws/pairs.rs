//! What the laws of rotation and the special values share: small cases, the same sequence further on, and
//! single pairs with the bounds of their two outputs.

use crate::case::{Case, Consume, Data, Level, PositionSource, Tensor};
use crate::check::failure::{Circumstance, During, Place, Stop};
use crate::check::generator::Generator;
use crate::check::harness::{Harness, Outputs};
use crate::check::judge::{Element, Judge};
use crate::check::measure::Measure;
use crate::check::schedule::{NO_BAND, Schedule, Scheduler};
use crate::check::slices::pushed_back;
use crate::contract::{Allowance, Judgement, PairBound};
use crate::numeric::{DType, Rng};

/// Two cases on small heads: a plain one, and one with other memory, aliasing, direction and position type.
pub(in crate::check) fn small_cases(
    g: &Generator,
    id: &str,
    data: Data,
    mut shape: impl FnMut(&mut Case, &mut Rng),
) -> Schedule {
    let mut s = Scheduler::new(g, id);
    let heads = s.heads();
    for (index, preset) in (0u32..).zip(heads.iter().cycle().take(2.min(2 * heads.len()))) {
        let layout = g.layout(&mut s.rng);
        let mut case = s.case(vec![layout], preset);
        case.data = data;
        if index > 0 {
            g.vary(&mut case, index, &mut s.rng);
        }
        shape(&mut case, &mut s.rng);
        s.plan(NO_BAND, case);
    }
    s.finish()
}

/// Whether the suite hands over cosines and sines on this level, so that no axis and no position is the
/// backend's own.
pub(in crate::check) fn trig_is_given(g: &Generator) -> bool {
    g.group.level == Level::Apply || g.level.consumes(Consume::CosSin)
}

/// The tokens of a case `by` further on: by moved positions, or on level fused by a longer first text. Also
/// the number of tokens in front of them.
pub(in crate::check) fn further(case: &Case, by: u32) -> Result<(Case, usize), Stop> {
    let mut later = case.clone();
    if case.level != Level::Fused {
        let by = i64::from(by);
        later.place = match case.place {
            PositionSource::Layout { shift } => PositionSource::Layout { shift: shift.saturating_add(by) },
            PositionSource::Random { low, high } => {
                PositionSource::Random { low: low.saturating_add(by), high: high.saturating_add(by) }
            }
            _ => return Err(Stop::broken("this check moves positions, which must be those of a layout or any")),
        };
        return Ok((later, 0));
    }
    if case.window.is_some() {
        return Err(Stop::broken("this check needs the whole sequence"));
    }
    for layout in &mut later.layouts {
        *layout = pushed_back(layout, by)?;
    }
    Ok((later, by as usize))
}

/// A second call on what a first one returned, judged by itself.
pub(in crate::check) fn second_call(
    harness: &mut Harness,
    case: &Case,
    second: &Case,
    before: usize,
    what: Circumstance,
) -> Result<Measure, Stop> {
    let (first, then) = (harness.prepare(case)?, harness.prepare(second)?);
    let (q, k) = Harness::inputs(case, &first);
    let there = harness.run(&first, q, k)?;
    if !there.q_out.values().iter().any(|v| v.is_finite()) {
        return Err(Stop::not_judged("the first call returned no finite number to go on with"));
    }
    // Outputs of a wider type than the inputs do not go on as they are.
    let [q, k] = [(there.q_out, second.dtype), (there.k_out, second.k_type())].map(|(output, dtype)| {
        let mut input = output.pushed_back(before);
        input.values_mut().iter_mut().for_each(|value| *value = dtype.round(*value));
        input
    });
    let outputs = harness.run(&then, q, k)?;
    let judge = Judge::new(harness, second, &then)?;
    judge.all(&outputs).during(what)
}

/// Where a pair is.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct PairPlace {
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

/// The bounds of a token's pairs, made once for heads that turn alike in the same types.
#[derive(Default)]
pub(in crate::check) struct TokenBounds {
    bounds: Vec<PairBound>,
    /// The row, the token, the row of the plan, and whether the types are those of the first head.
    made_for: Option<(usize, usize, u32, bool)>,
}

impl TokenBounds {
    /// Those of a head of a token; always of the same judge.
    pub(in crate::check) fn of(&mut self, judge: &Judge, (row, token, head): (usize, usize, usize)) -> &[PairBound] {
        let like = Some((row, token, judge.plan_row(head), judge.types(head) == judge.types(0)));
        if self.made_for != like {
            self.bounds.clear();
            self.bounds.extend((0..judge.truth.pairs).map(|pair| judge.bound(row, token, head, pair)));
            self.made_for = like;
        }
        &self.bounds
    }
}

impl Judge<'_> {
    /// Calls `visit` for every pair of every head of every token, with its bound; stops at the first failure.
    pub(in crate::check) fn every_pair<E>(
        &self,
        mut visit: impl FnMut(PairPlace, &PairBound) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut bounds = TokenBounds::default();
        for row in 0..self.case.batch() {
            for token in 0..self.tokens() {
                for head in 0..self.heads() {
                    for (pair, bound) in bounds.of(self, (row, token, head)).iter().enumerate() {
                        visit(PairPlace { row, token, head, pair }, bound)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The two inputs of a pair.
    pub(in crate::check) fn inputs_of(&self, outputs: &Outputs, at: PairPlace) -> (f64, f64) {
        let (a, b) = self.channels(at.pair);
        let row = self.input_row(outputs, at.row, at.token, at.head);
        (row[a], row[b])
    }

    /// The two outputs of a pair under its bound.
    pub(in crate::check) fn sides(&self, outputs: &Outputs, at: PairPlace, bound: &PairBound) -> [OutputSide; 2] {
        let inputs = self.inputs_of(outputs, at);
        let (y, z) = bound.turn.apply(inputs.0, inputs.1);
        let (first, second) = self.output_pair(outputs, at.row, at.token, at.head, at.pair);
        let channels = self.channels(at.pair);
        let types = self.types(at.head);
        let side = |second, channel, expected, partner, observed| {
            let allowance = bound.allowance(types, second, inputs, expected, partner);
            let judgement = bound.judge_within(types, second, inputs, observed, |_, _| allowance.total());
            OutputSide { channel, expected, observed, allowance, judgement }
        };
        [side(false, channels.0, y, z, first), side(true, channels.1, z, y, second)]
    }

    /// The two outputs of a pair, each with how far it may be off; `None` where the contract claims nothing.
    pub(in crate::check) fn with_allowances(
        &self,
        outputs: &Outputs,
        at: PairPlace,
        bound: &PairBound,
    ) -> Option<[(f64, f64); 2]> {
        (!bound.beyond_limit)
            .then(|| self.sides(outputs, at, bound).map(|side| (side.observed, side.allowance.total())))
    }

    /// Where an output of a pair is.
    pub(in crate::check) fn place_of(&self, at: PairPlace, channel: usize) -> Place {
        self.place(Element { row: at.row, token: at.token, head: at.head, channel })
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

/// `most`, or the largest number up to which the position type holds every integer, and at most 2^31.
pub(in crate::check) fn exact_up_to(dtype: DType, most: i64) -> i64 {
    most.min(match dtype {
        DType::F32 => 1 << 24,
        DType::I32 => i64::from(i32::MAX),
        _ => 1 << 31,
    })
}
