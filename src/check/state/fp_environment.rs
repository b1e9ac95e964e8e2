//! `fp-environment`: loading and calling leave the floating-point environment as it was.

use crate::backend::float_environment::Setting;
use crate::case::{Case, Level, Tensor};
use crate::check::generator::{Generator, text};
use crate::check::slices::presets;
use crate::check::{Check, Docs, Failure, Halt, Harness, Measure, Planned, Schedule, Verdict};

pub(in crate::check) struct FpEnvironment;

impl Check for FpEnvironment {
    fn id(&self) -> &'static str {
        "fp-environment"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Loading the library and calling it leave the rounding mode, the treatment of subnormals and the trapped \
                        exceptions as they were. A contract that flushes declares flushing on load.",
            formula: "control word before = control word after (MXCSR on x86-64, FPCR on aarch64), sticky flags aside",
            source: "GCC's crtfastmath.o: a shared library linked with -ffast-math turns on FTZ and DAZ in the thread that \
                     loads it",
            catches: "-ffast-math and -Ofast at link time, rounding modes that are set and not put back",
            cannot_catch: "what a library does in threads of its own, or on machines whose control word ropecheck cannot read",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &Level::ALL
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut rng = g.rng(self.id());
        let presets = presets(g);
        let case = presets.first().map(|preset| g.case(self.id(), vec![text(2)], preset, rng.next_u64()));
        let planned = case.into_iter().map(|case| Planned { band: "-".into(), case });
        Schedule { cases: planned.collect(), gaps: Vec::new() }
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

/// Whether flushing is declared: by the contract of the case, or by any on level positions, which has none.
fn flushes(case: &Case, harness: &Harness) -> Result<bool, Halt> {
    if case.level != Level::Positions {
        return Ok(harness.contract(case)?.class.flushes);
    }
    let levels = &harness.backend.manifest().levels;
    let mut declared = levels.iter().flat_map(|(_, level)| &level.contracts).map(|(_, name)| name);
    Ok(declared.any(|n| harness.contracts.contract(&n.class, &n.frequencies).is_some_and(|c| c.class.flushes)))
}

fn names(settings: &[Setting]) -> String {
    settings.iter().map(Setting::to_string).collect::<Vec<_>>().join(", ")
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let prepared = harness.prepare(case)?;
    let (q, k) = match case.level {
        Level::Positions => (Tensor::default(), Tensor::default()),
        _ => Harness::inputs(case, &prepared),
    };
    harness.call(&prepared, &q, &k)?;
    let Some(seen) = harness.backend.float_environment() else {
        return Err(Halt::not_judged("the floating-point environment of this backend cannot be seen"));
    };
    let mut measure = Measure { elements: 2, ..Measure::default() };
    let [before, after] = seen.load;
    let declared = flushes(case, harness)?;
    let (allowed, changed): (Vec<Setting>, Vec<Setting>) =
        after.changes(before).into_iter().partition(|s| declared && s.is_about_subnormals());
    if !allowed.is_empty() {
        measure.notes.push(format!("loading changes {}, which the contract declares (flushes)", names(&allowed)));
    }
    if !changed.is_empty() {
        let mut failure = Failure::new(format!("loading the library changes {}", names(&changed)));
        failure.details.push(format!("control word {:#06x} before, {:#06x} after", before.0, after.0));
        if changed.iter().all(|s| s.is_about_subnormals()) {
            failure
                .details
                .push("linking with -ffast-math does this; a contract that flushes would declare it".to_owned());
        }
        return Ok(Verdict::Fail(failure));
    }
    let [before, after] = seen.call;
    let changed = after.changes(before);
    if !changed.is_empty() {
        let mut failure = Failure::new(format!("the call changes {} and does not put it back", names(&changed)));
        failure.details.push(format!("control word {:#06x} before, {:#06x} after", before.0, after.0));
        return Ok(Verdict::Fail(failure));
    }
    Ok(Verdict::Pass(measure))
}
