//! Where a failure was seen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::Scalar;
use crate::positions::Layout;

/// Query or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Query heads.
    Q,
    /// Key heads.
    K,
}

/// What a token is in its layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// Index of its segment.
    pub segment: usize,
    /// Frame, row and column in the segment's grid; none for text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<[u64; 3]>,
}

/// An axis, and a token's position on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AxisAt {
    /// Name of the axis; none for a pair that no axis turns.
    pub name: Option<String>,
    /// Position of the token on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Scalar>,
}

impl AxisAt {
    /// An axis by name.
    #[must_use]
    pub fn named(name: &str) -> AxisAt {
        AxisAt { name: Some(name.to_owned()), position: None }
    }
}

/// A place in what a backend wrote. What is not known, or of no account, is left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Place {
    /// Query or key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// Batch row, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<usize>,
    /// Packed sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<usize>,
    /// Token of its layout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<u64>,
    /// What the token is in its layout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<Cell>,
    /// Head of its side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<usize>,
    /// Channel of the head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<usize>,
    /// Pair of the head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<usize>,
    /// The axis that turns the pair, or that a position is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis: Option<AxisAt>,
}

impl Place {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Place::default()
    }

    /// A token of a layout.
    #[must_use]
    pub fn token(layout: &Layout, token: u64) -> Place {
        let cell = layout.locate(token).map(|(segment, inside)| {
            let grid = layout.segments()[segment].grid().map(|[_, h, w]| {
                let (h, w) = (u64::from(h), u64::from(w));
                [inside / (h * w), inside % (h * w) / w, inside % w]
            });
            Cell { segment, grid }
        });
        Place { token: Some(token), cell, ..Place::default() }
    }

    /// A token of one of several batch rows.
    #[must_use]
    pub fn token_of_row(layouts: &[Layout], row: usize, token: u64) -> Place {
        let row = (layouts.len() > 1).then_some(row);
        match layouts.get(row.unwrap_or(0)) {
            Some(layout) => Place { row, ..Place::token(layout, token) },
            None => Place { row, token: Some(token), ..Place::default() },
        }
    }

    /// A token of packed sequences, by its place in the packed row.
    #[must_use]
    pub fn packed_token(layouts: &[Layout], token: u64) -> Place {
        let mut rest = token;
        for (sequence, layout) in layouts.iter().enumerate() {
            if rest < layout.tokens() {
                return Place { sequence: Some(sequence), ..Place::token(layout, rest) };
            }
            rest -= layout.tokens();
        }
        Place { token: Some(token), ..Place::default() }
    }
}
