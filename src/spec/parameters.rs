//! Values of a scheme's parameters: defaults, overrides, and the checks both must pass.

use crate::numeric::Number;

use super::expr::{Env, EvalError, Expr, Fold, Name, NameId};
use super::model::{Parameter, Scheme};
use super::suggest::unknown;

/// Values of a scheme's parameters, the transformer layer (0 unless set), and the length of the sequence that a plan is
/// for (1 unless set).
///
/// A parameter whose default needs `R`, `d` or `head_dim` has no value until a rotation plan gives it one.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    values: Vec<Option<Number>>,
    /// Which values were set rather than left at their default.
    set: Vec<bool>,
    layer: u32,
    length: Option<Number>,
}

impl Parameters {
    /// Defaults, with some of them replaced.
    ///
    /// # Errors
    /// [`ParameterError`] for an unknown name, a name set twice, a value out of range or not an integer where it
    /// must be one, and for a default that cannot be computed from the values set.
    pub fn resolve(scheme: &Scheme, overrides: &[(String, Number)]) -> Result<Self, ParameterError> {
        let count = scheme.parameters.len();
        let mut parameters = Parameters { values: vec![None; count], set: vec![false; count], layer: 0, length: None };
        for (name, value) in overrides {
            let Some(index) = scheme.parameters.iter().position(|parameter| parameter.name == *name) else {
                let known = scheme.parameters.iter().map(|parameter| parameter.name.as_str());
                let why = unknown("parameter", name, known);
                return Err(ParameterError::Unknown { scheme: scheme.id(), why });
            };
            if parameters.set[index] {
                return Err(ParameterError::Twice { scheme: scheme.id(), name: name.clone() });
            }
            parameters.values[index] = Some(scheme.parameters[index].checked(scheme, value.clone())?);
            parameters.set[index] = true;
        }
        for (index, parameter) in scheme.parameters.iter().enumerate() {
            if parameters.set[index] || parameter.needs_plan {
                continue;
            }
            let value = parameter.default.number(&parameters).map_err(|error| ParameterError::Default {
                scheme: scheme.id(),
                name: parameter.name.clone(),
                error: Box::new(error),
            })?;
            parameters.values[index] = Some(parameter.checked(scheme, value)?);
        }
        Ok(parameters)
    }

    /// All defaults.
    ///
    /// # Errors
    /// As [`Parameters::resolve`]; a loaded scheme's defaults have passed this already.
    pub fn defaults(scheme: &Scheme) -> Result<Self, ParameterError> {
        Self::resolve(scheme, &[])
    }

    /// These values with some replaced; defaults that depend on them follow.
    ///
    /// # Errors
    /// As [`Parameters::resolve`].
    pub fn and(&self, scheme: &Scheme, overrides: &[(String, Number)]) -> Result<Self, ParameterError> {
        let mut all: Vec<(String, Number)> = self.overrides(scheme);
        all.retain(|(name, _)| !overrides.iter().any(|(other, _)| other == name));
        all.extend_from_slice(overrides);
        Ok(Parameters { length: self.length.clone(), ..Self::resolve(scheme, &all)?.with_layer(self.layer) })
    }

    /// The same values in another transformer layer (only few schemes look at it).
    #[must_use]
    pub fn with_layer(mut self, layer: u32) -> Self {
        self.layer = layer;
        self
    }

    /// Transformer layer, from 0.
    #[must_use]
    pub fn layer(&self) -> u32 {
        self.layer
    }

    /// The same values for a sequence of this length: its largest position plus 1.
    #[must_use]
    pub fn with_length(mut self, length: Number) -> Self {
        self.length = Some(length);
        self
    }

    /// Length of the sequence that a plan is for; 1 where nothing was said.
    #[must_use]
    pub fn length(&self) -> Number {
        self.length.clone().unwrap_or(Number::ONE)
    }

    /// Value by index in the scheme; `None` beyond the last, or if it needs a rotation plan.
    #[must_use]
    pub fn by_index(&self, index: usize) -> Option<&Number> {
        self.values.get(index).and_then(Option::as_ref)
    }

    /// Value by name.
    #[must_use]
    pub fn get(&self, scheme: &Scheme, name: &str) -> Option<&Number> {
        scheme.parameters.iter().position(|parameter| parameter.name == name).and_then(|index| self.by_index(index))
    }

    /// What was set, as it could be passed to [`Parameters::resolve`] again, in the scheme's order.
    #[must_use]
    pub fn overrides(&self, scheme: &Scheme) -> Vec<(String, Number)> {
        let named = scheme.parameters.iter().zip(&self.values).zip(&self.set);
        named
            .filter(|(_, set)| **set)
            .filter_map(|((parameter, value), _)| Some((parameter.name.clone(), value.clone()?)))
            .collect()
    }

    /// All values that are known, by name, in the scheme's order.
    #[must_use]
    pub fn named(&self, scheme: &Scheme) -> Vec<(String, Number)> {
        let named = scheme.parameters.iter().zip(&self.values);
        named.filter_map(|(parameter, value)| Some((parameter.name.clone(), value.clone()?))).collect()
    }
}

/// Defaults may use earlier parameters.
impl Env for Parameters {
    fn value(&self, name: NameId) -> Result<Number, EvalError> {
        match name {
            Name::Param(index) => self.by_index(index).cloned().ok_or(EvalError::NoValue(name)),
            Name::Layer => Ok(Number::from_i64(i64::from(self.layer))),
            Name::Length => Ok(self.length()),
            _ => Err(EvalError::NoValue(name)),
        }
    }

    fn over_cells(&self, _fold: Fold, _inner: &Expr) -> Result<Number, EvalError> {
        Err(EvalError::NoCells)
    }
}

impl Parameter {
    /// Whether the parameter may have this value.
    ///
    /// # Errors
    /// What is allowed and what was found, such as "must be at least 0, found -1".
    pub fn check(&self, value: &Number) -> Result<(), String> {
        let expected = match (&self.min, &self.max) {
            _ if self.integer && !value.is_integer() => "an integer".to_owned(),
            (Some(min), _) if value < min => format!("at least {min}"),
            (_, Some(max)) if value > max => format!("at most {max}"),
            _ => return Ok(()),
        };
        Err(format!("must be {expected}, found {value}"))
    }

    /// [`Parameter::check`], as an error that names the scheme.
    pub(super) fn checked(&self, scheme: &Scheme, value: Number) -> Result<Number, ParameterError> {
        let refused = |wrong| ParameterError::Value { scheme: scheme.id(), name: self.name.clone(), wrong };
        self.check(&value).map_err(refused).map(|()| value)
    }
}

/// Why parameters have no values.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// The scheme has no parameter of this name.
    #[error("{scheme}: {why}")]
    Unknown {
        /// Scheme and profile.
        scheme: String,
        /// Name that was set, those there are, and which may have been meant.
        why: String,
    },
    /// One parameter was set twice.
    #[error("parameter `{name}` of {scheme} is set twice")]
    Twice {
        /// Scheme and profile.
        scheme: String,
        /// Name that was set.
        name: String,
    },
    /// The value is not allowed.
    #[error("parameter `{name}` of {scheme} {wrong}")]
    Value {
        /// Scheme and profile.
        scheme: String,
        /// Name of the parameter.
        name: String,
        /// What is allowed and what was found.
        wrong: String,
    },
    /// The default cannot be computed.
    #[error("parameter `{name}` of {scheme} has no default here: {error}")]
    Default {
        /// Scheme and profile.
        scheme: String,
        /// Name of the parameter.
        name: String,
        /// Why not.
        error: Box<EvalError>,
    },
}
