//! Positions on one axis: plain integers as long as they all are, exact numbers otherwise.

use std::cmp::Ordering;

use crate::numeric::Number;

/// Positions on one axis, in token order.
#[derive(Debug, Clone)]
pub enum Column {
    /// All are integers.
    Int(Vec<i64>),
    /// At least one is not.
    Exact(Vec<Number>),
}

impl Column {
    /// An empty column with room for some positions.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Column::Int(Vec::with_capacity(capacity))
    }

    /// Adds a position at the end.
    pub fn push(&mut self, value: Number) {
        match self {
            Column::Int(values) => match value.to_i64() {
                Some(value) => values.push(value),
                None => {
                    let mut exact = Vec::with_capacity(values.capacity().max(values.len() + 1));
                    exact.extend(values.iter().map(|&value| Number::from_i64(value)));
                    exact.push(value);
                    *self = Column::Exact(exact);
                }
            },
            Column::Exact(values) => values.push(value),
        }
    }

    /// Number of positions.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Column::Int(values) => values.len(),
            Column::Exact(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One position.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Number> {
        match self {
            Column::Int(values) => values.get(index).map(|&value| Number::from_i64(value)),
            Column::Exact(values) => values.get(index).cloned(),
        }
    }

    /// Whether all positions are integers.
    #[must_use]
    pub fn is_integral(&self) -> bool {
        matches!(self, Column::Int(_))
    }

    /// Order of two positions; indices beyond the end are equal to each other and above all others.
    #[must_use]
    pub fn compare(&self, a: usize, b: usize) -> Ordering {
        let by = |a: Option<Ordering>, (has_a, has_b): (bool, bool)| a.unwrap_or(has_b.cmp(&has_a));
        match self {
            Column::Int(values) => {
                let (a, b) = (values.get(a), values.get(b));
                by(a.zip(b).map(|(a, b)| a.cmp(b)), (a.is_some(), b.is_some()))
            }
            Column::Exact(values) => {
                let (a, b) = (values.get(a), values.get(b));
                by(a.zip(b).map(|(a, b)| a.cmp(b)), (a.is_some(), b.is_some()))
            }
        }
    }

    /// All positions as exact numbers.
    #[must_use]
    pub fn to_numbers(&self) -> Vec<Number> {
        match self {
            Column::Int(values) => values.iter().map(|&value| Number::from_i64(value)).collect(),
            Column::Exact(values) => values.clone(),
        }
    }

    /// All positions as the f64 nearest to them.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Column::Int(values) => values.iter().map(|&value| Number::from_i64(value).to_f64()).collect(),
            Column::Exact(values) => values.iter().map(Number::to_f64).collect(),
        }
    }
}

impl FromIterator<Number> for Column {
    fn from_iter<I: IntoIterator<Item = Number>>(values: I) -> Self {
        let values = values.into_iter();
        let mut column = Column::with_capacity(values.size_hint().0);
        values.for_each(|value| column.push(value));
        column
    }
}

/// Columns are equal if their positions are, however they are held.
impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Column::Int(a), Column::Int(b)) => a == b,
            _ => self.len() == other.len() && (0..self.len()).all(|index| self.get(index) == other.get(index)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_the_same_however_it_is_held() {
        let numbers = [3, -1, 7].map(Number::from_i64);
        let column: Column = numbers.iter().cloned().collect();
        assert!(column.is_integral());
        let exact = Column::Exact(numbers.to_vec());
        assert_eq!((column.len(), exact.len()), (3, 3));
        assert_eq!(column, exact);
        assert_ne!(column, Column::Exact(numbers[..2].to_vec()));
        assert_ne!(exact, Column::Int(vec![3, -1, 8]));
        assert_eq!(exact.to_f64(), [3.0, -1.0, 7.0]);
        assert_eq!((column.compare(0, 1), column.compare(1, 2)), (Ordering::Greater, Ordering::Less));
        // Beyond the end is above all others.
        assert_eq!((exact.compare(2, 3), column.compare(4, 3)), (Ordering::Less, Ordering::Equal));

        let half = Number::parse("1/2").expect("a fraction");
        let mut column = column;
        column.push(half.clone());
        column.push(Number::ONE);
        assert!(!column.is_integral() && !column.is_empty());
        assert_eq!(column.to_numbers(), [&numbers[..], &[half, Number::ONE]].concat());
    }
}
