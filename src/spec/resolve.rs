//! Values of what a scheme says about head widths: parameters, and which axis rotates which pair.

use crate::numeric::Number;

use super::expr::{Env, EvalError, Expr, Fold, Name};
use super::model::{HeadGroup, PairRun, Parameter};

/// The numbers that maps and frequencies depend on. Also an [`Env`] for them.
#[derive(Debug, Clone)]
pub struct Widths {
    /// Channels of a head.
    pub head_dim: usize,
    /// Rotary width in channels.
    pub rotary_dim: usize,
    /// Query heads.
    pub q_heads: usize,
    /// Key/value heads.
    pub k_heads: usize,
    /// Values of the parameters, in the scheme's order.
    pub parameters: Vec<Number>,
}

impl Env for Widths {
    fn value(&self, name: Name) -> Result<Number, EvalError> {
        let integer = |value: usize| i64::try_from(value).map(Number::from_i64).map_err(|_| EvalError::NoValue(name));
        match name {
            Name::HeadDim => integer(self.head_dim),
            Name::D => integer(self.rotary_dim),
            Name::R => integer(self.rotary_dim / 2),
            Name::QHeads => integer(self.q_heads),
            Name::KHeads => integer(self.k_heads),
            Name::Param(at) => self.parameters.get(at).cloned().ok_or(EvalError::NoValue(name)),
            _ => Err(EvalError::NoValue(name)),
        }
    }

    fn over_cells(&self, _fold: Fold, _inner: &Expr) -> Result<Number, EvalError> {
        Err(EvalError::NoCells)
    }
}

impl Widths {
    /// Evaluates the parameters' defaults one after another; those that `given` names take that value instead.
    ///
    /// # Errors
    /// The name of the parameter and why it has no value.
    pub fn set_parameters(
        &mut self,
        declared: &[Parameter],
        given: &[(String, Number)],
    ) -> Result<(), (String, EvalError)> {
        self.parameters.clear();
        for parameter in declared {
            let value = match given.iter().find(|(name, _)| *name == parameter.name) {
                Some((_, value)) => value.clone(),
                None => parameter.default.number(self).map_err(|error| (parameter.name.clone(), error))?,
            };
            self.parameters.push(value);
        }
        Ok(())
    }
}

/// Why an axis map does not fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MapError {
    /// A count has no value.
    #[error("`{formula}` has no value: {error}")]
    Value {
        /// The formula.
        formula: String,
        /// Why.
        error: EvalError,
    },
    /// A count is negative or not whole.
    #[error("`{formula}` is {value}: expected a whole number from 0")]
    Count {
        /// The formula.
        formula: String,
        /// Its value.
        value: String,
    },
    /// The counts do not add up.
    #[error("{what} add up to {sum}, there are {total}")]
    Sum {
        /// "the runs" or "the groups of heads".
        what: &'static str,
        /// Sum of the counts.
        sum: usize,
        /// What they should add up to.
        total: usize,
    },
}

/// Sizes of consecutive parts; at most one is the rest.
fn sizes(what: &'static str, counts: &[Option<&Expr>], total: usize, env: &dyn Env) -> Result<Vec<usize>, MapError> {
    let mut sizes = Vec::with_capacity(counts.len());
    let mut sum = 0usize;
    for count in counts.iter().flatten() {
        let formula = || count.text().to_owned();
        let value = count.number(env).map_err(|error| MapError::Value { formula: formula(), error })?;
        let size = value.to_i64().and_then(|value| usize::try_from(value).ok());
        let size = size.ok_or_else(|| MapError::Count { formula: formula(), value: value.to_string() })?;
        sum = sum.saturating_add(size);
        sizes.push(size);
    }
    let has_rest = counts.iter().any(Option::is_none);
    if sum > total || (!has_rest && sum != total) {
        return Err(MapError::Sum { what, sum, total });
    }
    let mut sized = sizes.into_iter();
    Ok(counts.iter().map(|count| if count.is_some() { sized.next().unwrap_or(0) } else { total - sum }).collect())
}

/// The axis of each of the R pairs; `None` is a pair that does not rotate.
///
/// # Errors
/// If a count has no value, is no whole number, or the counts do not add up to R.
pub fn axis_of_pairs(runs: &[PairRun], widths: &Widths) -> Result<Vec<Option<usize>>, MapError> {
    let counts: Vec<Option<&Expr>> = runs.iter().map(|run| run.pairs.as_ref()).collect();
    let sizes = sizes("the runs", &counts, widths.rotary_dim / 2, widths)?;
    let pairs = runs.iter().zip(sizes).flat_map(|(run, size)| run.cycle.iter().copied().cycle().take(size));
    Ok(pairs.collect())
}

/// Checks that the groups of heads add up, and gives the axes of each group.
///
/// # Errors
/// As [`axis_of_pairs`], also for the counts of heads.
pub fn axis_of_groups(groups: &[HeadGroup], widths: &Widths) -> Result<Vec<Vec<Option<usize>>>, MapError> {
    let counts: Vec<Option<&Expr>> = groups.iter().map(|group| group.heads.as_ref()).collect();
    sizes("the groups of heads", &counts, widths.k_heads, widths)?;
    groups.iter().map(|group| axis_of_pairs(&group.runs, widths)).collect()
}
