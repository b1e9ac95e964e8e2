//! Where a statement was violated, and by which values.

use std::fmt;

use crate::numeric::Number;
use crate::positions::Segment;

/// A place in a sequence.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, schemars::JsonSchema)]
pub struct ViolationPlace {
    /// Index of the segment, and its text form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<(usize, String)>,
    /// Raw index of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<u64>,
    /// Frame of the segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<u32>,
    /// Frame, row and column of the cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<[u32; 3]>,
    /// Name of the axis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis: Option<String>,
    /// Channels of a head, for statements about frequencies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<u32>,
    /// Row of the axis map, where heads differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<u32>,
}

impl ViolationPlace {
    pub(super) fn of(index: usize, segment: &Segment) -> Self {
        ViolationPlace { segment: Some((index, segment.to_string())), ..ViolationPlace::default() }
    }
}

impl fmt::Display for ViolationPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some((index, text)) = &self.segment {
            parts.push(format!("segment {index} ({text})"));
        }
        if let Some(token) = self.token {
            parts.push(format!("token {token}"));
        }
        if let Some(frame) = self.frame {
            parts.push(format!("frame {frame}"));
        }
        if let Some([t, h, w]) = self.cell {
            parts.push(format!("cell (t, h, w) = ({t}, {h}, {w})"));
        }
        if let Some(head_dim) = self.head_dim {
            parts.push(format!("head_dim {head_dim}"));
        }
        if let Some(head) = self.head {
            parts.push(format!("head {head}"));
        }
        if let Some(axis) = &self.axis {
            parts.push(format!("axis {axis}"));
        }
        if parts.is_empty() { f.write_str("the whole sequence") } else { f.write_str(&parts.join(", ")) }
    }
}

/// A place where a statement does not hold.
#[derive(Debug, Clone, PartialEq, serde::Serialize, schemars::JsonSchema)]
pub struct Violation {
    /// Where.
    pub place: ViolationPlace,
    /// The condition that was false.
    pub formula: String,
    /// The names it uses, with their values there.
    #[serde(serialize_with = "texts")]
    #[schemars(with = "Vec<(String, String)>")]
    pub values: Vec<(String, Number)>,
    /// More, such as which two tokens collide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Exact numbers as text: JSON has none.
fn texts<S: serde::Serializer>(values: &[(String, Number)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|(name, value)| (name, value.to_string())))
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` is false", self.place, self.formula)?;
        if !self.values.is_empty() {
            let values: Vec<String> = self.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            write!(f, " with {}", values.join(", "))?;
        }
        if let Some(note) = &self.note {
            write!(f, "; {note}")?;
        }
        Ok(())
    }
}
