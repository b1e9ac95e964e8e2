//! What a scheme says at given head sizes: the rotary width, the parameters that need it, which axis turns which
//! pair, and at which frequency. Checks at load and rotation plans ask here, so that what was checked is what runs.

use std::collections::BTreeMap;
use std::fmt;

use crate::numeric::Number;

use super::expr::{Env, EvalError, Expr, Fold, Name, NameId};
use super::model::{AxisMap, PairNumbers, PairRun, Scheme};
use super::parameters::{ParameterError, Parameters};

/// Axis number of a pair that never rotates.
pub const NO_AXIS: u8 = 255;
/// Largest `head_dim`.
pub const MAX_HEAD_DIM: u32 = 1 << 16;
/// Smallest frequency other than 0; smaller ones would not be exact in the reference's products.
pub const MIN_FREQUENCY: f64 = 1.0 / (1u128 << 100) as f64;
/// Most entries of a table with a row per head.
const MAX_ENTRIES: u64 = 1 << 20;

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

/// Why a scheme says nothing usable at some head sizes.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HeadError {
    /// A value does not fit the heads.
    #[error("{0}")]
    Misfit(String),
    /// A formula has no value.
    #[error("{place}: `{formula}` has no value: {error}")]
    Formula {
        /// What the formula is for.
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

/// A scheme at given head sizes, where its rotary width and all parameters have values. Also an [`Env`] for the
/// formulas of the axis map and whatever else depends on these.
#[derive(Debug, Clone)]
pub(crate) struct HeadSizes<'a> {
    scheme: &'a Scheme,
    parameters: &'a Parameters,
    shape: HeadShape,
    /// Rotary width in channels; 0 while it is being computed.
    pub rotary_dim: u32,
    /// Values of the first parameters, in the end of all. Defaults use only earlier ones, so each is computed once:
    /// a default that names another twice, which names another twice, and so on, would otherwise take for ever.
    pub values: Vec<Number>,
}

impl Env for HeadSizes<'_> {
    fn value(&self, name: NameId) -> Result<Number, EvalError> {
        let number = |value: u32| Ok(Number::from_i64(i64::from(value)));
        match name {
            Name::HeadDim => number(self.shape.head_dim),
            Name::QHeads => number(self.shape.q_heads),
            Name::KHeads => number(self.shape.k_heads),
            Name::D if self.rotary_dim > 0 => number(self.rotary_dim),
            Name::R if self.rotary_dim > 0 => number(self.pairs()),
            Name::Param(index) if index < self.values.len() => Ok(self.values[index].clone()),
            _ => self.parameters.value(name),
        }
    }

    fn over_cells(&self, _fold: Fold, _inner: &Expr) -> Result<Number, EvalError> {
        Err(EvalError::NoCells)
    }
}

/// A pair, and everything that the formula of its frequency can see.
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
            Name::PerPair(index) => match self.sizes.scheme.per_pair.get(index).map(|one| &one.numbers) {
                Some(PairNumbers::List(list)) => list.get(self.at[0] as usize).cloned().ok_or(EvalError::NoValue(name)),
                Some(PairNumbers::Formula(formula)) => formula.number(self),
                None => Err(EvalError::NoValue(name)),
            },
            _ => self.sizes.value(name),
        }
    }

    fn over_cells(&self, _fold: Fold, _inner: &Expr) -> Result<Number, EvalError> {
        Err(EvalError::NoCells)
    }
}

/// The rotary width in channels; `None` if the formula gives no even number from 2 to `head_dim`. Makes no message, as
/// load tries a thousand widths.
pub(crate) fn rotary_dim(scheme: &Scheme, parameters: &Parameters, head_dim: u32) -> Option<u32> {
    let sizes = HeadSizes::bare(scheme, parameters, HeadShape::of_dim(head_dim));
    let width = u32::try_from(scheme.rotary_dim.number(&sizes).ok()?.to_i64()?).ok()?;
    (width.is_multiple_of(2) && (2..=head_dim).contains(&width)).then_some(width)
}

impl<'a> HeadSizes<'a> {
    /// Evaluates the rotary width and the parameters.
    ///
    /// # Errors
    /// If the scheme is not defined for these heads, or a formula has no usable value.
    pub(crate) fn new(scheme: &'a Scheme, parameters: &'a Parameters, shape: HeadShape) -> Result<Self, HeadError> {
        let HeadShape { head_dim, q_heads, k_heads } = shape;
        if head_dim == 0 || head_dim > MAX_HEAD_DIM || q_heads == 0 || k_heads == 0 {
            let what = format!("expected 1 to {MAX_HEAD_DIM} channels and at least one head of each kind");
            return Err(HeadError::Misfit(what));
        }
        let mut sizes = Self::bare(scheme, parameters, shape);
        let Some(rotary_dim) = rotary_dim(scheme, parameters, head_dim) else {
            let (formula, value) = (scheme.rotary_dim.text(), sizes.number("rotary_dim", &scheme.rotary_dim)?);
            let what = format!("rotary_dim: `{formula}` is {value}: expected an even number from 2 to head_dim");
            return Err(HeadError::Misfit(what));
        };
        sizes.rotary_dim = rotary_dim;
        let pairs = sizes.pairs();
        if !scheme.pairs.allow(pairs as usize) {
            return Err(HeadError::Misfit(format!("the axis map is not defined for R = {pairs}")));
        }
        for (index, parameter) in scheme.parameters.iter().enumerate() {
            let value = match parameters.by_index(index) {
                Some(value) => value.clone(),
                None => sizes.number(format_args!("the default of `{}`", parameter.name), &parameter.default)?,
            };
            sizes.values.push(parameter.checked(scheme, value)?);
        }
        Ok(sizes)
    }

    /// Nothing is computed yet.
    fn bare(scheme: &'a Scheme, parameters: &'a Parameters, shape: HeadShape) -> Self {
        HeadSizes { scheme, parameters, shape, rotary_dim: 0, values: Vec::new() }
    }

    /// The same width and parameters with another number of heads, of queries and of keys and values.
    pub(crate) fn with_heads(&self, heads: u32) -> Self {
        let shape = HeadShape { q_heads: heads, k_heads: heads, ..self.shape };
        HeadSizes { shape, ..self.clone() }
    }

    /// Rotated pairs R.
    pub(crate) fn pairs(&self) -> u32 {
        self.rotary_dim / 2
    }

    /// An axis map that does not fit, in one sentence.
    pub(crate) fn misfit(&self, what: &str) -> HeadError {
        HeadError::Misfit(format!("the axis map does not fit R = {}: {what}", self.pairs()))
    }

    fn number(&self, place: impl fmt::Display, formula: &Expr) -> Result<Number, HeadError> {
        number(place, formula, self)
    }

    /// A formula that must be a whole number from 0.
    fn count(&self, place: impl fmt::Display, formula: &Expr) -> Result<u32, HeadError> {
        let value = self.number(&place, formula)?;
        let count = value.to_i64().and_then(|count| u32::try_from(count).ok());
        let what = || format!("{place}: `{}` is {value}: expected a whole number from 0", formula.text());
        count.ok_or_else(|| HeadError::Misfit(what()))
    }

    /// First rotated channel.
    ///
    /// # Errors
    /// If the rotated channels do not fit the head.
    pub(crate) fn rotary_offset(&self) -> Result<u32, HeadError> {
        let (offset, head_dim) = (self.count("rotary_offset", &self.scheme.rotary_offset)?, self.shape.head_dim);
        if offset > head_dim - self.rotary_dim {
            let sum = format!("rotary_offset {offset} + rotary_dim {}", self.rotary_dim);
            return Err(HeadError::Misfit(format!("{sum} is more than head_dim {head_dim}")));
        }
        Ok(offset)
    }

    /// Factor on cos and sin.
    ///
    /// # Errors
    /// If it is not positive and finite.
    pub(crate) fn attention_scaling(&self) -> Result<f64, HeadError> {
        let scaling = self.number("attention_scaling", &self.scheme.attention_scaling)?.to_f64();
        if !(scaling.is_finite() && scaling > 0.0) {
            return Err(HeadError::Misfit(format!("attention_scaling is {scaling}: expected a finite number above 0")));
        }
        Ok(scaling)
    }

    /// Axis of each pair: one row for all heads, or one per key/value head.
    ///
    /// # Errors
    /// If counts of pairs or heads do not add up.
    pub(crate) fn rows(&self) -> Result<Vec<Vec<u8>>, HeadError> {
        let groups = match &self.scheme.axis_map {
            AxisMap::Shared(runs) => return Ok(vec![self.row(runs)?]),
            AxisMap::PerHead(groups) => groups,
        };
        let HeadShape { q_heads, k_heads, .. } = self.shape;
        if !q_heads.is_multiple_of(k_heads) {
            let what = format!("a map per head needs q_heads {q_heads} to be a multiple of k_heads {k_heads}");
            return Err(HeadError::Misfit(what));
        }
        if u64::from(k_heads) * u64::from(self.pairs()) > MAX_ENTRIES {
            return Err(HeadError::Misfit(format!("a map per head may have {MAX_ENTRIES} pairs over all heads")));
        }
        let heads: Vec<Option<&Expr>> = groups.iter().map(|group| group.heads.as_ref()).collect();
        let mut rows = Vec::new();
        for (group, size) in groups.iter().zip(self.shares("the groups of heads", &heads, k_heads)?) {
            rows.extend(std::iter::repeat_n(self.row(&group.runs)?, size));
        }
        Ok(rows)
    }

    /// Axis of each pair, [`NO_AXIS`] for one that never rotates.
    ///
    /// # Errors
    /// If the counts of pairs do not add up.
    pub(crate) fn row(&self, runs: &[PairRun]) -> Result<Vec<u8>, HeadError> {
        let counts: Vec<Option<&Expr>> = runs.iter().map(|run| run.pairs.as_ref()).collect();
        let sizes = self.shares("the runs", &counts, self.pairs())?;
        let axes = runs.iter().zip(sizes).flat_map(|(run, size)| run.cycle.iter().cycle().take(size));
        // A scheme has at most 16 axes.
        Ok(axes.map(|axis| axis.and_then(|axis| u8::try_from(axis).ok()).unwrap_or(NO_AXIS)).collect())
    }

    /// Sizes of parts that must make up a whole; `None` is the rest.
    fn shares(&self, what: &str, parts: &[Option<&Expr>], whole: u32) -> Result<Vec<usize>, HeadError> {
        let pairs = self.pairs();
        let place = format_args!("the axis map does not fit R = {pairs}");
        let count = |part: &Option<&Expr>| part.map(|formula| Ok(self.count(place, formula)? as usize)).transpose();
        let named = parts.iter().map(count).collect::<Result<Vec<Option<usize>>, HeadError>>()?;
        let rest = (whole as usize).saturating_sub(named.iter().flatten().sum());
        let sizes: Vec<usize> = named.into_iter().map(|size| size.unwrap_or(rest)).collect();
        let sum: usize = sizes.iter().sum();
        if sum != whole as usize {
            return Err(self.misfit(&format!("{what} add up to {sum}, there are {whole}")));
        }
        Ok(sizes)
    }

    /// Frequency of each pair of each row in radians per position, 0 for a pair that never rotates.
    ///
    /// # Errors
    /// If one is neither 0 nor finite and at least [`MIN_FREQUENCY`].
    pub(crate) fn frequencies(&self, rows: &[Vec<u8>]) -> Result<Vec<f64>, HeadError> {
        let mut known = BTreeMap::new();
        let mut frequencies = Vec::new();
        for row in rows {
            let mut seen = [0u32; 256];
            let mut total = [0u32; 256];
            row.iter().for_each(|&axis| total[usize::from(axis)] += 1);
            for (i, &axis) in (0u32..).zip(row) {
                let slot = usize::from(axis);
                let at = [i, seen[slot], total[slot]];
                seen[slot] += 1;
                frequencies.push(if axis == NO_AXIS { 0.0 } else { self.frequency(slot, at, &mut known)? });
            }
        }
        Ok(frequencies)
    }

    /// Frequency of a pair on an axis. `known` holds what was computed for earlier rows.
    fn frequency(
        &self,
        axis: usize,
        at: [u32; 3],
        known: &mut BTreeMap<(usize, [u32; 3]), f64>,
    ) -> Result<f64, HeadError> {
        let which = if self.scheme.inv_freq.len() == 1 { 0 } else { axis };
        let formula = &self.scheme.inv_freq[which];
        // Heads mostly differ in their axes, not in the frequency of a pair.
        let per_pair = self.scheme.per_pair.iter().filter_map(|one| one.formula());
        let formulas: Vec<&Expr> = per_pair.chain([formula]).collect();
        let index = |name, value| if formulas.iter().any(|formula| formula.uses(name)) { value } else { 0 };
        let key = (which, [at[0], index(Name::PairJ, at[1]), index(Name::NAxisPairs, at[2])]);
        if let Some(&value) = known.get(&key) {
            return Ok(value);
        }
        let (i, pairs) = (at[0], self.pairs());
        let place = format_args!("inv_freq of pair {i} of {pairs}");
        let exact = number(place, formula, &PairScope { sizes: self, at })?;
        let value = exact.to_f64();
        if !(exact.is_zero() || (MIN_FREQUENCY..f64::INFINITY).contains(&value)) {
            return Err(HeadError::Misfit(format!("{place} is {exact}: expected 0, or a finite number from 2^-100")));
        }
        known.insert(key, value);
        Ok(value)
    }
}

fn number(place: impl fmt::Display, formula: &Expr, env: &dyn Env) -> Result<Number, HeadError> {
    formula.number(env).map_err(|error| HeadError::Formula {
        place: place.to_string(),
        formula: formula.text().to_owned(),
        error: Box::new(error),
    })
}
