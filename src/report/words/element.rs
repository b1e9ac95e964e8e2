//! An element that is out of its bound, in words.

use super::number::number;
use crate::check::failure::{AngleAt, BoundSource, ElementError, Observed, ValueState};
use crate::contract::F32_ROUNDING;
use crate::numeric::DType;

/// Parts of a bound that are smaller than this share of it are left out.
const WORTH_SAYING: f64 = 1e-3;

/// Said where only the sign is wrong.
const OPPOSITE: &str = "the value has the right size and the opposite sign";

/// A summary, after the place, and lines of evidence.
pub(super) fn lines(error: &ElementError) -> Vec<String> {
    let ElementError { dtype, observed, .. } = error;
    let finite = observed.state == ValueState::Finite;
    let mut lines = vec![state(*dtype, observed)];
    lines.push(format!("found    {}", with_bits(observed)));
    let source = if error.bound == BoundSource::Contract { "exact " } else { "golden" };
    lines.push(format!("{source}   {:.17e}, as {dtype} {}", error.expected.0, with_bits(&error.rounded)));
    if finite {
        let digits = if error.ulps.0 < 100.0 { 3 } else { 0 };
        lines.push(format!("error    {:.3e} = {:.digits$} ulp of {dtype} there", error.error.0, error.ulps.0));
    }
    let over = if finite {
        format!(" (the error is {:.3} times that)", error.error.0 / error.allowed.0)
    } else {
        String::new()
    };
    let of = match &error.bound {
        BoundSource::Contract => {
            let worth = |size: f64| size > error.allowed.0 * WORTH_SAYING;
            let parts = error.budget.iter().filter(|part| worth(part.size.0));
            let parts: Vec<String> = parts.map(|part| format!("{} {:.2e}", part.term.name(), part.size.0)).collect();
            format!(" = {}{over}", parts.join(" + "))
        }
        BoundSource::Golden { contract } => format!("{over}: the stored bound of {contract}"),
        BoundSource::GoldenValues { contract } => {
            format!("{over}: the bound of {contract}, computed from the stored value")
        }
    };
    lines.push(format!("allowed  {}{of}", number(error.allowed.0, Some(3))));
    lines.extend(error.angle.as_ref().map(|angle| self::angle(error, angle)));
    if error.opposite_sign {
        lines.push(OPPOSITE.to_owned());
    }
    lines
}

fn angle(error: &ElementError, angle: &AngleAt) -> String {
    match angle {
        AngleAt::Given { cos, sin } => format!("angle    given: cos {}, sin {}", with_bits(cos), with_bits(sin)),
        AngleAt::Position { angle, position, frequency, allowed } => {
            let mut line =
                format!("angle    {:.6} rad = position {} x frequency {:.6e}", angle.0, position.0, frequency.0);
            let part = error.budget.iter().find(|part| part.term == crate::contract::AllowanceTerm::Angle);
            if part.is_some_and(|part| part.size.0 > error.allowed.0 * WORTH_SAYING) {
                let roundings = allowed.0 / (angle.0.abs() * F32_ROUNDING);
                line.push_str(&format!(
                    "; by contract it may be off by {:.2e} rad (K = {roundings:.1} roundings of f32)",
                    allowed.0
                ));
            }
            line
        }
    }
}

/// What kind of value was found where a number within a bound was expected.
pub(super) fn state(dtype: DType, observed: &Observed) -> String {
    match observed.state {
        ValueState::Poison => {
            "still holds the poison that was there before the call: never written, or computed from other poison".into()
        }
        ValueState::Nan => {
            "is NaN where a number is expected: something was written, and it was computed from NaN or infinity".into()
        }
        ValueState::Infinite => format!("is infinite, where no honest {dtype} kernel overflows"),
        ValueState::Finite => "is further from the exact value than the contract allows".into(),
    }
}

/// A value with its bits.
pub(super) fn with_bits(observed: &Observed) -> String {
    let value = number(observed.value.0, Some(9));
    match &observed.bits {
        Some(bits) => format!("{value} ({bits})"),
        None => value,
    }
}
