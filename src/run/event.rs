//! What happens in a run, one thing after the other. Every report is a fold over these.

use schemars::JsonSchema;
use serde::Serialize;

use super::anchors::{Anchors, SpecStatements};
use super::config_in_force::ConfigInForce;
use super::controls::ControlResult;
use super::corpus::{CorpusInForce, CorpusKept};
use super::exit_code::ExitCode;
use super::expected::Expected;
use super::explanation::Diagnosis;
use super::grade::Grade;
use super::in_force::ContractInForce;
use super::max_fail::EnoughFailed;
use super::narrowing::Narrowing;
use super::out_of_time::OutOfTime;
use super::profile::Profile;
use super::proved::Unproved;
use super::reached::Reached;
use super::requirement::Required;
use super::result::{CheckResult, FailureReport};
use super::shard::Shard;
use super::supplied::Supplied;
use crate::backend::{Cage, Manifest};
use crate::case::Level;
use crate::check::Depth;
use crate::check::cover::Reach;
use crate::spec::library::AddedSpec;

/// Version of the form of events and of the JSON report; docs/reports.md says what it promises.
pub const FORMAT: u32 = 1;

/// One thing that happened.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run began: its backend is open and everything that was named exists.
    Started(Box<Started>),
    /// A control kernel was judged.
    Control(ControlResult),
    /// The specs and the reference were held against evidence from elsewhere.
    Anchor(Anchors),
    /// What the specs state of themselves was verified.
    Statements(SpecStatements),
    /// A check began on a group.
    UnitBegun(UnitName),
    /// A case failed. Where it is the first of its unit it was made small.
    Failure(Box<UnitFailure>),
    /// A failing case was made small.
    Shrunk(Shrunk),
    /// Something is worth saying of cases that held.
    Note(UnitNote),
    /// A check is through with a group. Its failures and notes came before.
    UnitDone(Box<CheckResult>),
    /// A failure that another check was to show, and none did: it is one of its own check, which was told of
    /// as done.
    Owed(Box<UnitFailure>),
    /// Failures of one kind were explained.
    Diagnosed(Box<Diagnosis>),
    /// The run is over.
    Finished(Box<Finished>),
}

/// The beginning of a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Started {
    /// Version of ropecheck.
    pub ropecheck: String,
    /// SHA-256 over all schemes, in name order.
    pub specs: String,
    /// Seed.
    pub seed: u64,
    /// Cases per check and band.
    pub cases: u32,
    /// How much of what the backend offers was to be reached.
    pub depth: Depth,
    /// The backend's name and version, from its manifest.
    pub backend: String,
    /// SHA-256 of the library that was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub library_sha256: Option<String>,
    /// What keeps the code under test from harm: what of it was in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cage: Option<Cage>,
    /// The device whose memory the calls use, for people: a verdict in JSON is about no machine.
    #[serde(skip)]
    pub device: Option<String>,
    /// True if the backend is ropecheck's own kernel.
    pub embedded: bool,
    /// What the backend says of itself.
    #[schemars(with = "serde_json::Value")]
    pub manifest: Manifest,
    /// What its outputs are held to, per level and storage type.
    pub contracts: Vec<ContractInForce>,
    /// What the user gave with `--contract`: a replay needs it again.
    pub contract_options: Vec<String>,
    /// What the suite supplies, so that nobody judges it.
    pub not_judged: Vec<Supplied>,
    /// The configuration file that options came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigInForce>,
    /// Cases that failed before, where some are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corpus: Option<CorpusInForce>,
    /// What the user narrowed the run to, so that the verdict is about no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub narrowed: Option<Narrowing>,
    /// Scheme files that the user added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added_specs: Vec<AddedSpec>,
    /// The part of a run that this is, where the run was cut into parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Checks on groups that will run.
    pub units: usize,
}

/// A check on a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnitName {
    /// Scheme and profile.
    pub scheme: String,
    /// Level.
    pub level: Level,
    /// Pairing; `-` on level positions.
    pub pairing: String,
    /// Storage type; `-` on level positions.
    pub dtype: String,
    /// Check or invariant.
    pub check: String,
}

impl UnitName {
    /// The name of a result.
    #[must_use]
    pub fn of(result: &CheckResult) -> UnitName {
        let CheckResult { scheme, level, pairing, dtype, check, .. } = result.clone();
        UnitName { scheme, level, pairing, dtype, check }
    }
}

/// A failure, and where it belongs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct UnitFailure {
    /// The check and the group.
    pub unit: UnitName,
    /// The failure.
    #[serde(flatten)]
    pub failure: FailureReport,
}

/// A case that was made small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Shrunk {
    /// Id of the case that failed first.
    pub id: String,
    /// That case.
    pub from: String,
    /// The smallest case found that fails in the same way.
    pub to: String,
}

/// A note, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnitNote {
    /// The check and the group.
    pub unit: UnitName,
    /// Position band.
    pub band: String,
    /// What there is to say.
    pub note: String,
}

/// The end of a run.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Finished {
    /// How far each level that knows positions was judged.
    pub reached: Vec<Reached>,
    /// What judged calls had of what each level offers.
    pub reach: Vec<Reach>,
    /// The arithmetic that the backend turned out to have.
    pub grades: Vec<Grade>,
    /// Groups of which nothing was proved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unproved: Vec<Unproved>,
    /// What was required of the run, and whether it was met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<Required>,
    /// Failures that are known of this backend, and whether they were as stated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<Expected>,
    /// What was left out because the time of the run was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_time: Option<OutOfTime>,
    /// What was left out because enough had failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enough_failed: Option<EnoughFailed>,
    /// Cases that failed and were added to those that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<CorpusKept>,
    /// What checks cost, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// What went wrong when the backend was asked to end, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<String>,
    /// Interrupted before the end.
    pub partial: bool,
    /// Why nothing was run, or why the run did not come to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The verdict in words.
    pub verdict: String,
    /// Exit code.
    pub exit_code: ExitCode,
}
