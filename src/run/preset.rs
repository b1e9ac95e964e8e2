//! The model that a run is narrowed to, as reports have it.

use schemars::JsonSchema;
use serde::Serialize;

/// The model that a run is narrowed to, and what that means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PresetInForce {
    /// `preset` or `from-hf`.
    pub option: String,
    /// The preset, or the file.
    pub value: String,
    /// Scheme and profile.
    pub scheme: String,
    /// Parameters of the scheme, as `name=value`.
    pub parameters: Vec<String>,
    /// Query heads.
    pub q_heads: u32,
    /// Key heads.
    pub k_heads: u32,
    /// Channels of a head.
    pub head_dim: u32,
    /// Channels of a head that rotate.
    pub rotary_dim: u32,
    /// Positions that the model was made for. The run is not narrowed to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_positions: Option<usize>,
    /// Type of the model's weights. The run is not narrowed to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
}

impl PresetInForce {
    /// The option that narrowed the run, as a command line has it.
    #[must_use]
    pub fn words(&self) -> String {
        format!("--{} {}", self.option, self.value)
    }
}
