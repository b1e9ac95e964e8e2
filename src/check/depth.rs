//! How much of what a manifest offers a run is to reach.

use schemars::JsonSchema;
use serde::Serialize;

/// How much of what a manifest offers a run is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Every class once.
    Quick,
    /// Every two classes together, and every three of modes.
    #[default]
    Default,
    /// More of these, and larger calls.
    Deep,
}

impl Depth {
    /// Every depth, in rising order.
    pub const ALL: [Depth; 3] = [Depth::Quick, Depth::Default, Depth::Deep];

    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Depth::Quick => "quick",
            Depth::Default => "default",
            Depth::Deep => "deep",
        }
    }
}
