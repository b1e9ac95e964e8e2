//! The rotation plan: which axis turns which pair at which frequency. Every scheme reduces to it.

use crate::numeric::Number;
use crate::spec::model::Scheme;
use crate::spec::{HeadError, HeadShape, HeadSizes, NO_AXIS, Parameters};

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
        Self::from_formulas(scheme, parameters, shape).map_err(|error| PlanError { scheme: scheme.id(), shape, error })
    }

    fn from_formulas(scheme: &Scheme, parameters: &Parameters, shape: HeadShape) -> Result<Self, HeadError> {
        let sizes = HeadSizes::new(scheme, parameters, shape)?;
        let rotary_offset = sizes.rotary_offset()?;
        let rows = sizes.rows()?;
        let inv_freq = sizes.frequencies(&rows)?;
        let attention_scaling = sizes.attention_scaling()?;
        let (rotary_dim, pairs) = (sizes.rotary_dim, sizes.pairs());
        let names = scheme.parameters.iter().map(|parameter| parameter.name.clone());
        let values: Vec<_> = names.zip(sizes.values).collect();
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
            attention_scaling,
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

    /// The same pairs for every key/value head, each head's one place further on than those of the head before it:
    /// tables that differ per head. `self` where they do already, or only one head or one pair is there.
    #[must_use]
    pub fn per_head(&self) -> RotationPlan {
        if self.map_heads > 1 || self.shape.k_heads <= 1 || self.pairs <= 1 {
            return self.clone();
        }
        let turned = |head: u32| {
            let (axes, frequencies) = (self.axes(0), self.frequencies(0));
            (0..axes.len()).map(move |pair| (pair + head as usize) % axes.len()).map(|at| (axes[at], frequencies[at]))
        };
        let (axis_of_pair, inv_freq) = (0..self.shape.k_heads).flat_map(turned).unzip();
        RotationPlan {
            map_heads: self.shape.k_heads,
            axis_of_pair,
            inv_freq,
            sections: None,
            interleaved: false,
            base: None,
            ..self.clone()
        }
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
#[error("{scheme} with head_dim {}, {} query and {} key/value heads: {error}", shape.head_dim, shape.q_heads, shape.k_heads)]
pub struct PlanError {
    /// Scheme and profile.
    pub scheme: String,
    /// Heads.
    pub shape: HeadShape,
    /// Why.
    pub error: HeadError,
}
