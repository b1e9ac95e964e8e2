//! Kernels that are wrong in one region alone, a class of calls or two classes together: how many of them a run kills.
//!
//! A run kills such a kernel if a judged call lies in its region, so that the fate of each follows from the calls of one run
//! of the right kernel. Some are made and run all the same, and must fare as computed.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use crate::backend::{Backend, BackendFactory, StartError};
use crate::case::{Case, Level};
use crate::check::cover::{Class, Covers, Met};
use crate::check::{CATALOGUE, Depth, Generator, Stop};
use crate::fault::{Region, Spoiled};
use crate::numeric::Rng;
use crate::run::context::{Context, Options};
use crate::run::covers::covers;
use crate::run::exit_code::{ExitCode, RunError};
use crate::run::groups::groups;
use crate::run::in_order::in_order;
use crate::run::item::Item;

/// Share of the classes that a run of the default depth must kill, in percent; at depth quick all.
const CLASSES: u64 = 99;
/// Share of the pairs of classes that a run of the default depth must kill, in percent.
const PAIRS: u64 = 95;
/// Survivors of a level that a report names.
const NAMED: usize = 40;

/// How kernels that are wrong in one region are tried.
#[derive(Debug, Clone, Copy)]
pub struct RegionOptions {
    /// How much of what the backend offers the run is to reach.
    pub depth: Depth,
    /// Seed of the run, and of which kernels are made.
    pub seed: u64,
    /// Kernels that are made and run.
    pub sample: usize,
    /// Threads.
    pub threads: usize,
}

/// How many of so many kernels a run kills.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Killed {
    /// Those that it kills.
    pub killed: u64,
    /// All of them.
    pub all: u64,
}

impl Killed {
    fn add(&mut self, killed: bool) {
        self.killed += u64::from(killed);
        self.all += 1;
    }

    /// Whether it is at least this share, in percent.
    #[must_use]
    pub fn is_share(&self, percent: u64) -> bool {
        self.killed * 100 >= self.all * percent
    }
}

/// The kernels of one level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LevelRegions {
    /// The level.
    pub level: Level,
    /// Kernels that are wrong in one class.
    pub classes: Killed,
    /// Kernels that are wrong where two classes meet.
    pub pairs: Killed,
    /// Pairs of classes that no call of bounded size can have, for which there is no kernel.
    pub impossible: u64,
    /// Regions of kernels that survive, the first of them.
    pub survivors: Vec<String>,
}

/// What became of kernels that are wrong in one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RegionReport {
    /// Name and version of the backend.
    pub backend: String,
    /// Depth of the run.
    pub depth: Depth,
    /// Seed.
    pub seed: u64,
    /// Level by level.
    pub levels: Vec<LevelRegions>,
    /// Kernels that were made and run.
    pub run: u64,
    /// Of those the ones that were to be killed.
    pub run_killed: u64,
    /// Regions whose kernel did not fare as computed.
    pub disagree: Vec<String>,
}

impl RegionReport {
    /// Classes and pairs of all levels together.
    #[must_use]
    pub fn all(&self) -> (Killed, Killed) {
        let sum = |of: fn(&LevelRegions) -> Killed| {
            self.levels
                .iter()
                .map(of)
                .fold(Killed::default(), |sum, one| Killed { killed: sum.killed + one.killed, all: sum.all + one.all })
        };
        (sum(|level| level.classes), sum(|level| level.pairs))
    }

    /// 0 if enough are killed and the kernels that ran fared as computed, else 5.
    #[must_use]
    pub fn exit(&self) -> ExitCode {
        let (classes, pairs) = self.all();
        let enough = match self.depth {
            Depth::Quick => classes.is_share(100),
            Depth::Default | Depth::Deep => classes.is_share(CLASSES) && pairs.is_share(PAIRS),
        };
        if enough && self.disagree.is_empty() { ExitCode::Conformant } else { ExitCode::ControlFailed }
    }
}

/// A case of the run, and the classes of its judged calls.
struct Judged {
    level: Level,
    item: String,
    case: Case,
    classes: Vec<u16>,
}

/// One or two classes of a level.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    level: Level,
    a: u16,
    b: u16,
    killed: bool,
}

/// Runs what reaches the classes of a backend against it, works out which kernels that are wrong in one region it kills, and
/// runs some of them.
///
/// # Errors
/// If the backend cannot be started or is wrong somewhere itself.
pub fn regions(
    factory: &dyn BackendFactory,
    context: &Context,
    options: RegionOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<RegionReport, RunError> {
    let manifest = factory.start()?.manifest().clone();
    let run = Options { cases: Options::CASES, depth: options.depth, seed: options.seed, ..Options::default() };
    let mut units = groups(&manifest, context.library, &run)?;
    units.retain(|(group, id)| CATALOGUE.iter().any(|check| check.id() == id && check.covers(group.level)));
    let covers = covers(&manifest, context, &run, &units);
    let mut judged = Vec::new();
    let mut met: BTreeMap<Level, Met> = BTreeMap::new();
    let mut wrong = None;
    let count = units.len();
    in_order(
        options.threads,
        &(0..count).collect::<Vec<_>>(),
        || factory.start(),
        |backend, index| {
            let (group, id) = &units[index];
            Some(one_unit(&covers, &context.generator(group, &manifest, &run)?, id, &mut **backend, context))
        },
        |_| (),
        |index, found| {
            progress(index + 1, count + options.sample);
            match found {
                Ok(found) => {
                    for (one, of_case) in found {
                        match met.get_mut(&one.level) {
                            Some(all) => all.merge(&of_case),
                            None => drop(met.insert(one.level, of_case)),
                        }
                        judged.push(one);
                    }
                }
                Err(why) => drop(wrong.get_or_insert(why)),
            }
        },
    )?;
    if let Some(why) = wrong {
        return Err(RunError::new(ExitCode::ControlFailed, why));
    }
    let mut report = RegionReport {
        backend: format!("{} {}", manifest.name, manifest.version),
        depth: options.depth,
        seed: options.seed,
        levels: Vec::new(),
        run: 0,
        run_killed: 0,
        disagree: Vec::new(),
    };
    let mut all = Vec::new();
    for (level, met) in &met {
        report.levels.extend(of_level(*level, &covers, met, &mut all));
    }
    Rng::new(options.seed).fork(0x0072_6567).shuffle(&mut all);
    all.truncate(options.sample);
    let fates = Fates { factory, context, covers: &covers, judged: &judged };
    in_order(
        options.threads,
        &(0..all.len()).collect::<Vec<_>>(),
        || fates.start(),
        |spoiled, index| Some((all[index], fates.of(spoiled, all[index]))),
        |_| (),
        |index, (chosen, killed)| {
            progress(count + index + 1, count + all.len());
            report.run += 1;
            report.run_killed += u64::from(chosen.killed);
            if killed != chosen.killed {
                report.disagree.push(name(&covers, chosen));
            }
        },
    )?;
    Ok(report)
}

/// The cases of a unit that reach classes, run against the right kernel.
fn one_unit(
    covers: &Covers,
    generator: &Generator,
    id: &str,
    backend: &mut dyn Backend,
    context: &Context,
) -> Result<Vec<(Judged, Met)>, String> {
    let level = generator.group.level;
    let Some((classes, rows)) = covers.level(level) else { return Ok(Vec::new()) };
    let generator =
        Generator { group: generator.group.clone(), cover: rows, whole: generator.whole.clone(), ..*generator };
    let Some(item) = Item::find(id, level, generator.scheme) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for planned in item.schedule(&generator).cases {
        let mut harness = context.harness(backend);
        harness.records = true;
        let measure = match item.judge(&planned.case, &mut harness) {
            Ok(measure) => measure,
            Err(Stop::NotJudged(_)) => continue,
            Err(_) => return Err(format!("the kernel is wrong itself: replay {}", planned.case)),
        };
        let mut met = Met::none(classes.all().len());
        measure.calls.iter().for_each(|call| classes.meet(&mut met, call));
        let numbers = (0..classes.all().len()).filter_map(|n| u16::try_from(n).ok());
        let there = numbers.filter(|n| met.has(*n, *n)).collect();
        found.push((Judged { level, item: id.to_owned(), case: planned.case, classes: there }, met));
    }
    Ok(found)
}

/// The regions of a level, of which each goes into `all`.
fn of_level(level: Level, covers: &Covers, met: &Met, all: &mut Vec<Chosen>) -> Option<LevelRegions> {
    let (classes, _) = covers.level(level)?;
    let mut found = LevelRegions {
        level,
        classes: Killed::default(),
        pairs: Killed::default(),
        impossible: 0,
        survivors: Vec::new(),
    };
    let numbers = || (0..classes.all().len()).filter_map(|n| u16::try_from(n).ok());
    for (a, b) in numbers().flat_map(|a| numbers().filter(move |b| *b >= a).map(move |b| (a, b))) {
        if a != b && classes.need_not_meet(a, b) {
            continue;
        }
        let killed = met.has(a, b);
        if a == b {
            found.classes.add(killed);
        } else if !killed && covers.is_impossible(level, a, b) {
            found.impossible += 1;
            continue;
        } else {
            found.pairs.add(killed);
        }
        let chosen = Chosen { level, a, b, killed };
        if !killed && (a == b || found.survivors.len() < NAMED) {
            found.survivors.push(name(covers, chosen));
        }
        all.push(chosen);
    }
    Some(found)
}

/// The classes of a region.
fn classes_of(covers: &Covers, chosen: Chosen) -> Vec<Class> {
    let Some((classes, _)) = covers.level(chosen.level) else { return Vec::new() };
    let mut numbers = vec![chosen.a, chosen.b];
    numbers.dedup();
    numbers.into_iter().filter_map(|number| classes.all().get(usize::from(number)).copied()).collect()
}

fn name(covers: &Covers, chosen: Chosen) -> String {
    let words: Vec<String> = classes_of(covers, chosen)
        .iter()
        .map(|class| format!("{} {}", class.dimension.name(), class.label()))
        .collect();
    format!("{}: {}", chosen.level, words.join(", "))
}

/// What kernels are made from and run on.
struct Fates<'a> {
    factory: &'a dyn BackendFactory,
    context: &'a Context<'a>,
    covers: &'a Covers,
    judged: &'a [Judged],
}

impl<'a> Fates<'a> {
    fn start(&self) -> Result<Spoiled<'a>, StartError> {
        Ok(Spoiled::new(self.factory.start()?, self.context.library))
    }

    /// Whether the kernel that is wrong in a region fails a case of the run. One that is to be killed does so in a case that
    /// has its classes; for one that is not, all are run.
    fn of(&self, spoiled: &mut Spoiled, chosen: Chosen) -> bool {
        let Some(region) = Region::of(&classes_of(self.covers, chosen)) else { return !chosen.killed };
        spoiled.set(Some(Arc::new(region)));
        let has = |one: &&Judged| {
            let there = |class| one.classes.binary_search(&class).is_ok();
            one.level == chosen.level && (!chosen.killed || there(chosen.a) && there(chosen.b))
        };
        let mut cases = self.judged.iter().filter(has);
        cases.any(|one| {
            let Ok(scheme) = self.context.library.get(&one.case.scheme) else { return false };
            let Some(item) = Item::find(&one.item, one.level, scheme) else { return false };
            matches!(item.judge(&one.case, &mut self.context.harness(spoiled)), Err(Stop::Failed(_)))
        })
    }
}
