//! The list of exported cases, `index.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of the form of these files.
pub const FORMAT: u32 = 1;
/// Most cases of an export.
pub const MAX_CASES: usize = 2000;
/// The name of the file.
pub const INDEX: &str = "index.json";

/// What was exported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Version of the form of these files.
    pub format: u32,
    /// Version of ropecheck that exported it.
    pub ropecheck: String,
    /// Seed of the cases.
    pub seed: u64,
    /// What the kernel takes: a manifest as in docs/abi.md.
    pub manifest: serde_json::Value,
    /// `--contract` texts that were in force.
    pub contracts: Vec<String>,
    /// How many cases are left out, by reason.
    pub left_out: BTreeMap<String, usize>,
    /// Case by case.
    pub cases: Vec<VectorCase>,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorCase {
    /// The file with its inputs, and the name of the one for its outputs. It has no path.
    pub file: String,
    /// The id, stable under a seed.
    pub id: String,
    /// The case, as `replay` takes it.
    pub case: String,
    /// SHA-256 of the file with its inputs.
    pub inputs_sha256: String,
    /// `positions`, `rotate`, `fused` or `apply`.
    pub level: String,
    /// Scheme.
    pub scheme: String,
    /// Profile.
    pub profile: String,
    /// Names of the scheme's axes.
    pub axes: Vec<String>,
    /// The nearest f64 of each scheme parameter.
    pub parameters: BTreeMap<String, f64>,
    /// Widths, pairing and the like; none on level positions.
    pub plan: Option<VectorPlan>,
    /// The segments of each row, where layouts are given; else empty.
    pub layouts: Vec<Vec<VectorSegment>>,
    /// First token of each row that is asked for, on levels positions and fused.
    pub token_start: usize,
    /// Tensors of the file with its outputs, by name.
    pub outputs: BTreeMap<String, VectorTensor>,
}

/// The rotation plan, without its tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorPlan {
    /// `half` or `adjacent`.
    pub pairing: String,
    /// Channels of a head.
    pub head_dim: usize,
    /// Rotated channels.
    pub rotary_dim: usize,
    /// First rotated channel.
    pub rotary_offset: usize,
    /// 1 or -1.
    pub direction: i32,
    /// Factor on cosines and sines.
    pub attention_scaling: f64,
    /// The scheme's base, where it is given.
    pub base: Option<f64>,
    /// Pairs of each axis, where they are given.
    pub sections: Option<Vec<i64>>,
    /// Whether the sections cycle.
    pub interleaved: bool,
}

/// A segment of a layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorSegment {
    /// `text`, `image` or `video`.
    pub kind: String,
    /// T, H, W; 0 for text.
    pub grid: [i64; 3],
    /// Tokens.
    pub tokens: i64,
    /// Seconds per frame, numerator and denominator.
    pub seconds: [i64; 2],
}

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorTensor {
    /// Type of its elements, as safetensors names it.
    pub dtype: String,
    /// Elements per dimension.
    pub shape: Vec<usize>,
}

/// Why bytes are no index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IndexError(pub String);

/// The name of the file of a case.
#[must_use]
pub(super) fn file_name(number: usize) -> String {
    format!("{number:04}.safetensors")
}

impl Index {
    /// An index without cases, of a manifest.
    #[must_use]
    pub fn new(manifest: serde_json::Value) -> Index {
        Index {
            format: FORMAT,
            ropecheck: env!("CARGO_PKG_VERSION").into(),
            seed: 0,
            manifest,
            contracts: Vec::new(),
            left_out: BTreeMap::new(),
            cases: Vec::new(),
        }
    }

    /// Reads an index.
    ///
    /// # Errors
    /// The first thing that is not as it must be.
    pub fn read(bytes: &[u8]) -> Result<Index, IndexError> {
        let index: Index = serde_json::from_slice(bytes).map_err(|e| IndexError(e.to_string()))?;
        if index.format != FORMAT {
            let found = index.format;
            return Err(IndexError(format!("format: expected {FORMAT}, found {found}: another version wrote it")));
        }
        if index.cases.is_empty() || index.cases.len() > MAX_CASES {
            let found = index.cases.len();
            return Err(IndexError(format!("cases: expected 1 to {MAX_CASES}, found {found}")));
        }
        for (number, case) in index.cases.iter().enumerate() {
            let expected = file_name(number);
            // So no name leads out of the folder.
            if case.file != expected {
                let found = &case.file;
                return Err(IndexError(format!("cases[{number}].file: expected {expected:?}, found {found:?}")));
            }
        }
        Ok(index)
    }
}
