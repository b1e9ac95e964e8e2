//! What a failing element looks like to people: where it is, what it should be, why the bound is what it is.

use super::Failure;
use super::judge::{Element, ElementFailure, Judge, OPPOSITE};
use crate::case::Level;
use crate::contract::F32_ROUNDING;
use crate::numeric::DType;
use crate::positions::Layout;

impl Judge<'_> {
    /// A channel outside the rotary width that did not come back as it was.
    pub(super) fn changed_outside(&self, input: &[f64], output: &[f64]) -> Option<usize> {
        let rotated = self.truth.rotary_offset..self.truth.rotary_offset + self.truth.rotary_dim;
        (0..input.len())
            .filter(|c| !rotated.contains(c))
            .find(|c| input[*c] != output[*c] && !(input[*c].is_nan() && output[*c].is_nan()))
    }

    pub(super) fn passed_through_changed(
        &self,
        at: (usize, usize, usize, usize),
        input: &[f64],
        output: &[f64],
    ) -> Box<Failure> {
        let (row, token, head, channel) = at;
        let place = self.place(row, token, head, channel);
        let (found, was) = (output[channel], input[channel]);
        let never = if is_poison(self.case.dtype, found) { " (the poison: never written)" } else { "" };
        Failure::new(format!("{place}: outside the rotary width, must stay {was:e}, came back as {found:e}{never}"))
    }

    /// Names a token of a batch row as the layout sees it.
    #[must_use]
    pub fn token_name(&self, row: usize, token: usize) -> String {
        if self.case.packed {
            return packed_token_name(&self.case.layouts, token as u64);
        }
        let start = self.case.window.map_or(0, |(start, _)| start);
        token_name(&self.case.layouts[row], start + token as u64, self.case.batch() > 1, row)
    }

    /// Names an element for people.
    #[must_use]
    pub fn place(&self, row: usize, token: usize, head: usize, channel: usize) -> String {
        let (side, number) = if head < self.q_heads() { ("q", head) } else { ("k", head - self.q_heads()) };
        let mut text = format!("{}, {side} head {number}, channel {channel}", self.token_name(row, token));
        if let Some((pair, _)) = self.pair_of(self.case.pairing, channel) {
            text.push_str(&format!(" (pair {pair}"));
            let axis = self.axis(head, pair);
            if self.case.level != Level::Apply && self.truth.given.is_none() {
                match self.axes.get(usize::from(axis)) {
                    Some(name) => text
                        .push_str(&format!(", axis {name} at position {}", self.position(axis, row, token).to_f64())),
                    None => text.push_str(", on no axis"),
                }
            }
            text.push(')');
        }
        text
    }

    pub(super) fn explain(&self, failure: &ElementFailure, pair: usize) -> Box<Failure> {
        let Element { row, token, head, channel } = failure.element;
        let (observed, expected) = (failure.observed, failure.expected);
        let place = self.place(row, token, head, channel);
        let dtype = self.case.dtype;
        let error = (observed - expected).abs();
        let total = failure.allowance.total();
        let mut lines = Failure::new(format!("{place}: {}", shown(dtype, observed)));
        lines.details.push(format!("found    {}", with_bits(dtype, observed)));
        let rounded = dtype.round(expected);
        lines.details.push(format!("exact    {expected:.17e}, as {} {}", dtype.name(), with_bits(dtype, rounded)));
        if observed.is_finite() {
            let ulps = error / (2.0 * dtype.half_ulp(expected));
            let digits = if ulps < 100.0 { 3 } else { 0 };
            lines.details.push(format!("error    {error:.3e} = {ulps:.digits$} ulp of {} there", dtype.name()));
        }
        let parts = failure.allowance.parts();
        let said = parts.iter().filter(|(_, part)| *part > total * 1e-3);
        let said: Vec<String> = said.map(|(name, part)| format!("{name} {part:.2e}")).collect();
        let over = if observed.is_finite() {
            format!(" (the error is {:.3} times that)", error / total)
        } else {
            String::new()
        };
        lines.details.push(format!("allowed  {total:.3e} = {}{over}", said.join(" + ")));
        lines.details.push(self.angle_line(failure.element, pair, failure.allowance.angle > total * 1e-3));
        if observed.is_finite() && expected != 0.0 && (observed + expected).abs() <= total {
            lines.details.push(OPPOSITE.to_owned());
        }
        lines
    }

    /// The angle of a pair, and how far the contract lets the kernel's be from it.
    fn angle_line(&self, element: Element, pair: usize, matters: bool) -> String {
        let Element { row, token, head, .. } = element;
        if let Some(given) = &self.truth.given {
            let (cos, sin) = given[row][token][pair];
            return format!(
                "angle    given: cos {}, sin {}",
                with_bits(self.case.dtype, cos),
                with_bits(self.case.dtype, sin)
            );
        }
        let (position, frequency) = (self.position(self.axis(head, pair), row, token), self.frequency(head, pair));
        let angle = position.to_f64() * frequency;
        let mut line = format!("angle    {angle:.6} rad = position {} x frequency {frequency:.6e}", position.to_f64());
        if matters {
            let g = self.angle_error(head, pair, position);
            let roundings = g / (angle.abs() * F32_ROUNDING);
            line.push_str(&format!("; by contract it may be off by {g:.2e} rad (K = {roundings:.1} roundings of f32)"));
        }
        line
    }
}

pub(super) fn shown(dtype: DType, observed: f64) -> String {
    if is_poison(dtype, observed) {
        return "still holds the poison that was there before the call: never written, or computed from other poison"
            .into();
    }
    if observed.is_nan() {
        return "is NaN where a number is expected: something was written, and it was computed from NaN or infinity"
            .into();
    }
    if observed.is_infinite() {
        return format!("is infinite, where no honest {} kernel overflows", dtype.name());
    }
    "is further from the exact value than the contract allows".into()
}

/// Whether a value that was read from memory is the NaN of all ones that memory is filled with.
pub(super) fn is_poison(dtype: DType, value: f64) -> bool {
    // Reading keeps the bits of a NaN.
    value.to_bits() == dtype.decode(u64::MAX).to_bits()
}

pub(super) fn with_bits(dtype: DType, value: f64) -> String {
    if value.is_nan() {
        // Encoding would not give back the bits that were read.
        return "NaN".into();
    }
    let digits = 2 * dtype.size();
    format!("{value:.9e} (0x{:0digits$x})", dtype.encode(value))
}

/// Names a token of packed sequences: which sequence, and where in it.
fn packed_token_name(layouts: &[Layout], token: u64) -> String {
    let mut rest = token;
    for (index, layout) in layouts.iter().enumerate() {
        if rest < layout.tokens() {
            return format!("sequence {index}, {}", token_name(layout, rest, false, 0));
        }
        rest -= layout.tokens();
    }
    format!("packed token {token}")
}

/// Names a token of a layout.
#[must_use]
pub fn token_name(layout: &Layout, token: u64, batched: bool, row: usize) -> String {
    let row = if batched { format!("row {row}, ") } else { String::new() };
    let Some((segment, inside)) = layout.locate(token) else { return format!("{row}token {token}") };
    match layout.segments()[segment].grid() {
        Some([_, h, w]) => {
            let (h, w) = (u64::from(h), u64::from(w));
            let (t, rest) = (inside / (h * w), inside % (h * w));
            format!("{row}token {token} (segment {segment}: t={t} h={} w={})", rest / w, rest % w)
        }
        None => format!("{row}token {token} (segment {segment}: text)"),
    }
}
