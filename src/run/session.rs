//! A run: controls first, then anchors, then every selected check on every group. It says what happens, as it
//! happens.

use std::collections::BTreeSet;

use super::anchors::{anchors, statements};
use super::context::{Context, Options};
use super::controls::controls;
use super::covers::covers;
use super::diagnosis::diagnose;
use super::digest::digest;
use super::event::{Event, Started};
use super::exit_code::{ExitCode, RunError};
use super::folded::{Folded, Observer};
use super::groups::{SelectionError, groups};
use super::in_force::{contracts_exist, contracts_in_force};
use super::journal::{Journal, JournalFile, RunId, digest_json, digest_of_self};
use super::narrowing::Narrowing;
use super::out_of_time::Deadline;
use super::report::RunReport;
use super::result::CheckResult;
use super::run_units::run_units;
use super::shard::Shard;
use super::supplied::supplied;
use super::thinned::thinned;
use crate::backend::BackendFactory;
use crate::case::Level;
use crate::check::Group;
use crate::check::cover::Covers;
use crate::spec::Library;
use crate::spec::Parameters;

/// A run that has not begun.
pub struct Session<'a> {
    /// What starts the backend.
    pub factory: &'a dyn BackendFactory,
    /// What it is judged with.
    pub context: &'a Context<'a>,
    /// What is to run.
    pub options: &'a Options,
}

impl Session<'_> {
    /// Runs to the end, and says what was found. An error is the end of a run like any other.
    pub fn run(&self, observer: &mut dyn Observer) -> RunReport {
        let deadline = Deadline::new(self.options.time);
        let mut folded = Folded::new(observer, Covers::default());
        let error = self.judge(deadline, &mut folded).err();
        let whole = self.options.shard.is_none();
        if whole {
            folded.settle();
        }
        let explains = whole && error.is_none() && self.options.diagnosis && !deadline.is_over();
        let diagnoses = explains.then(|| diagnose(self.factory, self.context, self.options, &folded.report));
        diagnoses.into_iter().flatten().for_each(|one| folded.event(Event::Diagnosed(Box::new(one))));
        folded.finish(self.context, self.options, error)
    }

    fn judge(&self, deadline: Deadline, folded: &mut Folded) -> Result<(), RunError> {
        let Session { factory, context, options } = self;
        let backend = factory.start()?;
        let (whole, device) = (backend.manifest().clone(), backend.device().map(str::to_owned));
        let (library_sha256, cage) = (backend.digest().map(str::to_owned), backend.cage());
        drop(backend);
        contracts_exist(&whole, context.contracts)?;
        let manifest = options.narrowed(&whole)?;
        let units = groups(&manifest, context.library, options)?;
        let narrowed = Narrowing::of(options, &manifest, context.library, &units)?;
        if options.expectations.is_some() {
            let all = groups(&manifest, context.library, &Options::default())?;
            folded.planned = all.iter().map(|(group, id)| CheckResult::new(group, id)).collect();
        }
        let corpus = options.corpus.as_ref();
        let has_known = |unit: &(Group, String)| corpus.is_some_and(|corpus| corpus.has(unit, context.library));
        let units = thinned(units, (options.seed, options.depth), has_known);
        parameters_exist(context.library, &units, options)?;
        let of_units: BTreeSet<Level> = units.iter().map(|(group, _)| group.level).collect();
        let levels: Vec<Level> = Level::ALL.into_iter().filter(|l| of_units.contains(l)).collect();
        let started = Started {
            ropecheck: env!("CARGO_PKG_VERSION").into(),
            specs: digest(context.library),
            seed: options.seed,
            cases: options.cases,
            depth: options.depth,
            backend: format!("{} {}", manifest.name, manifest.version),
            library_sha256,
            cage,
            device,
            embedded: factory.name() == "host",
            contracts: contracts_in_force(&manifest, context.contracts, &levels),
            contract_options: context.contracts.options(),
            not_judged: supplied(&manifest, &levels),
            config: options.config.clone(),
            corpus: corpus.and_then(|all| all.in_force(&units, &manifest, context.library, &options.parameters)),
            narrowed,
            added_specs: context.library.added().to_vec(),
            shard: None,
            units: units.len(),
            manifest: manifest.clone(),
        };
        let journal = options.journal.as_ref().map(|file| journal(file, &started, options, &units)).transpose()?;
        let mine = options.shard.map(|shard| shard.places(&units));
        let mine: Option<Vec<_>> = mine.map(|places| places.into_iter().map(|at| units[at].clone()).collect());
        let to_run = mine.as_ref().unwrap_or(&units);
        folded.event(Event::Started(Box::new(Started { shard: options.shard, units: to_run.len(), ..started })));
        let schemes: Vec<String> =
            units.iter().map(|(g, _)| g.scheme.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        folded.covers = covers(&manifest, context, options, &units);
        for control in controls(context, &schemes[0], options.seed) {
            folded.event(Event::Control(control));
        }
        if options.shard.is_none() {
            // They are about specs alone: once is enough, when the parts are put together.
            folded.event(Event::Anchor(anchors(context.library, &schemes)));
            folded.event(Event::Statements(statements(context.library, &schemes)));
        }
        run_units(*factory, context, options, to_run, (deadline, journal.as_ref()), folded)?;
        journal.map_or(Ok(()), |journal| journal.finish(context.is_interrupted()))
    }
}

/// The journal of a run that is about to begin.
fn journal(
    file: &JournalFile,
    started: &Started,
    options: &Options,
    units: &[(Group, String)],
) -> Result<Journal, RunError> {
    if started.library_sha256.is_none() && !started.embedded {
        let why = "a journal is of a library or of the embedded kernel: a program may be another one by the next run";
        return Err(RunError::usage(why));
    }
    let set: Vec<String> = options.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let names: Vec<String> = units.iter().map(|(group, id)| format!("{id} {group:?}")).collect();
    let run = RunId {
        ropecheck: digest_of_self()?,
        library: started.library_sha256.clone(),
        seed: started.seed,
        specs: started.specs.clone(),
        settings: digest_json(&(started, set))?,
        asked: digest_json(&(format!("{:?}", options.requirements), options.diagnosis))?,
        units: digest_json(&names)?,
        shard: options.shard,
        arguments: options.arguments.clone(),
    };
    let places = |shard: Shard| shard.places(units);
    Journal::open(file, &run, &places)
}

impl From<SelectionError> for RunError {
    fn from(error: SelectionError) -> RunError {
        match error {
            SelectionError::Unknown(why) => RunError::new(ExitCode::Usage, why),
            SelectionError::Empty(why) => RunError::new(ExitCode::NothingRan, why),
        }
    }
}

/// A parameter must exist in every selected scheme; otherwise nobody knows what was run.
fn parameters_exist(library: &Library, units: &[(Group, String)], options: &Options) -> Result<(), RunError> {
    for (group, _) in units {
        if let Ok(scheme) = library.get(&group.scheme) {
            Parameters::resolve(scheme, &options.parameters).map_err(|e| RunError::new(ExitCode::Usage, e))?;
        }
    }
    Ok(())
}
