//! Outputs held against the truth: where each element is, what it should be, how far it may be off.

use std::sync::Arc;

use super::explain::OPPOSITE;
use super::{Failure, Halt, Outputs, Subject, Verdict};
use crate::case::{Case, Prepared, Tensor, Truth, channels_of_pair, pairing_name};
use crate::numeric::Dd;
use crate::plan::NO_AXIS;
use crate::plan::bound::{Allowance, PairBound, Types};
use crate::plan::contract::{Contract, Frequency};
use crate::plan::judge::{Row, RowBound, Tally};
use crate::spec::model::Pairing;

/// What a passing case measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measure {
    /// Elements (or places, or pairs) judged.
    pub elements: u64,
    /// Largest error / bound.
    pub worst: f64,
    /// Where that was.
    pub place: String,
    /// Elements where an honest kernel may overflow.
    pub range_not_judged: u64,
    /// Elements whose angle is beyond the contract's limit.
    pub beyond_angle_limit: u64,
    /// Anything else worth saying.
    pub notes: Vec<String>,
}

impl Measure {
    /// Counts one element at this error / bound.
    pub fn add(&mut self, ratio: f64) {
        self.elements += 1;
        self.worst = self.worst.max(ratio);
    }
}

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

/// An element that is not what an honest kernel writes.
#[derive(Debug, Clone, PartialEq)]
pub struct ElementFailure {
    /// Which.
    pub element: Element,
    /// What the backend wrote.
    pub observed: f64,
    /// What the reference says.
    pub expected: f64,
    /// By how much it may differ.
    pub allowance: Allowance,
}

/// Judges the outputs of one case.
pub struct Judge<'a> {
    pub(super) case: &'a Case,
    pub(super) truth: &'a Truth,
    pub(super) axes: Vec<String>,
    pub(super) contract: Contract,
    pub(super) types: Types,
    /// Error of each frequency in units of 2^-24, per row of the plan.
    steps: Vec<Vec<f64>>,
}

/// Gives every pair one axis whose positions are `rows` (`[row][token]`): the truth of a 1-D scheme.
///
/// # Errors
/// If the case has no tensors, or the suite supplies cosines and sines.
pub fn on_one_axis(prepared: &mut Prepared, rows: &[Vec<Dd>]) -> Result<(), Halt> {
    let Some(truth) = prepared.truth.as_mut().filter(|t| t.given.is_none()) else {
        return Err(Halt::not_judged("the suite supplies cos and sin"));
    };
    let mut plan = (*truth.plan).clone();
    for axis in plan.axis_of_pair.iter_mut().filter(|a| **a != NO_AXIS) {
        *axis = 0;
    }
    truth.plan = Arc::new(plan);
    truth.positions = vec![rows.to_vec()];
    Ok(())
}

impl<'a> Judge<'a> {
    /// For a case of level rotate, fused or apply.
    ///
    /// # Errors
    /// If the case has no tensors, or its contract says nothing about the plan's frequencies.
    pub fn new(subject: &Subject<'_>, case: &'a Case, prepared: &'a Prepared) -> Result<Judge<'a>, Halt> {
        let Some(truth) = &prepared.truth else { return Err(Halt::broken("this level has no tensors")) };
        let contract = subject.contract(case)?;
        let types = Types::new(&contract, case.dtype);
        let plan = &truth.plan;
        let mut steps = Vec::new();
        for row in 0..plan.map_heads {
            let frequencies = plan.frequencies(row);
            let one = |(i, f): (usize, &f64)| {
                let index = u32::try_from(i).unwrap_or(u32::MAX);
                let frequency = match plan.base {
                    Some(base) if *f != 0.0 => Frequency::power(*f, base, index, plan.rotary_dim),
                    _ => Frequency::plain(*f),
                };
                contract.steps(&frequency)
            };
            match frequencies.iter().enumerate().map(one).collect::<Option<Vec<f64>>>() {
                Some(row) => steps.push(row),
                None if truth.given.is_some() => steps.push(vec![0.0; frequencies.len()]),
                None => {
                    return Err(Halt::not_judged(format!(
                        "the contract's frequencies ({}) come from a base, and this scheme's have none",
                        contract.frequencies.name
                    )));
                }
            }
        }
        let scheme = subject.scheme(case)?;
        Ok(Judge { case, truth, axes: scheme.axes.clone(), contract, types, steps })
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

    /// The two channels of a pair.
    #[must_use]
    pub fn channels(&self, pair: usize) -> (usize, usize) {
        channels_of_pair(self.case.pairing, self.truth.rotary_dim, self.truth.rotary_offset, pair)
    }

    pub(super) fn pair_of(&self, pairing: Pairing, channel: usize) -> Option<(usize, usize)> {
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

    /// The same under the pairing that was not asked for.
    #[must_use]
    pub fn partner_in_other_pairing(&self, channel: usize) -> Option<usize> {
        self.pair_of(self.other_pairing(), channel).map(|(_, partner)| partner)
    }

    fn other_pairing(&self) -> Pairing {
        match self.case.pairing {
            Pairing::Half => Pairing::Adjacent,
            Pairing::Adjacent => Pairing::Half,
        }
    }

    /// Its name.
    #[must_use]
    pub fn other_pairing_name(&self) -> &'static str {
        pairing_name(self.other_pairing())
    }

    /// The name of the pairing that was asked for.
    #[must_use]
    pub fn pairing_name(&self) -> &'static str {
        pairing_name(self.case.pairing)
    }

    fn plan_row(&self, head: usize) -> u32 {
        let plan = &self.truth.plan;
        if plan.map_heads <= 1 {
            return 0;
        }
        let head = u32::try_from(head).unwrap_or(0);
        if head < self.case.q_heads { plan.row_of_q_head(head) } else { plan.row_of_k_head(head - self.case.q_heads) }
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

    pub(super) fn position(&self, axis: u8, row: usize, token: usize) -> Dd {
        if axis == NO_AXIS { Dd::ZERO } else { self.truth.positions[usize::from(axis)][row][token] }
    }

    pub(super) fn bound_at(&self, head: usize, pair: usize, position: Dd) -> PairBound {
        let row = self.plan_row(head);
        let frequency = self.truth.plan.frequencies(row)[pair];
        let steps = self.steps[row as usize][pair];
        let (m, forward) = (self.truth.plan.attention_scaling, self.truth.direction > 0.0);
        PairBound::new(&self.contract, &self.types, steps, frequency, position, m, forward)
    }

    pub(super) fn bound(&self, row: usize, token: usize, head: usize, pair: usize) -> PairBound {
        if let Some(given) = &self.truth.given {
            let (cos, sin) = given[row][token][pair];
            return PairBound::of_table(&self.types, cos, self.truth.direction * sin);
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

    pub(super) fn input_row<'o>(&self, outputs: &'o Outputs, row: usize, token: usize, head: usize) -> &'o [f64] {
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

    /// The two outputs of a pair, each with its bound; `None` where the contract claims nothing.
    #[must_use]
    pub fn observed_with_bounds(
        &self,
        outputs: &Outputs,
        row: usize,
        token: usize,
        head: usize,
        pair: usize,
    ) -> Option<[(f64, f64); 2]> {
        let bound = self.bound(row, token, head, pair);
        if bound.beyond_limit {
            return None;
        }
        let (a, b) = self.channels(pair);
        let input = self.input_row(outputs, row, token, head);
        let (y, z) = bound.turn.apply(input[a], input[b]);
        let (first, second) = self.output_pair(outputs, row, token, head, pair);
        let inputs = (input[a], input[b]);
        Some([
            (first, bound.allowance(&self.types, false, inputs, y, z).total()),
            (second, bound.allowance(&self.types, true, inputs, z, y).total()),
        ])
    }

    /// Whether a failing pair's sine has the right size and the wrong sign.
    #[must_use]
    pub fn is_negated_sine(&self, channel: usize, failure: &Failure) -> bool {
        self.partner(channel).is_some() && failure.details.iter().any(|d| d.contains(OPPOSITE))
    }

    /// Judges everything.
    #[must_use]
    pub fn all(&self, outputs: &Outputs) -> Verdict {
        let mut measure = Measure::default();
        for row in 0..self.case.batch() {
            for token in 0..self.tokens() {
                let verdict = self.token(outputs, row, token, 0..self.heads(), &mut measure);
                if let Verdict::Fail(failure) = verdict {
                    return Verdict::Fail(failure);
                }
            }
        }
        Verdict::Pass(measure)
    }

    /// Judges one head of one token.
    pub fn row(&self, outputs: &Outputs, row: usize, token: usize, head: usize, measure: &mut Measure) -> Verdict {
        self.token(outputs, row, token, head..head + 1, measure)
    }

    /// Judges heads of one token: trigonometry once, unless the map differs per head.
    fn token(
        &self,
        outputs: &Outputs,
        row: usize,
        token: usize,
        heads: std::ops::Range<usize>,
        measure: &mut Measure,
    ) -> Verdict {
        let pairs = self.truth.pairs;
        let mut bounds = RowBound::new(self.types);
        let mut made_for = None;
        let mut gathered: [Vec<f64>; 4] = Default::default();
        for head in heads {
            let plan_row = self.plan_row(head);
            if made_for != Some(plan_row) {
                bounds.clear();
                (0..pairs).for_each(|pair| bounds.push(self.bound(row, token, head, pair)));
                made_for = Some(plan_row);
            }
            let input = self.input_row(outputs, row, token, head);
            let output = self.output_row(outputs, row, token, head);
            if let Some(channel) = self.changed_outside(input, output) {
                return Verdict::Fail(self.passed_through_changed((row, token, head, channel), input, output));
            }
            let offset = self.truth.rotary_offset;
            let columns = match self.case.pairing {
                Pairing::Half => {
                    let (a, b) = (offset..offset + pairs, offset + pairs..offset + 2 * pairs);
                    Row { a: &input[a.clone()], b: &input[b.clone()], first: &output[a], second: &output[b] }
                }
                Pairing::Adjacent => {
                    for (column, (source, shift)) in
                        gathered.iter_mut().zip([(input, 0), (input, 1), (output, 0), (output, 1)])
                    {
                        column.clear();
                        column.extend((0..pairs).map(|i| source[offset + 2 * i + shift]));
                    }
                    let [a, b, first, second] = &gathered;
                    Row { a, b, first, second }
                }
            };
            let mut tally = Tally { ratio: measure.worst, ..Tally::default() };
            if let Err(miss) = bounds.judge(columns, 0, &mut tally) {
                let (a, b) = self.channels(miss.pair);
                let failure = ElementFailure {
                    element: Element { row, token, head, channel: if miss.second { b } else { a } },
                    observed: miss.observed,
                    expected: miss.expected,
                    allowance: miss.allowance,
                };
                return Verdict::Fail(self.explain(&failure, miss.pair));
            }
            measure.elements += tally.judged;
            measure.range_not_judged += tally.range_not_judged;
            self.count_beyond(measure, tally.beyond_angle_limit);
            if tally.ratio > measure.worst {
                measure.worst = tally.ratio;
                if let Some((_, pair, second)) = tally.place {
                    let (a, b) = self.channels(pair);
                    measure.place = self.place(row, token, head, if second { b } else { a });
                }
            }
        }
        Verdict::Pass(Measure::default())
    }
}
