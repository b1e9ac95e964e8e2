//! What map and frequency formulas can see: head sizes, the rotary width, parameters; and the axis map at these sizes.

use crate::numeric::Number;
use crate::spec::expr::{Env, EvalError, Expr, Fold, Name, NameId};
use crate::spec::model::{AxisMap, PairRun, Scheme};

use super::plan::HeadShape;
use super::plan::NO_AXIS;
use super::plan::PlanError;
use crate::positions::Parameters;

/// Most entries of a table with a row per head.
const MAX_ENTRIES: u64 = 1 << 20;

/// Head sizes and parameters of a scheme. The rotary width is unknown (0) until its own formula has been evaluated.
pub(super) struct HeadSizes<'a> {
    pub scheme: &'a Scheme,
    pub parameters: &'a Parameters,
    pub shape: HeadShape,
    pub rotary_dim: u32,
    /// Values of the first parameters: of all, once the rotary width is known.
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
            Name::R if self.rotary_dim > 0 => number(self.rotary_dim / 2),
            Name::Param(index) => self.parameter(index),
            _ => Err(EvalError::NoValue(name)),
        }
    }

    fn over_cells(&self, _fold: Fold, _inner: &Expr) -> Result<Number, EvalError> {
        Err(EvalError::NoCells)
    }
}

impl HeadSizes<'_> {
    /// A parameter. Defaults use only earlier ones, so each is computed once: a default that names another twice, which names
    /// another twice, and so on, would otherwise take for ever.
    pub fn parameter(&self, index: usize) -> Result<Number, EvalError> {
        let known = self.values.get(index).or_else(|| self.parameters.by_index(index));
        known.cloned().ok_or(EvalError::NoValue(Name::Param(index)))
    }

    /// Value of the next parameter; a default that needs the sizes is computed here.
    pub fn next_parameter(&self, default: &Expr) -> Result<Number, EvalError> {
        match self.parameters.by_index(self.values.len()) {
            Some(value) => Ok(value.clone()),
            None => default.number(self),
        }
    }

    pub fn refused(&self, message: String) -> PlanError {
        PlanError::Shape { scheme: self.scheme.id(), shape: self.shape, message }
    }

    pub fn failed(&self, place: &str, formula: &Expr, error: EvalError) -> PlanError {
        let (scheme, place, formula) = (self.scheme.id(), place.to_owned(), formula.text().to_owned());
        PlanError::Formula { scheme, shape: self.shape, place, formula, error: Box::new(error) }
    }

    /// A formula that must be an integer from 0 to 2^20.
    pub fn count(&self, place: &str, formula: &Expr) -> Result<u32, PlanError> {
        let value = formula.number(self).map_err(|error| self.failed(place, formula, error))?;
        let count = value.to_i64().filter(|count| (0..=1 << 20).contains(count));
        count.and_then(|count| u32::try_from(count).ok()).ok_or_else(|| {
            self.refused(format!("{place} `{}` must be a non-negative integer, found {value}", formula.text()))
        })
    }

    /// Axis of each pair: one row for all heads, or one per key/value head.
    pub fn rows(&self) -> Result<Vec<Vec<u8>>, PlanError> {
        let groups = match &self.scheme.axis_map {
            AxisMap::Shared(runs) => return Ok(vec![self.row(runs)?]),
            AxisMap::PerHead(groups) => groups,
        };
        let HeadShape { q_heads, k_heads, .. } = self.shape;
        if !q_heads.is_multiple_of(k_heads) {
            let what = format!("a map per head needs q_heads {q_heads} to be a multiple of k_heads {k_heads}");
            return Err(self.refused(what));
        }
        if u64::from(k_heads) * u64::from(self.rotary_dim / 2) > MAX_ENTRIES {
            return Err(self.refused(format!("a map per head may have {MAX_ENTRIES} pairs over all heads")));
        }
        let heads: Vec<Option<&Expr>> = groups.iter().map(|group| group.heads.as_ref()).collect();
        let mut rows = Vec::new();
        for (group, size) in groups.iter().zip(self.shares("heads", &heads, k_heads)?) {
            rows.extend(std::iter::repeat_n(self.row(&group.runs)?, size as usize));
        }
        Ok(rows)
    }

    fn row(&self, runs: &[PairRun]) -> Result<Vec<u8>, PlanError> {
        let pairs = self.rotary_dim / 2;
        let counts: Vec<Option<&Expr>> = runs.iter().map(|run| run.pairs.as_ref()).collect();
        let mut row = Vec::with_capacity(pairs as usize);
        for (run, size) in runs.iter().zip(self.shares("pairs", &counts, pairs)?) {
            for axis in run.cycle.iter().cycle().take(size as usize) {
                let number = axis.map_or(Some(NO_AXIS), |axis| u8::try_from(axis).ok());
                let known = |number: &u8| *number == NO_AXIS || usize::from(*number) < self.scheme.axes.len();
                let number = number.filter(known);
                row.push(number.ok_or_else(|| self.refused(format!("the axis map names {axis:?}, which is no axis")))?);
            }
        }
        if row.len() != pairs as usize {
            return Err(self.refused(format!("the axis map covers {} of {pairs} pairs", row.len())));
        }
        Ok(row)
    }

    /// Sizes of parts that must make up a whole; `None` is the rest, at most once.
    fn shares(&self, what: &str, parts: &[Option<&Expr>], whole: u32) -> Result<Vec<u32>, PlanError> {
        let place = format!("a number of {what} in the axis map");
        let count = |part: &Option<&Expr>| part.map(|formula| self.count(&place, formula)).transpose();
        let sizes = parts.iter().map(count).collect::<Result<Vec<Option<u32>>, _>>()?;
        let named: u64 = sizes.iter().flatten().map(|&size| u64::from(size)).sum();
        let rests = sizes.iter().filter(|size| size.is_none()).count();
        if rests > 1 {
            return Err(self.refused(format!("the axis map has {rests} parts that are the rest of the {what}")));
        }
        if named > u64::from(whole) || (rests == 0 && named != u64::from(whole)) {
            return Err(self.refused(format!("the axis map names {named} {what}, but there are {whole}")));
        }
        let rest = u32::try_from(u64::from(whole) - named).unwrap_or(0);
        Ok(sizes.into_iter().map(|size| size.unwrap_or(rest)).collect())
    }
}
