//! Which configuration file a run was made with.

use schemars::JsonSchema;
use serde::Serialize;

/// A configuration file, and what it had a part in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConfigInForce {
    /// The file, from the working folder.
    pub file: String,
    /// Keys that were taken from it.
    pub keys: Vec<String>,
    /// Keys of it in the place of which the command line had something else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<String>,
}

impl ConfigInForce {
    /// What there is to say of it in one line.
    #[must_use]
    pub fn words(&self) -> String {
        let of = |keys: &[String]| if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
        let replaced = if self.replaced.is_empty() {
            String::new()
        } else {
            format!("; the command line has its own {}", of(&self.replaced))
        };
        format!("{}: {}{replaced}", self.file, of(&self.keys))
    }
}
