//! A run gives the same report at any number of threads, also with a backend that hangs, and ends with its
//! time.

use std::num::NonZeroU32;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::max_fail::EnoughFailed;
use super::out_of_time::OutOfTime;
use super::profile::Profile;
use super::run_units::MOST_HANGS;
use super::verdict::{exit_code, verdict};
use super::{CheckResult, Context, ExitCode, Finished, Options, RunReport, Stopped, groups, results as run};
use crate::backend::host::Host;
use crate::backend::{Answer, Backend, BackendFactory, Doing, Hang, Manifest, StartError};
use crate::case::Level;
use crate::case::call::Call;
use crate::check::cost::Cost;
use crate::numeric::DType;
use crate::rotation::PlanCache;
use crate::spec::Library;

/// The embedded kernel, which hangs on one storage type if there is one, and sleeps in its first call.
struct Hanging {
    host: Host,
    on: Option<DType>,
    sleeps: Duration,
    calls: usize,
}

impl Backend for Hanging {
    fn manifest(&self) -> &Manifest {
        self.host.manifest()
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.host.arena(bytes)
    }

    fn call(&mut self, call: &Call) -> Answer {
        self.calls += 1;
        if self.calls == 1 {
            std::thread::sleep(self.sleeps);
        }
        match call.qk() {
            Some(qk) if Some(qk.q.dtype) == self.on => {
                Answer::TimedOut(Hang { limit: Duration::from_secs(1), doing: Doing::Waiting, again: None })
            }
            _ => self.host.call(call),
        }
    }

    fn memory(&self) -> &[u8] {
        self.host.memory()
    }
}

struct Factory {
    on: Option<DType>,
    sleeps: Duration,
}

impl BackendFactory for Factory {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        Ok(Box::new(Hanging { host: Host::new(), on: self.on, sleeps: self.sleeps, calls: 0 }))
    }

    fn name(&self) -> &str {
        "hanging"
    }
}

fn results(on: Option<DType>, threads: usize) -> Vec<CheckResult> {
    run_of(&Factory { on, sleeps: Duration::ZERO }, Options { cases: 1, threads, ..Options::default() })
}

/// A run of checks that take little time, with these options.
fn run_of(factory: &Factory, options: Options) -> Vec<CheckResult> {
    let library = Library::embedded().expect("embedded specs load");
    let contracts = crate::contract::contracts().expect("embedded contracts load");
    let interrupted = AtomicBool::new(false);
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &interrupted };
    let checks = ["axis-map-probe", "frequency-probe", "superposition", "text-equals-1d"];
    let options =
        Options { schemes: vec!["rope@default".into()], checks: checks.map(String::from).to_vec(), seed: 3, ..options };
    let units = groups(Host::new().manifest(), &library, &options).expect("something is selected");
    run(factory, &context, &options, &units, None).expect("it starts")
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
    let order = (0..one.len()).collect::<Vec<_>>();
    let last = order.iter().rposition(|at| one[*at].stopped == Some(Stopped::Hung)).expect("it hung");
    assert!(order[last + 1..].iter().all(|at| one[*at].bands.is_empty()));
    assert!(order[..last].iter().all(|at| !one[*at].bands.is_empty()));
    for threads in [2, 5] {
        assert_eq!(text(&one), text(&results(Some(DType::F16), threads)), "{threads} threads");
    }
}

/// The order in which units of a run ran that may stop: level positions first, then each check on all groups before the next.
fn order_of(results: &[CheckResult]) -> Vec<usize> {
    let checks = ["axis-map-probe", "frequency-probe", "superposition", "text-equals-1d"];
    let turn = |at: &usize| checks.iter().position(|check| results[*at].check == *check);
    let mut order: Vec<usize> = (0..results.len()).collect();
    // Stable: the groups stay in their order.
    order.sort_by_key(|at| (results[*at].level != Level::Positions, turn(at)));
    order
}

#[test]
fn a_run_stops_after_the_same_failures_whatever_the_threads() {
    for most in [1, 2, 3] {
        let max_fail = NonZeroU32::new(most);
        let run = |threads| {
            let options = Options { max_fail, cases: 1, threads, ..Options::default() };
            run_of(&Factory { on: Some(DType::F16), sleeps: Duration::ZERO }, options)
        };
        let one = run(1);
        let failed: Vec<usize> = order_of(&one).into_iter().filter(|at| !one[*at].failures.is_empty()).collect();
        assert_eq!(failed.len(), most as usize, "{}", text(&one));
        let order = order_of(&one);
        let last = order.iter().position(|at| Some(at) == failed.last()).expect("the last failure");
        let left_out = |at: &usize| one[*at].stopped == Some(Stopped::EnoughFailed) && one[*at].bands.is_empty();
        assert!(order[last + 1..].iter().all(left_out) && !order[..=last].iter().any(left_out), "{}", text(&one));
        for threads in [2, 5] {
            assert_eq!(text(&one), text(&run(threads)), "{threads} threads");
        }
        // The verdict is red, and says that it is not of all.
        let enough_failed = EnoughFailed::of(max_fail, one.len(), &one);
        let (units, left) = (one.len(), one.len() - last - 1);
        assert_eq!(enough_failed.as_ref().map(|e| (e.done, e.left_out.values().sum())), Some((last + 1, left)));
        let mut report = RunReport::default();
        report.results = one;
        let mut finished = Finished { enough_failed, ..Finished::default() };
        finished.exit_code = exit_code(&report, &finished);
        let said = verdict(&report, &finished);
        let stopped = format!("NONCONFORMANT: stopped by --max-fail {most} after {} of {units} checks", last + 1);
        assert!(finished.exit_code == ExitCode::Nonconformant && said.starts_with(&stopped), "{said}");
    }
    // Nothing was left out, so nothing is said.
    let all = results(None, 1);
    assert_eq!(EnoughFailed::of(NonZeroU32::new(1), all.len(), &all), None);
}

#[test]
fn what_checks_cost_is_measured_only_where_it_is_asked_for() {
    let factory = Factory { on: None, sleeps: Duration::ZERO };
    let profile = |profile| run_of(&factory, Options { profile, cases: 1, threads: 2, ..Options::default() });
    let (without, with) = (profile(false), profile(true));
    assert_eq!(text(&without), text(&with), "results are the same");
    assert!(without.iter().all(|r| r.cost == Cost::default()));
    let cost = Profile::of(&with);
    assert_eq!(cost.checks.len(), 4);
    assert_eq!(cost.total.cases, with.iter().map(|r| r.totals().0).sum::<u64>());
    for one in &cost.checks {
        assert!(one.rooms["schedule"] > 0.0 && one.rooms["prepare"] > 0.0 && one.rooms["call"] > 0.0, "{one:?}");
        let rooms: f64 = one.rooms.values().sum();
        assert!((rooms + one.backend - one.seconds).abs() <= 1e-6, "{one:?}");
    }
    assert!((cost.checks.iter().map(|one| one.share).sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(cost.checks.is_sorted_by(|a, b| a.seconds >= b.seconds));
}

#[test]
fn a_run_with_time_to_spare_is_the_same_bytes_as_one_without_a_limit() {
    let time = Some(Duration::from_secs(3600));
    // Where it hangs the two give up at other places: a run that may stop begins its units in another order.
    for threads in [1, 5] {
        let options = Options { time, cases: 1, threads, ..Options::default() };
        let timed = run_of(&Factory { on: None, sleeps: Duration::ZERO }, options);
        assert_eq!(text(&results(None, 1)), text(&timed), "{threads} threads");
    }
}

/// The first call takes until the time is over: its case still counts, and none begins after it, of its check
/// neither.
#[test]
fn nothing_begins_when_the_time_is_over_and_what_was_judged_counts() {
    let time = Duration::from_secs(3);
    let options = Options { cases: 4, threads: 1, ..Options::default() };
    let whole = run_of(&Factory { on: None, sleeps: Duration::ZERO }, options.clone());
    let cut = run_of(&Factory { on: None, sleeps: time }, Options { time: Some(time), ..options });
    assert_eq!(cut.len(), whole.len(), "what did not run is there");
    let held = |all: &[CheckResult]| all.iter().map(|r| r.totals().1).collect::<Vec<_>>();
    assert!(held(&whole)[0] > 1, "the first check has several cases");
    assert_eq!(held(&cut), [vec![1], vec![0; whole.len() - 1]].concat());
    assert!(cut.iter().all(|r| r.stopped == Some(Stopped::OutOfTime)), "{}", text(&cut));
    // A group that was cut off is not held against the backend, and no verdict is about all.
    let out_of_time = OutOfTime::of(Some(time), cut.len(), &cut);
    let mut report = RunReport::default();
    report.results = cut;
    let mut finished = Finished { out_of_time, unproved: super::unproved(&report.results), ..Finished::default() };
    finished.exit_code = exit_code(&report, &finished);
    let said = verdict(&report, &finished);
    let stopped = format!("stopped by --time 3s after 0 of {} checks, 1 of 6 groups proved", whole.len());
    assert_eq!(finished.exit_code, ExitCode::Conformant, "{said}");
    assert!(said.starts_with(&format!("CONFORMANT IN PART: {stopped}")), "{said}");
    let ended = |change: fn(&mut super::BandResult)| {
        let mut report = report.clone();
        report.results.iter_mut().flat_map(|r| r.bands.values_mut()).for_each(change);
        let unproved = super::unproved(&report.results);
        let mut finished = Finished { unproved, ..finished.clone() };
        finished.exit_code = exit_code(&report, &finished);
        (finished.exit_code, verdict(&report, &finished))
    };
    // What failed before fails, and where no angle was seen nothing was proved.
    let (code, said) = ended(|band| band.failed = 1);
    assert!(code == ExitCode::Nonconformant && said.starts_with(&format!("NONCONFORMANT: {stopped}")), "{said}");
    let (code, said) = ended(|band| band.observations = 0);
    assert!(code == ExitCode::NothingRan && said.starts_with(&format!("NOTHING PROVED: {stopped}")), "{said}");
    // A contract that is too wide for a pair is so for the rest, too.
    let (code, said) = ended(|band| band.contract_too_wide = 1);
    assert!(code == ExitCode::NothingRan && said.contains("contract too wide"), "{said}");
}
