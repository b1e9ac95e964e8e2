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
    /// An input is infinite or NaN: this pair's outputs are free.
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
        if !(inputs.0.is_finite() && inputs.1.is_finite()) {
            return Judgement::InputNotFinite;
        }
        if self.beyond_limit {
            return Judgement::BeyondAngleLimit;
        }
        if self.too_wide {
            return Judgement::ContractTooWide;
        }
        let (first, other) = self.turn.apply(inputs.0, inputs.1);
        let (value, partner) = if second { (other, first) } else { (first, other) };
        if !(value.is_finite() && partner.is_finite() && self.most[0].is_finite() && self.most[1].is_finite()) {
            return Judgement::RangeNotJudged;
        }
        let allowed = self.allowance(types, second, inputs, value, partner).total();
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
}
