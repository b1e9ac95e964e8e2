//! What the user left out of a run: its verdict is about the rest.

use schemars::JsonSchema;
use serde::Serialize;

use super::context::Options;
use super::groups::{SelectionError, groups};
use super::preset::PresetInForce;
use crate::backend::Manifest;
use crate::case::Level;
use crate::check::{Depth, Group};
use crate::numeric::DType;
use crate::spec::Library;

/// What a run was narrowed to; what is empty was not narrowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Narrowing {
    /// Only these checks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// Only these schemes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemes: Vec<String>,
    /// Only these levels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Level>,
    /// Only these storage types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dtypes: Vec<DType>,
    /// Fewer cases per check and band than [`Options::CASES`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cases: Option<u32>,
    /// Less of what the backend offers than a run reaches of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<Depth>,
    /// Parameters of schemes that were set for the whole run, as `name=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// Only this model. What it stands for is not named again as schemes and parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<PresetInForce>,
}

impl Narrowing {
    /// What `options` leave out of what the backend could be asked; `units` are what they select. `None` if it is nothing:
    /// a selection of everything there is narrows nothing.
    ///
    /// # Errors
    /// As [`groups`].
    pub fn of(
        options: &Options,
        manifest: &Manifest,
        library: &Library,
        units: &[(Group, String)],
    ) -> Result<Option<Narrowing>, SelectionError> {
        let mut narrowing = Narrowing {
            cases: (options.cases < Options::CASES).then_some(options.cases),
            depth: (options.depth == Depth::Quick).then_some(options.depth),
            parameters: options.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            preset: options.preset.clone(),
            ..Narrowing::default()
        };
        if groups(manifest, library, &Options::default())?.len() > units.len() {
            narrowing.checks.clone_from(&options.checks);
            narrowing.schemes.clone_from(&options.schemes);
            narrowing.levels.clone_from(&options.levels);
            narrowing.dtypes.clone_from(&options.dtypes);
        }
        if let Some(preset) = &options.preset {
            narrowing.parameters.retain(|set| !preset.parameters.contains(set));
            narrowing.schemes.retain(|scheme| *scheme != preset.scheme);
        }
        Ok((narrowing != Narrowing::default()).then_some(narrowing))
    }

    /// The options that narrowed it, as a command line has them.
    #[must_use]
    pub fn words(&self) -> String {
        let mut all: Vec<String> = Vec::new();
        let mut add = |option: &str, value: &dyn std::fmt::Display| all.push(format!("--{option} {value}"));
        self.preset.iter().for_each(|preset| add(&preset.option, &preset.value));
        self.checks.iter().for_each(|check| add("check", check));
        self.schemes.iter().for_each(|scheme| add("scheme", scheme));
        self.levels.iter().for_each(|level| add("level", level));
        self.dtypes.iter().for_each(|dtype| add("dtype", dtype));
        self.cases.iter().for_each(|cases| add("cases", cases));
        self.depth.iter().for_each(|depth| add("depth", &depth.name()));
        self.parameters.iter().for_each(|parameter| add("param", parameter));
        all.join(" ")
    }
}
