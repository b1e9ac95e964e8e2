//! An angle as a kernel has it.

use crate::numeric::Dd;

/// An angle as a kernel has it, in radians. It may stand for many equal turns, one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KernelAngle {
    /// The angle, or that of one turn.
    pub radians: Dd,
    /// How many turns of it are made, where sine and cosine are found from those of one; else 1.
    pub times: u64,
    /// Whether it was counted in turns or half turns: then quarter turns are exact.
    pub of_turns: bool,
}

impl From<Dd> for KernelAngle {
    fn from(radians: Dd) -> Self {
        Self { radians, times: 1, of_turns: false }
    }
}

/// 2 pi; the nearest f64 and the rest.
const TAU: Dd = Dd { hi: std::f64::consts::TAU, lo: 2.449_293_598_294_706_4e-16 };
/// 1 / pi.
const INVERSE_PI: Dd = Dd { hi: std::f64::consts::FRAC_1_PI, lo: -1.967_867_667_518_248_6e-17 };

/// An angle in units of which `per_turn` are a turn, as a KernelAngle. Whole turns are taken off, which is exact.
pub(super) fn from_turns(units: f64, per_turn: f64) -> KernelAngle {
    let part = units - per_turn * (units / per_turn).round();
    KernelAngle { radians: TAU.times_f64(part / per_turn), times: 1, of_turns: true }
}

/// 1 / 2 pi, or 1 / pi where two units are a turn.
pub(super) fn units_of_a_radian(per_turn: f64) -> Dd {
    INVERSE_PI.times_f64(0.5 * per_turn)
}

/// What is left of an angle in radians when whole turns are taken off; with a rounded 2 pi if `rounded`.
pub(super) fn reduced(angle: f64, rounded: bool) -> f64 {
    let turns = (angle / TAU.hi).round();
    let tau = if rounded { Dd::from_f64(TAU.hi) } else { TAU };
    Dd::from_f64(angle).plus(tau.times_f64(-turns)).to_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_taken_off_exactly() {
        for (units, per_turn, radians) in [
            (0.25, 1.0, std::f64::consts::FRAC_PI_2),
            (-7.75, 1.0, std::f64::consts::FRAC_PI_2),
            (8.5, 2.0, std::f64::consts::FRAC_PI_2),
            (1e9, 1.0, 0.0),
        ] {
            assert_eq!(from_turns(units, per_turn).radians.hi, radians, "{units}");
        }
        // 710 is 113 turns and 6e-5; with 2 pi rounded that differs by 113 * 2.4e-16.
        let (exact, rounded) = (reduced(710.0, false), reduced(710.0, true));
        assert!((exact - 6.028_870_672_8e-5).abs() < 1e-14, "{exact:e}");
        assert!((rounded - exact - 113.0 * TAU.lo).abs() < 1e-19, "{:e}", rounded - exact);
        assert!((units_of_a_radian(1.0).times(TAU).hi - 1.0).abs() < 1e-16);
    }
}
