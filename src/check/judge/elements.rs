//! Outputs held against the truth: where each element is, what it should be, how far it may be off.

use std::sync::Arc;

use super::graded_class::{GradedClass, candidates};
use crate::case::{CallDimensions, Case, Prepared, Tensor, Truth, channels_of_pair};
use crate::check::failure::Stop;
use crate::check::harness::{Harness, Outputs};
use crate::check::measure::Measure;
use crate::contract::{Contract, Frequency, Judgement, PairBound, Types};
use crate::numeric::Dd;
use crate::rotation::{NO_AXIS, RotationPlan};
use crate::spec::model::Pairing;

/// One element of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// Batch row.
    pub row: usize,
    /// Token of the call.
    pub token: usize,
    /// Head; key heads come after query heads.
    pub head: usize,
    /// Channel.
    pub channel: usize,
}

/// What is known of an output element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// What the reference says.
    pub expected: f64,
    /// What becomes of the observed value.
    pub judgement: Judgement,
}

/// Judges the outputs of one case.
pub struct Judge<'a> {
    pub(in crate::check) case: &'a Case,
    pub(in crate::check) truth: &'a Truth,
    pub(in crate::check) axes: Vec<String>,
    prepared: &'a Prepared,
    /// Whether what calls had is recorded.
    records: bool,
    /// Largest error / bound that is known already.
    pub(super) worst: f64,
    pub(in crate::check) contract: Contract,
    /// Types of queries and of keys.
    sides: [Types; 2],
    /// Error of each frequency in units of 2^-24, per row of the plan.
    steps: Vec<Vec<f64>>,
    /// Classes that are graded.
    pub(super) candidates: Vec<GradedClass>,
}

/// Gives every pair one axis whose positions are `rows` (`[row][token]`): the truth of a 1-D scheme.
///
/// # Errors
/// If the case has no tensors, or the suite supplies cosines and sines.
pub fn on_one_axis(prepared: &mut Prepared, rows: &[Vec<Dd>]) -> Result<(), Stop> {
    let Some(truth) = prepared.truth.as_mut().filter(|t| t.given.is_none()) else {
        return Err(Stop::not_judged("the suite supplies cos and sin"));
    };
    let mut plan = (*truth.plan).clone();
    for axis in plan.axis_of_pair.iter_mut().filter(|a| **a != NO_AXIS) {
        *axis = 0;
    }
    truth.plan = Arc::new(plan);
    truth.positions = vec![rows.to_vec()];
    Ok(())
}

/// A frequency of a plan, as far as its error depends on it.
fn frequency_of(plan: &RotationPlan, row: u32, pair: usize) -> Frequency {
    let f = plan.frequencies(row)[pair];
    let pair = u32::try_from(pair).unwrap_or(u32::MAX);
    match plan.base {
        Some(base) if f != 0.0 => Frequency::power(f, base, pair, plan.rotary_dim),
        _ => Frequency { index: pair, ..Frequency::plain(f) },
    }
}

impl<'a> Judge<'a> {
    /// For a case of level rotate, fused or apply.
    ///
    /// # Errors
    /// If the case has no tensors, or its contract says nothing about the plan's frequencies.
    pub fn new(harness: &Harness<'_>, case: &'a Case, prepared: &'a Prepared) -> Result<Judge<'a>, Stop> {
        let Some(truth) = &prepared.truth else { return Err(Stop::broken("this level has no tensors")) };
        let contract = harness.contract(case)?;
        let sides = [case.dtype, case.k_type()].map(|own| Types::between(&contract, own, case.output_type(own)));
        let plan = &truth.plan;
        let mut steps = Vec::new();
        for row in 0..plan.map_heads {
            let count = plan.frequencies(row).len();
            let one = |i: usize| contract.steps(&frequency_of(plan, row, i));
            match (0..count).map(one).collect::<Option<Vec<f64>>>() {
                Some(row) => steps.push(row),
                None if truth.given.is_some() => steps.push(vec![0.0; count]),
                None => {
                    return Err(Stop::not_judged(format!(
                        "the contract's frequencies ({}) come from a base, and this scheme's have none",
                        contract.frequencies.name
                    )));
                }
            }
        }
        // Only the check that looks everywhere gives grades.
        let candidates = if case.check == "accuracy" { candidates(harness, &contract, &sides[0]) } else { Vec::new() };
        let scheme = harness.scheme(case)?;
        let (records, worst, axes) = (harness.records, harness.worst, scheme.axes.clone());
        Ok(Judge { case, prepared, records, worst, truth, axes, contract, sides, steps, candidates })
    }

    /// Records what the call had, of which all was judged that its contract does not leave open.
    pub(in crate::check) fn record(&self, measure: &mut Measure) {
        if self.records && measure.elements > 0 {
            measure.calls.push(CallDimensions::of(self.prepared));
        }
    }

    pub(in crate::check) fn frequency_of(&self, head: usize, pair: usize) -> Frequency {
        frequency_of(&self.truth.plan, self.plan_row(head), pair)
    }

    /// What the case is judged by.
    #[must_use]
    pub fn truth(&self) -> &Truth {
        self.truth
    }

    /// Query and key heads together.
    #[must_use]
    pub fn heads(&self) -> usize {
        (self.case.q_heads + self.case.k_heads) as usize
    }

    /// Channels of a head.
    #[must_use]
    pub fn head_dim(&self) -> u32 {
        self.case.head_dim
    }

    /// Query heads.
    #[must_use]
    pub fn q_heads(&self) -> usize {
        self.case.q_heads as usize
    }

    /// Tokens per row.
    #[must_use]
    pub fn tokens(&self) -> usize {
        usize::try_from(self.case.tokens()).unwrap_or(usize::MAX)
    }

    /// The types that a head is rotated in.
    #[must_use]
    pub fn types(&self, head: usize) -> &Types {
        &self.sides[usize::from(head >= self.q_heads())]
    }

    /// Whether an output is the input of a channel that is not rotated, in the type of the output.
    pub(in crate::check) fn keeps(&self, head: usize, input: f64, output: f64) -> bool {
        input == output || input.is_nan() && output.is_nan() || self.types(head).keeps(input, output)
    }

    /// The two channels of a pair.
    #[must_use]
    pub fn channels(&self, pair: usize) -> (usize, usize) {
        channels_of_pair(self.case.pairing, self.truth.rotary_dim, self.truth.rotary_offset, pair)
    }

    pub(in crate::check) fn pair_of(&self, pairing: Pairing, channel: usize) -> Option<(usize, usize)> {
        (0..self.truth.pairs).find_map(|i| {
            let (a, b) = channels_of_pair(pairing, self.truth.rotary_dim, self.truth.rotary_offset, i);
            if a == channel {
                Some((i, b))
            } else if b == channel {
                Some((i, a))
            } else {
                None
            }
        })
    }

    /// The pair that a channel belongs to; `None` outside the rotary width.
    #[must_use]
    pub fn pair_of_channel(&self, channel: usize) -> Option<usize> {
        self.pair_of(self.case.pairing, channel).map(|(pair, _)| pair)
    }

    /// The channel that is turned together with this one; `None` outside the rotary width.
    #[must_use]
    pub fn partner(&self, channel: usize) -> Option<usize> {
        self.pair_of(self.case.pairing, channel).map(|(_, partner)| partner)
    }

    /// The channel that would be turned together with this one under the pairing that was not asked for.
    #[must_use]
    pub fn partner_in_other_pairing(&self, channel: usize) -> Option<usize> {
        self.pair_of(self.other_pairing(), channel).map(|(_, partner)| partner)
    }

    /// The pairing that was not asked for.
    #[must_use]
    pub fn other_pairing(&self) -> Pairing {
        match self.case.pairing {
            Pairing::Half => Pairing::Adjacent,
            Pairing::Adjacent => Pairing::Half,
        }
    }

    pub(in crate::check) fn plan_row(&self, head: usize) -> u32 {
        self.truth.map_row(head)
    }

    /// The axis that turns a pair, [`NO_AXIS`] for none.
    #[must_use]
    pub fn axis(&self, head: usize, pair: usize) -> u8 {
        self.truth.plan.axes(self.plan_row(head))[pair]
    }

    /// Radians per position of a pair.
    #[must_use]
    pub fn frequency(&self, head: usize, pair: usize) -> f64 {
        self.truth.plan.frequencies(self.plan_row(head))[pair]
    }

    pub(in crate::check) fn position(&self, axis: u8, row: usize, token: usize) -> Dd {
        if axis == NO_AXIS { Dd::ZERO } else { self.truth.positions[usize::from(axis)][row][token] }
    }

    pub(in crate::check) fn bound_at(&self, head: usize, pair: usize, position: Dd) -> PairBound {
        self.bound_of(head, pair, self.frequency(head, pair), position)
    }

    /// The bound of a pair that turns with a frequency, which is as good as that of the plan.
    pub(in crate::check) fn bound_of(&self, head: usize, pair: usize, frequency: f64, position: Dd) -> PairBound {
        let steps = self.steps[self.plan_row(head) as usize][pair];
        let (m, forward) = (self.truth.plan.attention_scaling, self.truth.direction > 0.0);
        PairBound::new(&self.contract, self.types(head), steps, frequency, position, m, forward)
    }

    /// How far the contract lets the kernel's angle be from the exact one, in radians; not capped.
    pub(in crate::check) fn angle_error(&self, head: usize, pair: usize, position: Dd) -> f64 {
        let row = self.plan_row(head);
        let (steps, frequency) = (self.steps[row as usize][pair], self.frequency(head, pair));
        self.contract.angle_error(steps, frequency, position)
    }

    pub(in crate::check) fn bound(&self, row: usize, token: usize, head: usize, pair: usize) -> PairBound {
        if let Some(given) = &self.truth.given {
            let (cos, sin) = given[row][token][pair];
            return PairBound::of_table(self.types(head), cos, self.truth.direction * sin);
        }
        self.bound_at(head, pair, self.position(self.axis(head, pair), row, token))
    }

    /// Whether a pair's angle is not 0 here, so that the output differs from the input.
    #[must_use]
    pub fn turns(&self, row: usize, token: usize, head: usize, pair: usize) -> bool {
        let bound = self.bound(row, token, head, pair);
        !bound.beyond_limit && bound.turn.sin.abs() > 1e-2
    }

    fn side<'o>(&self, head: usize, q: &'o Tensor, k: &'o Tensor) -> (&'o Tensor, usize) {
        let q_heads = self.q_heads();
        if head < q_heads { (q, head) } else { (k, head - q_heads) }
    }

    /// The channels of a head in the output.
    #[must_use]
    pub fn output_row<'o>(&self, outputs: &'o Outputs, row: usize, token: usize, head: usize) -> &'o [f64] {
        let (tensor, head) = self.side(head, &outputs.q_out, &outputs.k_out);
        tensor.row(row, token, head)
    }

    pub(in crate::check) fn input_row<'o>(
        &self,
        outputs: &'o Outputs,
        row: usize,
        token: usize,
        head: usize,
    ) -> &'o [f64] {
        let (tensor, head) = self.side(head, &outputs.q, &outputs.k);
        tensor.row(row, token, head)
    }

    /// The two output channels of a pair.
    #[must_use]
    pub fn output_pair(&self, outputs: &Outputs, row: usize, token: usize, head: usize, pair: usize) -> (f64, f64) {
        let (a, b) = self.channels(pair);
        let channels = self.output_row(outputs, row, token, head);
        (channels[a], channels[b])
    }

    /// What the reference says of an output element, how far it may be off, and what becomes of `observed` there. Outside
    /// the rotary width that is the input, and nothing may change.
    #[must_use]
    pub fn known(&self, outputs: &Outputs, at: Element, observed: f64) -> Known {
        let input = self.input_row(outputs, at.row, at.token, at.head);
        let Some((pair, _)) = self.pair_of(self.case.pairing, at.channel) else {
            let expected = input[at.channel];
            let same = self.keeps(at.head, expected, observed);
            let judgement = if same { Judgement::Pass { ratio: 0.0 } } else { Judgement::Fail };
            return Known { expected, judgement };
        };
        let (a, b) = self.channels(pair);
        let (bound, second) = (self.bound(at.row, at.token, at.head, pair), at.channel == b);
        let (y, z) = bound.turn.apply(input[a], input[b]);
        let judgement = bound.judge(self.types(at.head), second, (input[a], input[b]), observed);
        Known { expected: if second { z } else { y }, judgement }
    }
}
