//! Rotated pairs that an independent program computed (`golden/accuracy_points.txt`, made by `scripts/golden_accuracy.py`).

use crate::numeric::{DType, Dd, Number};

use super::reference::Turn;
use super::reference::factor_error;

const TEXT: &str = include_str!("../../golden/accuracy_points.txt");

/// Types that the file gives each output in.
pub const ROUNDED_TO: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

/// An exact number to about 2^-65 of itself: the nearest f64, and what is left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exact {
    /// The nearest f64.
    pub nearest: f64,
    /// The rest, in 1/4096 of an ulp of `nearest`, rounded away from 0.
    pub rest: f64,
}

impl Exact {
    /// |value - this|, where they are near each other, and by how much that may be wrong.
    #[must_use]
    pub fn distance(self, value: f64) -> (f64, f64) {
        (((value - self.nearest) - self.rest).abs(), DType::F64.half_ulp(self.nearest) / 2048.0)
    }
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct AccuracyPoint {
    /// Number of the line, from 1.
    pub line: usize,
    /// b of inv_freq = b^(-2i/d).
    pub base: i64,
    /// d
    pub head_dim: u32,
    /// i
    pub pair: usize,
    /// The f64 nearest to b^(-2i/d).
    pub inv_freq: f64,
    /// Position, to 2^-106.
    pub position: Dd,
    /// Storage type of the inputs.
    pub dtype: DType,
    /// The two channels, a and b.
    pub inputs: (f64, f64),
    /// Attention scaling.
    pub scaling: f64,
    /// Direction +1.
    pub forward: bool,
    /// The two outputs.
    pub outputs: [Exact; 2],
    /// Bits of the first and the second output, rounded once to each of [`ROUNDED_TO`].
    pub bits: [[u64; 2]; 3],
}

impl AccuracyPoint {
    /// All points, in the order of the file. `Err` has the number and text of a line that cannot be read, which tests rule out.
    pub fn all() -> impl Iterator<Item = Result<Self, String>> {
        let lines = TEXT.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
        lines.map(|(index, line)| {
            Self::read(index + 1, line).ok_or_else(|| format!("line {} cannot be read: {line}", index + 1))
        })
    }

    fn read(line: usize, text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        let base = fields.next()?.parse().ok()?;
        let (head_dim, pair) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let inv_freq = f64::from_bits(hex(fields.next()?)?);
        let position = Number::parse(fields.next()?).ok()?.to_dd();
        let dtype = DType::parse(fields.next()?)?;
        let inputs = (dtype.decode(hex(fields.next()?)?), dtype.decode(hex(fields.next()?)?));
        let scaling = fields.next()?.parse().ok()?;
        let forward = match fields.next()? {
            "1" => true,
            "-1" => false,
            _ => return None,
        };
        let mut output = || -> Option<Exact> {
            let nearest = f64::from_bits(hex(fields.next()?)?);
            let steps: f64 = fields.next()?.parse().ok()?;
            Some(Exact { nearest, rest: steps * (DType::F64.half_ulp(nearest) / 2048.0) })
        };
        let outputs = [output()?, output()?];
        let mut pair_of_bits = || -> Option<[u64; 2]> {
            let (first, second) = fields.next()?.split_once(':')?;
            Some([hex(first)?, hex(second)?])
        };
        let bits = [pair_of_bits()?, pair_of_bits()?, pair_of_bits()?];
        let nothing_left = fields.next().is_none();
        let point =
            Self { line, base, head_dim, pair, inv_freq, position, dtype, inputs, scaling, forward, outputs, bits };
        nothing_left.then_some(point)
    }

    /// What the reference makes of the inputs, and by how much each output may be wrong: |a| and |b| times the errors of
    /// their factors.
    #[must_use]
    pub fn reference(&self) -> [(f64, f64); 2] {
        let turn = Turn::new(self.position, self.inv_freq, self.scaling, self.forward);
        let angle = self.position.hi * self.inv_freq;
        let [cos, sin] = [turn.cos, turn.sin].map(|factor| factor_error(factor, self.scaling, angle));
        let (a, b) = self.inputs;
        let (first, second) = turn.apply(a, b);
        [(first, a.abs() * cos + b.abs() * sin), (second, b.abs() * cos + a.abs() * sin)]
    }

    /// Whether the reference is right here within its documented error, and what it says rounds to the right bits wherever
    /// that error cannot decide the rounding.
    ///
    /// # Errors
    /// What differs.
    pub fn check(&self) -> Result<(), String> {
        for (which, (ours, error)) in self.reference().into_iter().enumerate() {
            let what = if which == 0 { "y" } else { "y'" };
            let exact = self.outputs[which];
            let (distance, unsure) = exact.distance(ours);
            if distance.is_nan() || distance > error + unsure {
                return Err(format!("line {}: {what} is {ours:e}, not {:e}", self.line, exact.nearest));
            }
            for (dtype, bits) in ROUNDED_TO.iter().zip(&self.bits) {
                // Rounding is monotone. Signs of zero do not matter.
                let [low, high] = [ours - error, ours + error].map(|v| dtype.round(v));
                let right = dtype.decode(bits[which]);
                if right < low || right > high {
                    return Err(format!("line {}: {what} in {dtype} is {low:e}, not {right:e}", self.line));
                }
            }
        }
        Ok(())
    }
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}
