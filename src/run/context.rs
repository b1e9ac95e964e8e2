//! What a run judges with, and what it was asked to run.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::config_in_force::ConfigInForce;
use super::corpus::Corpus;
use super::expectation::Expectations;
use super::journal::JournalFile;
use super::preset::PresetInForce;
use super::replay_command::ReplayCommand;
use super::requirement::Requirement;
use super::shard::Shard;
use crate::backend::{Backend, Manifest};
use crate::case::Level;
use crate::check::{Depth, Generator, Group, Harness, HeadPreset};
use crate::contract::ContractTable;
use crate::numeric::{DType, Number};
use crate::rotation::PlanCache;
use crate::spec::Library;

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Scheme ids, with or without profile; empty: all.
    pub schemes: Vec<String>,
    /// Storage types; empty: all that the backend has.
    pub dtypes: Vec<DType>,
    /// Check ids; empty: all.
    pub checks: Vec<String>,
    /// Levels; empty: all that the backend has.
    pub levels: Vec<Level>,
    /// Cases per check and band.
    pub cases: u32,
    /// How much of what the backend offers is to be reached.
    pub depth: Depth,
    /// How long the run may take: nothing new begins afterwards.
    pub time: Option<Duration>,
    /// Checks on groups that may fail before no more of them is run.
    pub max_fail: Option<NonZeroU32>,
    /// What is required of the run.
    pub requirements: Vec<Requirement>,
    /// Seed.
    pub seed: u64,
    /// Parameters set for the whole run.
    pub parameters: Vec<(String, Number)>,
    /// Heads of a model, which alone are tried.
    pub heads: Option<HeadPreset>,
    /// The model that schemes, parameters and heads come from.
    pub preset: Option<PresetInForce>,
    /// Worker threads.
    pub threads: usize,
    /// Each check stops at its first failure, which is not made smaller.
    pub first_failure_only: bool,
    /// Whether failures are explained: run again on emulated kernels with known defects.
    pub diagnosis: bool,
    /// How a case is run again.
    pub command: ReplayCommand,
    /// The configuration file that options came from.
    pub config: Option<ConfigInForce>,
    /// Failures that are known.
    pub expectations: Option<Expectations>,
    /// Cases that failed before, and where those that fail now are kept.
    pub corpus: Option<Corpus>,
    /// Whether it is measured what checks cost.
    pub profile: bool,
    /// Where results are kept, so that a run that was killed can go on.
    pub journal: Option<JournalFile>,
    /// The part of the run that is to run, where it is cut into parts.
    pub shard: Option<Shard>,
    /// What was given on the command line, by which the parts of a run are put together.
    pub arguments: Vec<String>,
}

impl Options {
    /// Cases per check and band of a run that nobody narrowed.
    pub const CASES: u32 = 2;
}

/// Everything that a run judges with.
pub struct Context<'a> {
    /// Every scheme.
    pub library: &'a Library,
    /// Contracts.
    pub contracts: &'a ContractTable,
    /// Rotation plans.
    pub plans: PlanCache,
    /// Set by the signal handler: the run stops and reports what it has.
    pub interrupted: &'a AtomicBool,
}

impl<'a> Context<'a> {
    /// What a check needs to judge a backend.
    pub fn harness<'s>(&'s self, backend: &'s mut dyn Backend) -> Harness<'s> {
        let Context { library, contracts, plans, .. } = self;
        Harness { backend, library, plans, contracts, records: false, worst: 0.0 }
    }

    /// What makes the cases of a group; `None` if there is no such scheme, or the backend has no such level.
    pub fn generator<'s>(
        &'s self,
        group: &Group,
        manifest: &'s Manifest,
        options: &'s Options,
    ) -> Option<Generator<'s>> {
        Some(Generator {
            group: group.clone(),
            scheme: self.library.get(&group.scheme).ok()?,
            library: self.library,
            plans: &self.plans,
            manifest,
            level: manifest.level(group.level)?,
            cases: options.cases,
            depth: options.depth,
            seed: options.seed,
            parameters: &options.parameters,
            cover: &[],
            whole: std::sync::OnceLock::new(),
        })
    }

    /// Whether the user has stopped the run.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
