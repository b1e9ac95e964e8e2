//! Judging many elements: one row is the rotated pairs of one head of one token.
//!
//! Nearly all elements are settled by a lower estimate of their bound that costs a few multiplications and can be computed
//! for several elements at once; what it cannot settle is judged in full, so that the result is the same.

use std::ops::Range;

use crate::numeric::Dd;

use super::allowance::Allowance;
use super::arithmetic::Contract;
use super::arithmetic::Fma;
use super::bound::Judgement;
use super::forms::FormBound;
use super::pair_bound::PairBound;
use super::types::Types;
use crate::rotation::reference::position_of;

/// Elements per step of the loop that settles.
const STEP: usize = 8;

/// The bounds of all pairs of one token, shared by its heads.
#[derive(Debug, Clone)]
pub struct RowBound {
    types: Types,
    pairs: Vec<PairBound>,
    /// The same, what settles alone.
    blocks: Vec<Block>,
}

/// Of STEP pairs what settles nearly all elements; 0 for pairs that are not there.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    cos: [f64; STEP],
    sin: [f64; STEP],
    shift: [f64; STEP],
    /// Part of the lower estimate per |value|.
    per_value: [f64; STEP],
    /// Part of the lower estimate per |input| of cos and of sin.
    per_cos: [f64; STEP],
    per_sin: [f64; STEP],
}

/// What a head of a token took and wrote: as many elements as there are pairs.
#[derive(Debug, Clone, Copy)]
pub struct PairRow<'a> {
    /// First channel of each pair.
    pub a: &'a [f64],
    /// Second channel of each pair.
    pub b: &'a [f64],
    /// What the backend wrote for the first.
    pub first: &'a [f64],
    /// What the backend wrote for the second.
    pub second: &'a [f64],
}

/// The tally of a judgement.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowTally {
    /// Largest error / bound of what passed.
    pub ratio: f64,
    /// Where: the row's `label`, the pair, and whether it was the second output.
    pub place: Option<(u64, usize, bool)>,
    /// Elements judged.
    pub judged: u64,
    /// Elements whose range was not judged.
    pub range_not_judged: u64,
    /// Elements of pairs with an input that is not finite.
    pub input_not_finite: u64,
    /// Elements whose angle is beyond what the contract claims anything for.
    pub beyond_angle_limit: u64,
    /// Elements whose angle the contract bounds by nothing.
    pub contract_too_wide: u64,
}

impl RowTally {
    /// Adds what another part of the same judgement found.
    pub fn merge(&mut self, other: &Self) {
        if other.ratio > self.ratio {
            (self.ratio, self.place) = (other.ratio, other.place);
        }
        self.judged += other.judged;
        self.range_not_judged += other.range_not_judged;
        self.input_not_finite += other.input_not_finite;
        self.beyond_angle_limit += other.beyond_angle_limit;
        self.contract_too_wide += other.contract_too_wide;
    }
}

/// The first element of a row that is not what an honest kernel writes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Miss {
    /// Pair.
    pub pair: usize,
    /// Second output of the pair.
    pub second: bool,
    /// What the reference says.
    pub expected: f64,
    /// What the backend wrote.
    pub observed: f64,
    /// By how much it may differ.
    pub allowance: Allowance,
}

impl RowBound {
    /// Without pairs yet.
    #[must_use]
    pub fn new(types: Types) -> Self {
        Self { types, pairs: Vec::new(), blocks: Vec::new() }
    }

    /// The types that it judges with.
    #[must_use]
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// The bounds pair by pair.
    #[must_use]
    pub fn pairs(&self) -> &[PairBound] {
        &self.pairs
    }

    /// Forgets the pairs and keeps the memory.
    pub fn clear(&mut self) {
        self.pairs.clear();
        self.blocks.clear();
    }

    /// Adds the next pair.
    pub fn push(&mut self, pair: PairBound) {
        let at = self.pairs.len();
        if at.is_multiple_of(STEP) {
            self.blocks.push(Block::default());
        }
        self.estimate(at, &pair);
        self.pairs.push(pair);
    }

    /// Puts another bound in the place of a pair's.
    pub fn set(&mut self, at: usize, pair: PairBound) {
        self.estimate(at, &pair);
        if let Some(kept) = self.pairs.get_mut(at) {
            *kept = pair;
        }
    }

    /// The lower estimate of a pair's bound, in its block.
    fn estimate(&mut self, at: usize, pair: &PairBound) {
        // A rounding errs by more than |v| 2^-(p+1) at most: the lower estimate of all but the last one.
        let operation = self.types.arithmetic.map_or(0.0, |dtype| 0.5 * dtype.half_ulp_parts().0);
        // With one of two products unrounded, the larger rounding is at least the mean of both.
        let product = if self.types.fma == Fma::Always { 0.5 * operation } else { operation };
        // Nothing compares with a NaN: where nothing is claimed, nothing is settled.
        let claimed = !(pair.beyond_limit || pair.too_wide) && pair.most.iter().all(|most| most.is_finite());
        // Of the other ways to rotate little more than the last rounding is counted: such pairs are judged in
        // full.
        let per_input = |i: usize| match pair.form {
            FormBound::FourProducts => pair.trig[i] + pair.table[i] + pair.most[i] * product,
            FormBound::ThreeProducts(_) => pair.trig[i] + pair.table[i],
            FormBound::Shears(_) => 0.0,
        };
        let (block, at) = (self.blocks.get_mut(at / STEP), at % STEP);
        if let Some(block) = block {
            block.cos[at] = if claimed { pair.turn.cos } else { f64::NAN };
            block.sin[at] = pair.turn.sin;
            block.shift[at] = pair.shift;
            block.per_value[at] = pair.versine + if self.types.stores() { operation } else { 0.0 };
            block.per_cos[at] = per_input(0);
            block.per_sin[at] = per_input(1);
        }
    }

    /// The bounds of one token. `steps` holds [`Contract::steps`](super::Contract::steps) of each pair; infinite where the
    /// contract says nothing of it.
    #[allow(clippy::too_many_arguments)]
    pub fn fill(
        &mut self,
        contract: &Contract,
        steps: &[f64],
        inv_freq: &[f64],
        axis_of_pair: &[u8],
        positions: &[Dd],
        scaling: f64,
        forward: bool,
    ) {
        self.clear();
        for ((steps, inv_freq), axis) in steps.iter().zip(inv_freq).zip(axis_of_pair) {
            let position = position_of(positions, *axis);
            self.push(PairBound::new(contract, &self.types, *steps, *inv_freq, position, scaling, forward));
        }
    }

    /// Judges a row, which has as many elements as this has pairs (what is beyond either is not looked at).
    ///
    /// # Errors
    /// The first element that fails; `tally` then holds what was judged before it.
    pub fn judge(&self, row: PairRow<'_>, label: u64, tally: &mut RowTally) -> Result<(), Box<Miss>> {
        let lengths = [self.pairs.len(), row.a.len(), row.b.len(), row.first.len(), row.second.len()];
        let count = lengths.into_iter().min().unwrap_or(0);
        let (scale, least) = self.types.last().half_ulp_parts();
        for (block, start) in self.blocks.iter().zip((0..count).step_by(STEP)) {
            let end = (start + STEP).min(count);
            let settled = block.settles(row, start..end, tally.ratio.min(1.0), scale, least);
            if settled == u8::MAX {
                tally.judged += 2 * (end - start) as u64;
                continue;
            }
            for (at, pair) in (start..end).enumerate() {
                if settled >> at & 1 == 1 {
                    tally.judged += 2;
                } else {
                    self.judge_pair(row, pair, label, tally)?;
                }
            }
        }
        Ok(())
    }

    fn judge_pair(&self, row: PairRow<'_>, pair: usize, label: u64, tally: &mut RowTally) -> Result<(), Box<Miss>> {
        let bound = &self.pairs[pair];
        let inputs = (row.a[pair], row.b[pair]);
        for (second, observed) in [(false, row.first[pair]), (true, row.second[pair])] {
            match bound.judge(&self.types, second, inputs, observed) {
                Judgement::Pass { ratio } => {
                    tally.judged += 1;
                    if ratio > tally.ratio {
                        (tally.ratio, tally.place) = (ratio, Some((label, pair, second)));
                    }
                }
                Judgement::RangeNotJudged => tally.range_not_judged += 1,
                Judgement::InputNotFinite => tally.input_not_finite += 1,
                Judgement::BeyondAngleLimit => tally.beyond_angle_limit += 1,
                Judgement::ContractTooWide => tally.contract_too_wide += 1,
                Judgement::Fail => {
                    let (y, z) = bound.turn.apply(inputs.0, inputs.1);
                    let (expected, partner) = if second { (z, y) } else { (y, z) };
                    let allowance = bound.allowance(&self.types, second, inputs, expected, partner);
                    return Err(Box::new(Miss { pair, second, expected, observed, allowance }));
                }
            }
        }
        Ok(())
    }
}

impl Block {
    /// Which of up to STEP pairs of a row have errors below `ratio` times a lower estimate of their bounds, the first in the
    /// lowest bit. No bit with a NaN.
    #[inline]
    fn settles(&self, row: PairRow<'_>, pairs: Range<usize>, ratio: f64, scale: f64, least: f64) -> u8 {
        let columns = [row.a, row.b, row.first, row.second];
        let whole = |at: usize| columns[at].get(pairs.clone())?.first_chunk::<STEP>();
        if let (Some(a), Some(b), Some(first), Some(second)) = (whole(0), whole(1), whole(2), whole(3)) {
            return self.settles_whole([a, b, first, second], ratio, scale, least);
        }
        // What is not there is 0 everywhere.
        let mut padded = [[0.0; STEP]; 4];
        for (to, from) in padded.iter_mut().zip(columns) {
            to.iter_mut().zip(from.get(pairs.clone()).unwrap_or_default()).for_each(|(to, from)| *to = *from);
        }
        let [a, b, first, second] = &padded;
        self.settles_whole([a, b, first, second], ratio, scale, least)
    }

    #[inline]
    fn settles_whole(&self, [a, b, first, second]: [&[f64; STEP]; 4], ratio: f64, scale: f64, least: f64) -> u8 {
        let Block { cos, sin, shift, per_value, per_cos, per_sin } = self;
        let rounding = |v: f64| {
            let half_ulp = f64::from_bits(v.to_bits() & (0x7ff << 52)) * scale;
            // Not f64::max, which is slower for the sake of NaN.
            if half_ulp > least { half_ulp } else { least }
        };
        let one = |i: usize| {
            let y = a[i] * cos[i] - b[i] * sin[i];
            let z = b[i] * cos[i] + a[i] * sin[i];
            let (size_a, size_b, size_y, size_z) = (a[i].abs(), b[i].abs(), y.abs(), z.abs());
            let bound_y =
                rounding(y) + per_value[i] * size_y + shift[i] * size_z + (size_a * per_cos[i] + size_b * per_sin[i]);
            let bound_z =
                rounding(z) + per_value[i] * size_z + shift[i] * size_y + (size_b * per_cos[i] + size_a * per_sin[i]);
            // Strict, so that an infinite estimate settles nothing that is infinite.
            ((first[i] - y).abs() < ratio * bound_y) & ((second[i] - z).abs() < ratio * bound_z)
        };
        // Mostly all of them, which several at once are asked.
        if (0..STEP).map(|i| u64::from(one(i))).sum::<u64>() == STEP as u64 {
            return u8::MAX;
        }
        (0..STEP).fold(0, |all, i| all | u8::from(one(i)) << i)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_the_first_of_the_largest() {
        let of = |ratio, label| RowTally { ratio, place: Some((label, 0, false)), judged: 2, ..RowTally::default() };
        let mut all = of(0.5, 1);
        all.merge(&of(0.5, 2));
        all.merge(&of(0.25, 3));
        assert_eq!(all, RowTally { judged: 6, ..of(0.5, 1) });
        let more = |judged| RowTally {
            judged,
            range_not_judged: 3,
            input_not_finite: 4,
            beyond_angle_limit: 5,
            contract_too_wide: 6,
            ..of(0.75, 4)
        };
        all.merge(&more(2));
        assert_eq!(all, more(8));
    }
}
