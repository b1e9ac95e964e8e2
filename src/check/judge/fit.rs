//! Whether outputs are those of a stated position, and where the contract claims nothing at all.

use super::elements::Judge;
use crate::check::failure::OtherTurn;
use crate::check::harness::Outputs;
use crate::check::measure::Measure;
use crate::contract::{Judgement, PairBound};
use crate::numeric::Dd;

/// Whether outputs are those of a stated angle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Within its bound.
    Yes,
    /// Beyond it.
    No,
    /// The contract claims nothing here: neither a confirmation nor a refutation.
    NothingClaimed,
}

impl Judge<'_> {
    fn fits_bound(&self, outputs: &Outputs, at: (usize, usize, usize, usize), bound: &PairBound) -> Fit {
        let (row, token, head, pair) = at;
        let (a, b) = self.channels(pair);
        let input = self.input_row(outputs, row, token, head);
        let output = self.output_row(outputs, row, token, head);
        let inputs = (input[a], input[b]);
        let judged = [(false, output[a]), (true, output[b])]
            .map(|(second, observed)| bound.judge(self.types(head), second, inputs, observed));
        if judged.contains(&Judgement::Fail) {
            Fit::No
        } else if judged.iter().all(|j| matches!(j, Judgement::Pass { .. })) {
            Fit::Yes
        } else {
            Fit::NothingClaimed
        }
    }

    /// Whether a pair's output is that of this position.
    #[must_use]
    pub fn fits(&self, outputs: &Outputs, row: usize, token: usize, head: usize, pair: usize, position: Dd) -> Fit {
        self.fits_at(outputs, (row, token, head, pair), &self.bound_at(head, pair, position))
    }

    /// As [`Self::fits`], with the bound at the position; `at`: row, token, head and pair.
    pub(in crate::check) fn fits_at(
        &self,
        outputs: &Outputs,
        at: (usize, usize, usize, usize),
        bound: &PairBound,
    ) -> Fit {
        let (row, token, head, pair) = at;
        if self.claims(row, token, head, pair) { self.fits_bound(outputs, at, bound) } else { Fit::NothingClaimed }
    }

    /// Whether a pair's outputs on all tokens are those of one axis (the plan's, if `None`). One token can refute it. Tokens
    /// for which nothing is claimed say nothing, and where there are such, position 0 alone, where no frequency shows, is
    /// no confirmation.
    #[must_use]
    pub fn fits_everywhere(
        &self,
        outputs: &Outputs,
        head: usize,
        pair: usize,
        axis: Option<u8>,
        row: Option<usize>,
    ) -> Fit {
        let axis = axis.unwrap_or_else(|| self.axis(head, pair));
        let row = row.unwrap_or(0);
        let (mut turned, mut silent) = (false, false);
        for token in 0..self.tokens() {
            let position = self.position(axis, row, token);
            match self.fits(outputs, row, token, head, pair, position) {
                Fit::No => return Fit::No,
                Fit::Yes => turned |= position.hi != 0.0,
                Fit::NothingClaimed => silent = true,
            }
        }
        if turned || !silent { Fit::Yes } else { Fit::NothingClaimed }
    }

    /// Whether a pair's outputs on all tokens of the first row are those of another turn than the scheme's.
    #[must_use]
    pub fn fits_turn(&self, outputs: &Outputs, head: usize, pair: usize, turn: &OtherTurn<u8>) -> Fit {
        let Some(other) = pair.checked_add_signed(turn.further).filter(|other| *other < self.truth.pairs) else {
            return Fit::No;
        };
        let sign = if turn.backwards { -1.0 } else { 1.0 };
        let mut turned = false;
        for token in (0..self.tokens()).filter(|token| self.claims(0, *token, head, pair)) {
            let there = self.position(turn.axis, 0, token).plus(Dd::from_f64(turn.shift as f64)).times_f64(sign);
            let bound = self.bound_at(head, other, there);
            let (a, b) = self.channels(pair);
            let input = self.input_row(outputs, 0, token, head);
            let output = self.output_row(outputs, 0, token, head);
            let inputs = (input[a], input[b]);
            let judged = [(false, output[a]), (true, output[b])]
                .map(|(second, found)| bound.judge(self.types(head), second, inputs, found / turn.length.0));
            if judged.contains(&Judgement::Fail) {
                return Fit::No;
            }
            turned |= there.hi != 0.0 && judged.iter().all(|j| matches!(j, Judgement::Pass { .. }));
        }
        if turned { Fit::Yes } else { Fit::NothingClaimed }
    }

    /// Whether a pair's outputs on all tokens of the first row are those of a power of this base, at its own
    /// index.
    #[must_use]
    pub fn fits_base(&self, outputs: &Outputs, head: usize, pair: usize, base: f64) -> Fit {
        let frequency = libm::pow(base, -(pair as f64) / self.truth.pairs as f64);
        let mut turned = false;
        for token in (0..self.tokens()).filter(|token| self.claims(0, *token, head, pair)) {
            let position = self.position(self.axis(head, pair), 0, token);
            match self.fits_bound(outputs, (0, token, head, pair), &self.bound_of(head, pair, frequency, position)) {
                Fit::No => return Fit::No,
                Fit::Yes => turned |= position.hi != 0.0,
                Fit::NothingClaimed => {}
            }
        }
        if turned { Fit::Yes } else { Fit::NothingClaimed }
    }

    /// Whether a pair of this length turns at this frequency on all tokens of the first row, where both were read off the
    /// outputs themselves. With E the largest error that an output may have, each is within E of one truth, the length is off by
    /// at most sqrt(2) E, and so is the angle at the last token, from which the frequency comes, and at any before it.
    #[must_use]
    pub fn turns_at(&self, outputs: &Outputs, head: usize, pair: usize, frequency: f64, length: f64) -> bool {
        const TIMES: f64 = 4.0;
        let factor = length / self.truth.plan.attention_scaling;
        let (a, b) = self.channels(pair);
        let (mut furthest, mut allowed) = (0.0f64, 0.0f64);
        for token in (0..self.tokens()).filter(|token| self.claims(0, *token, head, pair)) {
            let position = self.position(self.axis(head, pair), 0, token);
            let bound = self.bound_of(head, pair, frequency, position);
            let input = self.input_row(outputs, 0, token, head);
            let output = self.output_row(outputs, 0, token, head);
            let inputs = (input[a], input[b]);
            let (y, z) = bound.turn.apply(inputs.0, inputs.1);
            for (second, value, partner, found) in [(false, y, z, output[a]), (true, z, y, output[b])] {
                let error = (found / factor - value).abs();
                furthest = if error.is_nan() { f64::INFINITY } else { furthest.max(error) };
                allowed = allowed.max(bound.allowance(self.types(head), second, inputs, value, partner).total());
            }
        }
        furthest <= TIMES * allowed
    }

    /// Tokens of the first row for which nothing is claimed of a pair.
    pub(in crate::check) fn unclaimed(&self, head: usize, pair: usize) -> u64 {
        (0..self.tokens()).filter(|token| !self.claims(0, *token, head, pair)).count() as u64
    }

    /// Whether the contract claims anything for a pair's angle here.
    #[must_use]
    pub fn claims(&self, row: usize, token: usize, head: usize, pair: usize) -> bool {
        self.contract.class.angle_limit.is_none() || !self.bound(row, token, head, pair).beyond_limit
    }

    /// What is said of elements beyond the contract's angle limit.
    pub(in crate::check) fn limit_note(&self) -> String {
        let limit = self.contract.class.angle_limit.unwrap_or(f64::INFINITY);
        format!("angles beyond {limit} rad not judged (class {})", self.contract.class.name)
    }

    /// Counts elements beyond the contract's angle limit.
    pub(in crate::check) fn count_beyond(&self, measure: &mut Measure, elements: u64) {
        if elements == 0 {
            return;
        }
        measure.beyond_angle_limit += elements;
        measure.note(self.limit_note());
    }
}
