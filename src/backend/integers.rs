//! Sets of integers that a manifest allows.

use std::fmt;

use serde::Serialize;

/// Which integers a manifest allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Integers {
    /// Exactly these, ascending.
    List(Vec<i64>),
    /// min, min + multiple, ... up to max (multiples of `multiple` that lie within).
    Range {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// Must divide the value.
        multiple: i64,
    },
}

impl Integers {
    /// Whether `value` is allowed.
    #[must_use]
    pub fn allows(&self, value: i64) -> bool {
        match self {
            Integers::List(values) => values.contains(&value),
            Integers::Range { min, max, multiple } => value >= *min && value <= *max && value % multiple == 0,
        }
    }

    /// The largest allowed value that is at most `ceiling`.
    #[must_use]
    pub fn at_most(&self, ceiling: i64) -> Option<i64> {
        match self {
            Integers::List(values) => values.iter().copied().filter(|v| *v <= ceiling).max(),
            Integers::Range { min, max, multiple } => {
                let down = ceiling.min(*max).div_euclid(*multiple) * multiple;
                (down >= *min).then_some(down)
            }
        }
    }

    /// The allowed value that is nearest to another one; of two the smaller.
    #[must_use]
    pub fn nearest(&self, value: i64) -> Option<i64> {
        let (below, above) = (self.at_most(value), self.at_least(value));
        let away = |other: &i64| other.abs_diff(value);
        below.into_iter().chain(above).min_by_key(away)
    }

    /// The smallest allowed value that is at least `floor`.
    #[must_use]
    pub fn at_least(&self, floor: i64) -> Option<i64> {
        match self {
            Integers::List(values) => values.iter().copied().filter(|v| *v >= floor).min(),
            Integers::Range { min, max, multiple } => {
                let low = floor.max(*min);
                let up = low.checked_add(multiple - 1)?.div_euclid(*multiple) * multiple;
                (up <= *max).then_some(up)
            }
        }
    }
}

impl fmt::Display for Integers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Integers::List(values) => {
                f.write_str(&values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))?;
            }
            Integers::Range { min, max: i64::MAX, .. } => write!(f, "from {min} on")?,
            Integers::Range { min, max, .. } => write!(f, "{min} to {max}")?,
        }
        match self {
            Integers::Range { multiple, .. } if *multiple > 1 => write!(f, " that are multiples of {multiple}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_allowed_value_is_found_on_both_sides() {
        let even = Integers::Range { min: 3, max: 11, multiple: 2 };
        assert_eq!((even.at_most(9), even.at_most(3), even.at_most(99)), (Some(8), None, Some(10)));
        assert_eq!([1, 4, 7, 12].map(|v| even.nearest(v)), [Some(4), Some(4), Some(6), Some(10)]);
        let list = Integers::List(vec![2, 9]);
        assert_eq!([1, 5, 6, 40].map(|v| list.nearest(v)), [Some(2), Some(2), Some(9), Some(9)]);
        assert_eq!(Integers::List(Vec::new()).nearest(1), None);
    }
}
