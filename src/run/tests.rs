//! A run gives the same report at any number of threads, also with a backend that hangs.

use std::sync::atomic::AtomicBool;

use super::session::MOST_HANGS;
use super::{CheckResult, Context, Options, Stopped, groups, results as run};
use crate::backend::host::Host;
use crate::backend::{Answer, Backend, BackendFactory, Manifest, StartError};
use crate::case::call::Call;
use crate::numeric::DType;
use crate::rotation::PlanCache;
use crate::spec::Library;

/// The embedded kernel, which hangs on one storage type if there is one.
struct Hanging {
    host: Host,
    on: Option<DType>,
}

impl Backend for Hanging {
    fn manifest(&self) -> &Manifest {
        self.host.manifest()
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.host.arena(bytes)
    }

    fn call(&mut self, call: &Call) -> Answer {
        match call.qk() {
            Some(qk) if Some(qk.q.dtype) == self.on => Answer::TimedOut(std::time::Duration::from_secs(1)),
            _ => self.host.call(call),
        }
    }

    fn memory(&self) -> &[u8] {
        self.host.memory()
    }
}

struct Factory(Option<DType>);

impl BackendFactory for Factory {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        Ok(Box::new(Hanging { host: Host::new(), on: self.0 }))
    }

    fn name(&self) -> &str {
        "hanging"
    }
}

fn results(on: Option<DType>, threads: usize) -> Vec<CheckResult> {
    let library = Library::embedded().expect("embedded specs load");
    let contracts = crate::contract::contracts().expect("embedded contracts load");
    let interrupted = AtomicBool::new(false);
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &interrupted };
    // Checks that take little time.
    let checks = ["controls", "axis-map-probe", "frequency-probe", "superposition", "text-equals-1d"];
    let options = Options {
        schemes: vec!["rope@default".into()],
        checks: checks.map(String::from).to_vec(),
        cases: 1,
        seed: 3,
        threads,
        ..Options::default()
    };
    let units = groups(Host::new().manifest(), &library, &options).expect("something is selected");
    run(&Factory(on), &context, &options, &units, None).expect("it starts")
}

fn text(results: &[CheckResult]) -> String {
    serde_json::to_string_pretty(results).expect("JSON")
}

#[test]
fn the_report_does_not_depend_on_the_threads() {
    let one = text(&results(None, 1));
    for threads in [2, 5] {
        assert_eq!(one, text(&results(None, threads)), "{threads} threads");
    }
}

#[test]
fn a_run_gives_up_after_the_same_check_whatever_the_threads() {
    let one = results(Some(DType::F16), 1);
    let stopped = |why: Stopped| one.iter().filter(|r| r.stopped == Some(why)).count();
    assert_eq!(stopped(Stopped::Hung), MOST_HANGS);
    assert!(stopped(Stopped::GaveUp) > 4, "{}", text(&one));
    // All that comes after the fourth is left out, the types that do not hang too.
    let last = one.iter().rposition(|r| r.stopped == Some(Stopped::Hung)).expect("it hung");
    assert!(one[last + 1..].iter().all(|r| r.bands.is_empty()));
    for threads in [2, 5] {
        assert_eq!(text(&one), text(&results(Some(DType::F16), threads)), "{threads} threads");
    }
}
