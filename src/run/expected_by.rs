//! Why a failure is expected.

use schemars::JsonSchema;
use serde::Serialize;

/// What makes a failure an expected one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExpectedBy {
    /// Line of the expectation in the configuration.
    pub line: usize,
    /// Why it is expected.
    pub reason: String,
    /// Where more is said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}
