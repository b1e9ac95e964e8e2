//! What a backend says of itself, what is not judged because of it, and where it is likely to be a slip.

use schemars::JsonSchema;
use serde::Serialize;

use super::context::Context;
use super::event::FORMAT;
use super::not_offered::{NotOffered, not_offered};
use super::slips::{Slip, slips};
use super::supplied::supplied;
use super::unjudged::{Unjudged, unjudged};
use crate::backend::manifest::LevelManifest;
use crate::backend::{Backend, Manifest};
use crate::case::Level;

/// A manifest as ropecheck understands it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Description {
    /// Version of this form.
    pub format: u32,
    /// Name of the backend.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The device that memory of calls is on; none: the host's memory.
    pub device: Option<String>,
    /// Its levels.
    pub levels: Vec<DescribedLevel>,
    /// What no run judges, by the key of the manifest that says so.
    pub not_judged: Vec<Unjudged>,
    /// Checks that judge nothing, or not in every band.
    pub checks_not_judged: Vec<UnjudgedCheck>,
    /// What is legal and probably not meant.
    pub warnings: Vec<Slip>,
    /// Every key, with its default where the manifest does not have it.
    #[schemars(with = "serde_json::Value")]
    pub manifest: Manifest,
}

/// A level of a backend.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DescribedLevel {
    /// Level.
    pub level: Level,
    /// What it takes from the suite.
    pub consumes: Vec<String>,
    /// Schemes that it offers.
    pub schemes: Vec<String>,
    /// Its contract with each storage type; none on level positions.
    pub contracts: Vec<DescribedContract>,
    /// What the suite supplies, so that nobody judges it.
    pub supplied: Vec<String>,
}

/// The contract of a storage type.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DescribedContract {
    /// Storage type.
    pub dtype: String,
    /// As `--contract` takes it.
    pub contract: String,
}

/// A check that judges nothing of some schemes.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct UnjudgedCheck {
    /// Level.
    pub level: Level,
    /// The check, and the band of positions where it is about one.
    pub check: String,
    /// Why.
    pub why: String,
    /// Schemes that this is about.
    pub schemes: Vec<String>,
}

/// Describes a backend.
#[must_use]
pub fn description(backend: &dyn Backend, context: &Context) -> Description {
    let manifest = backend.manifest();
    let NotOffered { gaps, idle } = not_offered(manifest, context);
    Description {
        format: FORMAT,
        name: manifest.name.to_string(),
        version: manifest.version.to_string(),
        device: backend.device().map(|name| name.to_string()),
        levels: levels(manifest),
        not_judged: unjudged(manifest),
        checks_not_judged: gaps
            .into_iter()
            .map(|((level, check, why), schemes)| UnjudgedCheck { level, check, why, schemes })
            .collect(),
        warnings: slips(manifest, (context.library, context.contracts), &idle, backend.device().is_some()),
        manifest: manifest.clone(),
    }
}

fn levels(manifest: &Manifest) -> Vec<DescribedLevel> {
    let one = |(level, offer): &(Level, LevelManifest)| DescribedLevel {
        level: *level,
        consumes: offer.consumes.iter().map(|what| what.name().to_owned()).collect(),
        schemes: offer.schemes.clone(),
        contracts: offer
            .contracts
            .iter()
            .map(|(dtype, contract)| DescribedContract { dtype: dtype.to_string(), contract: contract.to_string() })
            .collect(),
        supplied: supplied(manifest, &[*level]).into_iter().flat_map(|one| one.parts).collect(),
    };
    manifest.levels.iter().map(one).collect()
}
