//! `fp-environment`: loading and calling leave the floating-point environment as it was.

use crate::backend::FloatSetting;
use crate::backend::float_environment::FloatControl;
use crate::case::{Case, Level};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{Cause, Instant, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};

pub(in crate::check) struct FpEnvironment;

impl Check for FpEnvironment {
    fn id(&self) -> &'static str {
        "fp-environment"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Loading the library and calling it leave the rounding mode, the treatment of \
                        subnormals and the trapped exceptions as they were. A contract that flushes declares \
                        flushing on load.",
            formula: "control word before = control word after (MXCSR on x86-64, FPCR on aarch64), sticky \
                      flags aside",
            source: "GCC's crtfastmath.o: a shared library linked with -ffast-math turns on FTZ and DAZ in \
                     the thread that loads it",
            catches: "-ffast-math and -Ofast at link time, rounding modes that are set and not put back",
            cannot_catch: "what a library does in threads of its own, or on machines whose control word \
                           ropecheck cannot read",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &Level::ALL
    }

    fn is_about_schemes(&self) -> bool {
        false
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        s.each_layout(&["text:2"], |_| ());
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

/// Whether flushing is declared: by the contract of the case, or by any on level positions, which has none.
fn flushes(case: &Case, harness: &Harness) -> Result<bool, Stop> {
    if case.level != Level::Positions {
        return Ok(harness.contract(case)?.class.flushes);
    }
    let levels = &harness.backend.manifest().levels;
    let mut declared = levels.iter().flat_map(|(_, level)| &level.contracts).map(|(_, name)| name);
    Ok(declared.any(|n| harness.contracts.contract(&n.class, &n.frequencies).is_some_and(|c| c.class.flushes)))
}

/// That none of these settings changed.
fn unchanged(by: Instant, settings: Vec<FloatSetting>, words: [FloatControl; 2]) -> Result<(), Stop> {
    if settings.is_empty() {
        return Ok(());
    }
    Err(Stop::of_call(Cause::EnvironmentChanged { by, settings, words: words.map(|word| word.0) }))
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let prepared = harness.prepare(case)?;
    let (q, k) = Harness::inputs(case, &prepared);
    harness.call(&prepared, &q, &k)?;
    let Some(seen) = harness.backend.float_environment() else {
        return Err(Stop::not_judged("the floating-point environment of this backend cannot be seen"));
    };
    let mut measure = Measure::of(2);
    let [before, after] = seen.load;
    let declared = flushes(case, harness)?;
    let (allowed, changed): (Vec<FloatSetting>, Vec<FloatSetting>) =
        after.changes(before).into_iter().partition(|s| declared && s.is_about_subnormals());
    if !allowed.is_empty() {
        let names: Vec<String> = allowed.iter().map(FloatSetting::to_string).collect();
        measure.note(format!("loading changes {}, which the contract declares (flushes)", names.join(", ")));
    }
    unchanged(Instant::Load, changed, seen.load)?;
    let [before, after] = seen.call;
    unchanged(Instant::Call, after.changes(before), seen.call)?;
    Ok(measure)
}
