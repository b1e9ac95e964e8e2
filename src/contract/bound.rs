//! How far an honest kernel may be from the reference, element by element, and whether an observed value is within that.
//! `docs/numerics.md` derives every term.

use super::pair_bound::PairBound;
use super::range::OverflowRange;
use super::types::Types;

/// What becomes of one element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judgement {
    /// Within the bound; error / bound.
    Pass {
        /// 0 to 1.
        ratio: f64,
    },
    /// Not what an honest kernel can write.
    Fail,
    /// Infinite or NaN where an honest kernel may overflow.
    RangeNotJudged,
    /// An input is infinite or NaN, and the output is one that this may come to.
    InputNotFinite,
    /// The contract claims nothing for an angle of this size.
    BeyondAngleLimit,
    /// The contract lets the angle be anything: more roundings than a bound can be made of.
    ContractTooWide,
}

impl PairBound {
    /// Judges one observed value. `Pass` means |observed - reference| <= allowance.
    #[must_use]
    pub fn judge(&self, types: &Types, second: bool, inputs: (f64, f64), observed: f64) -> Judgement {
        let allowed = |value, partner| self.allowance(types, second, inputs, value, partner).total();
        self.judge_within(types, second, inputs, observed, allowed)
    }

    /// [`judge`](Self::judge) with an allowance that is known: `allowed` gives it for the output's value and its partner's.
    #[must_use]
    pub fn judge_within(
        &self,
        types: &Types,
        second: bool,
        inputs: (f64, f64),
        observed: f64,
        allowed: impl FnOnce(f64, f64) -> f64,
    ) -> Judgement {
        let not_finite = !(inputs.0.is_finite() && inputs.1.is_finite());
        if self.beyond_limit {
            return if not_finite { Judgement::InputNotFinite } else { Judgement::BeyondAngleLimit };
        }
        if not_finite {
            let lost = self
                .reaching(second, inputs)
                .is_some_and(|input| if input.is_nan() { !observed.is_nan() } else { observed.is_finite() });
            return if lost { Judgement::Fail } else { Judgement::InputNotFinite };
        }
        if self.too_wide {
            return Judgement::ContractTooWide;
        }
        let (first, other) = self.turn.apply(inputs.0, inputs.1);
        let (value, partner) = if second { (other, first) } else { (first, other) };
        if !(value.is_finite() && partner.is_finite() && self.most[0].is_finite() && self.most[1].is_finite()) {
            return Judgement::RangeNotJudged;
        }
        let allowed = allowed(value, partner);
        if observed.is_finite() {
            let ratio = (observed - value).abs() / allowed;
            // Written so that a NaN is no pass.
            if ratio <= 1.0 {
                return Judgement::Pass { ratio };
            }
        }
        if OverflowRange::new(self, types, second, inputs, value, allowed).may_be(observed) {
            Judgement::RangeNotJudged
        } else {
            Judgement::Fail
        }
    }

    /// The input that is not finite and must be seen in an output: NaN makes it NaN, infinity anything but finite. The
    /// channel's own input always is, its partner's only where no sine of an honest kernel is 0, as a kernel may copy what
    /// it does not turn.
    #[must_use]
    pub fn reaching(&self, second: bool, inputs: (f64, f64)) -> Option<f64> {
        let (own, partner) = if second { (inputs.1, inputs.0) } else { inputs };
        let error = self.shift + self.trig[1] + self.table[1] + self.reference[1];
        let turns = self.turn.sin.abs() > error && !self.too_wide;
        let reaching = [Some(own), turns.then_some(partner)].into_iter().flatten().filter(|input| !input.is_finite());
        reaching.max_by_key(|input| input.is_nan())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::contracts;
    use crate::numeric::{DType, Dd};

    /// A kernel that copies a pair that it does not turn, and one that turns it, at position 0 and 1.
    #[test]
    fn a_pair_that_is_not_turned_may_be_copied() {
        let contract = contracts().expect("builtin").contract("fused", "table").expect("a class and a rule");
        let types = Types::new(&contract, DType::F16);
        let at = |position| PairBound::new(&contract, &types, 1.0, 1.0, Dd::from(position), 1.0, true);
        let (nan, infinity) = (f64::NAN, f64::INFINITY);
        let judged = |position: f64, second, inputs, observed| at(position).judge(&types, second, inputs, observed);
        for lost in [0.0, 1.0, infinity] {
            assert_eq!(judged(0.0, false, (nan, 1.0), lost), Judgement::Fail, "{lost}");
            assert_eq!(judged(1.0, true, (nan, 1.0), lost), Judgement::Fail, "{lost}");
            assert_eq!(judged(1.0, true, (nan, infinity), lost), Judgement::Fail, "{lost}");
            assert_eq!(judged(0.0, true, (nan, 1.0), lost), Judgement::InputNotFinite, "{lost}");
        }
        for kept in [nan, infinity, -infinity] {
            assert_eq!(judged(0.0, false, (infinity, 1.0), kept), Judgement::InputNotFinite, "{kept}");
            assert_eq!(judged(1.0, true, (infinity, 1.0), kept), Judgement::InputNotFinite, "{kept}");
        }
        assert_eq!(judged(1.0, true, (infinity, 1.0), 65504.0), Judgement::Fail);
        assert_eq!(judged(0.0, true, (infinity, 1.0), 1.0), Judgement::InputNotFinite);
    }
}
