//! The rotation plan: which axis turns which pair at which frequency. Every scheme reduces to it.

use std::collections::BTreeMap;

use crate::numeric::Number;
use crate::spec::expr::{Env, EvalError, Expr, Fold, Name, NameId};
use crate::spec::model::Scheme;

use super::head_sizes::HeadSizes;
use crate::positions::ParameterError;
use crate::positions::Parameters;
use crate::positions::check;

/// Axis number of a pair that never rotates.
pub const NO_AXIS: u8 = 255;
/// Largest `head_dim`.
pub const MAX_HEAD_DIM: u32 = 1 << 16;
/// Smallest frequency other than 0; smaller ones would not be exact in the reference's products.
pub const MIN_FREQUENCY: f64 = 1.0 / (1u128 << 100) as f64;

/// Sizes of the heads that a plan is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeadShape {
    /// Channels of a head.
    pub head_dim: u32,
    /// Query heads.
    pub q_heads: u32,
    /// Key/value heads; a divisor of `q_heads` where the map differs per head.
    pub k_heads: u32,
}

impl HeadShape {
    /// As many query as key/value heads as a map per head may need: 8 of each.
    #[must_use]
    pub fn of_dim(head_dim: u32) -> Self {
        HeadShape { head_dim, q_heads: 8, k_heads: 8 }
    }
}

/// Which axis turns which pair at which frequency.
#[derive(Debug, Clone, PartialEq)]
pub struct RotationPlan {
    /// Heads it was made for.
    pub shape: HeadShape,
    /// First rotated channel.
    pub rotary_offset: u32,
    /// Rotated channels, even.
    pub rotary_dim: u32,
    /// Rotated pairs R, `rotary_dim / 2`.
    pub pairs: u32,
    /// Axes of a position.
    pub n_axes: u32,
    /// Rows of the two tables: 1 if all heads share a map, else one per key/value head.
    pub map_heads: u32,
    /// Axis of each pair, [`NO_AXIS`] for one that never rotates; `map_heads` rows of `pairs`.
    pub axis_of_pair: Vec<u8>,
    /// Frequency of each pair in radians per position: the f64 nearest to the formula's value, and the truth from here
    /// on. 0 for a pair that never rotates. Same shape.
    pub inv_freq: Vec<f64>,
    /// Factor on cos and sin.
    pub attention_scaling: f64,
    /// Pairs per axis, if the shared map is consecutive blocks in axis order, or interleaved as below.
    pub sections: Option<Vec<i64>>,
    /// With `sections`: pair i is on axis i mod n while i < n * (that axis' section), and on axis 0 otherwise.
    pub interleaved: bool,
    /// The scheme's parameter `base`, if every rotating pair's frequency is the f64 nearest to base^(-2i/rotary_dim).
    pub base: Option<f64>,
    /// Values of all parameters, those that needed the sizes included.
    pub parameters: Vec<(String, Number)>,
}

impl RotationPlan {
    /// The plan of a scheme.
    ///
    /// # Errors
    /// [`PlanError`] if the scheme does not fit these heads, or a formula has no usable value.
    pub fn new(scheme: &Scheme, parameters: &Parameters, shape: HeadShape) -> Result<Self, PlanError> {
        let mut sizes = HeadSizes { scheme, parameters, shape, rotary_dim: 0, values: Vec::new() };
        let HeadShape { head_dim, q_heads, k_heads } = shape;
        if head_dim == 0 || head_dim > MAX_HEAD_DIM || q_heads == 0 || k_heads == 0 {
            let what = format!("needs 1 to {MAX_HEAD_DIM} channels and at least one head of each kind");
            return Err(sizes.refused(what));
        }
        let rotary_dim = sizes.count("rotary_dim", &scheme.rotary_dim)?;
        if rotary_dim == 0 || !rotary_dim.is_multiple_of(2) || rotary_dim > head_dim {
            let what = "rotary_dim must be even, at least 2 and at most head_dim";
            return Err(sizes.refused(format!("{what}; `{}` is {rotary_dim}", scheme.rotary_dim.text())));
        }
        let pairs = rotary_dim / 2;
        if !scheme.pairs.allow(pairs as usize) {
            return Err(sizes.refused(format!("the axis map is not defined for R = {pairs} pairs")));
        }
        sizes.rotary_dim = rotary_dim;
        for parameter in &scheme.parameters {
            let value = sizes.next_parameter(&parameter.default);
            let value = value.map_err(|error| sizes.failed(&parameter.name, &parameter.default, error))?;
            check(scheme, parameter, &value)?;
            sizes.values.push(value);
        }
        let named = scheme.parameters.iter().zip(&sizes.values);
        let values: Vec<_> = named.map(|(parameter, value)| (parameter.name.clone(), value.clone())).collect();
        let rotary_offset = sizes.count("rotary_offset", &scheme.rotary_offset)?;
        if rotary_offset > head_dim - rotary_dim {
            let sum = format!("rotary_offset {rotary_offset} + rotary_dim {rotary_dim}");
            return Err(sizes.refused(format!("{sum} is more than head_dim {head_dim}")));
        }
        let rows = sizes.rows()?;
        let mut known = BTreeMap::new();
        let mut inv_freq = Vec::new();
        for row in &rows {
            inv_freq.extend(frequencies(&sizes, row, &mut known)?);
        }
        let scaling = scheme.attention_scaling.number(&sizes);
        let scaling = scaling.map_err(|error| sizes.failed("attention_scaling", &scheme.attention_scaling, error))?;
        let scaling = scaling.to_f64();
        if !(scaling.is_finite() && scaling > 0.0) {
            return Err(sizes.refused(format!("attention_scaling must be positive and finite, found {scaling}")));
        }
        let n_axes = scheme.axes.len();
        let base = values.iter().find(|(name, _)| name == "base");
        let base = base.and_then(|(_, base)| derived_base(base, rotary_dim, &rows, &inv_freq));
        let (sections, interleaved) = match rows.as_slice() {
            [row] => sections(row, n_axes),
            _ => (None, false),
        };
        Ok(RotationPlan {
            shape,
            rotary_offset,
            rotary_dim,
            pairs,
            // A loaded scheme has at most 16 axes; rows are as many as heads, or one.
            n_axes: u32::try_from(n_axes).unwrap_or(u32::MAX),
            map_heads: u32::try_from(rows.len()).unwrap_or(u32::MAX),
            axis_of_pair: rows.concat(),
            inv_freq,
            attention_scaling: scaling,
            sections,
            interleaved,
            base,
            parameters: values,
        })
    }

    /// Row of the two tables for a query head.
    #[must_use]
    pub fn row_of_q_head(&self, head: u32) -> u32 {
        self.row_of_k_head(head / (self.shape.q_heads / self.shape.k_heads).max(1))
    }

    /// Row of the two tables for a key/value head.
    #[must_use]
    pub fn row_of_k_head(&self, head: u32) -> u32 {
        if self.map_heads == 1 { 0 } else { head.min(self.map_heads - 1) }
    }

    /// Axis of each pair in a row of the table.
    #[must_use]
    pub fn axes(&self, row: u32) -> &[u8] {
        row_of(&self.axis_of_pair, row, self.pairs)
    }

    /// Frequency of each pair in a row of the table.
    #[must_use]
    pub fn frequencies(&self, row: u32) -> &[f64] {
        row_of(&self.inv_freq, row, self.pairs)
    }

    /// Value of a parameter, also of one that needed the sizes.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Number> {
        self.parameters.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }
}

fn row_of<T>(table: &[T], row: u32, pairs: u32) -> &[T] {
    let (row, pairs) = (row as usize, pairs as usize);
    table.get(row * pairs..(row + 1) * pairs).unwrap_or(&[])
}

/// A pair of a plan that is being made, and everything its formulas can see.
struct PairScope<'a> {
    sizes: &'a HeadSizes<'a>,
    /// Index, index within the axis, pairs of the axis.
    at: [u32; 3],
}

impl Env for PairScope<'_> {
    fn value(&self, name: NameId) -> Result<Number, EvalError> {
        let [i, j, n_axis] = self.at.map(|value| Number::from_i64(i64::from(value)));
        match name {
            Name::PairI => Ok(i),
            Name::PairJ => Ok(j),
            Name::NAxisPairs => Ok(n_axis),
            _ => self.sizes.value(name),
        }
    }

    fn over_cells(&self, _fold: Fold, _inner: &Expr) -> Result<Number, EvalError> {
        Err(EvalError::NoCells)
    }
}

/// Frequency of each pair of a row. `known` holds what was computed for earlier rows.
fn frequencies(
    sizes: &HeadSizes<'_>,
    row: &[u8],
    known: &mut BTreeMap<(usize, [u32; 3]), f64>,
) -> Result<Vec<f64>, PlanError> {
    let mut seen = [0u32; 256];
    let mut total = [0u32; 256];
    row.iter().for_each(|&axis| total[usize::from(axis)] += 1);
    let mut frequencies = Vec::with_capacity(row.len());
    for (i, &axis) in (0u32..).zip(row) {
        let slot = usize::from(axis);
        let at = [i, seen[slot], total[slot]];
        seen[slot] += 1;
        if axis == NO_AXIS {
            frequencies.push(0.0);
            continue;
        }
        let which = if sizes.scheme.inv_freq.len() == 1 { 0 } else { slot };
        let Some(formula) = sizes.scheme.inv_freq.get(which) else {
            return Err(sizes.refused(format!("axis number {slot} has no frequency formula")));
        };
        // Heads mostly differ in their axes, not in the frequency of a pair.
        let index = |name, value| if formula.uses(name) { value } else { 0 };
        let key = (which, [i, index(Name::PairJ, at[1]), index(Name::NAxisPairs, at[2])]);
        if let Some(&value) = known.get(&key) {
            frequencies.push(value);
            continue;
        }
        let value = formula.number(&PairScope { sizes, at });
        let value = value.map_err(|error| sizes.failed(&format!("inv_freq of pair {i}"), formula, error))?.to_f64();
        if !value.is_finite() || value < 0.0 || (value != 0.0 && value < MIN_FREQUENCY) {
            let what = format!("inv_freq of pair {i} must be 0 or from 2^-100 up and finite, found {value:e}");
            return Err(sizes.refused(what));
        }
        known.insert(key, value);
        frequencies.push(value);
    }
    Ok(frequencies)
}

/// The base as f64, if it alone gives every rotating pair's frequency. What a base means is fixed by the interface to
/// backends, not by a scheme: pair i turns with base^(-2i/rotary_dim).
fn derived_base(base: &Number, rotary_dim: u32, rows: &[Vec<u8>], inv_freq: &[f64]) -> Option<f64> {
    // A backend that computes from the base gets it as f64, so the scheme's value must be one.
    let value = base.to_f64();
    if Number::from_f64(value).ok()? != *base {
        return None;
    }
    let pairs = rotary_dim as usize / 2;
    for i in 0..pairs {
        let mut rotating = (0..rows.len()).filter(|&row| rows[row][i] != NO_AXIS).peekable();
        if rotating.peek().is_none() {
            continue;
        }
        let exponent = Number::ratio(-2 * i128::try_from(i).ok()?, i128::from(rotary_dim)).ok()?;
        let expected = base.pow(&exponent).ok()?.to_f64();
        if rotating.any(|row| inv_freq[row * pairs + i] != expected) {
            return None;
        }
    }
    Some(value)
}

/// Pairs per axis if the row has one of the two forms that real interfaces take, and whether it is the interleaved one.
fn sections(row: &[u8], n_axes: usize) -> (Option<Vec<i64>>, bool) {
    let mut counts = vec![0i64; n_axes];
    for &axis in row {
        match counts.get_mut(usize::from(axis)) {
            Some(count) => *count += 1,
            None => return (None, false),
        }
    }
    if row.is_sorted() {
        return (Some(counts), false);
    }
    let interleaved = row.iter().enumerate().all(|(i, &axis)| {
        let turn = i % n_axes;
        // `i` is below 2^16, so this cannot overflow.
        let within = (i as i64) < counts[turn] * n_axes as i64;
        usize::from(axis) == if turn > 0 && within { turn } else { 0 }
    });
    if interleaved { (Some(counts), true) } else { (None, false) }
}

/// Why there is no rotation plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The scheme does not fit the heads.
    #[error("{scheme} with head_dim {}, {} query and {} key/value heads: {message}", shape.head_dim, shape.q_heads, shape.k_heads)]
    Shape {
        /// Scheme and profile.
        scheme: String,
        /// Heads.
        shape: HeadShape,
        /// What does not fit.
        message: String,
    },
    /// A formula has no value.
    #[error("{scheme} with head_dim {}: {place} `{formula}`: {error}", shape.head_dim)]
    Formula {
        /// Scheme and profile.
        scheme: String,
        /// Heads.
        shape: HeadShape,
        /// Which formula.
        place: String,
        /// Its text.
        formula: String,
        /// Why not.
        error: Box<EvalError>,
    },
    /// A parameter that needs the sizes is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}
