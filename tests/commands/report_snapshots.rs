//! Whole reports of a run that passes, of one that fails, of one that was interrupted and of one that could not begin, in
//! every form, kept as snapshots: a change is looked at, and then accepted on purpose. And the committed JSON Schema.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ropecheck::backend::control::{Control, ControlKind};
use ropecheck::backend::{Answer, Backend, BackendFactory, Call, Manifest, StartError, Vocabulary, manifest_schema};
use ropecheck::case::Level;
use ropecheck::numeric::DType;
use ropecheck::report;
use ropecheck::rotation::PlanCache;
use ropecheck::run::{
    Context, Event, ExitCode, Observer, Options, ReplayCommand, RunError, RunReport, Session, digest, fail,
};
use ropecheck::spec::Library;

/// One control kernel, as if it were somebody's backend. The user stops the run in one of its calls.
struct Kernel<'a> {
    kind: ControlKind,
    calls_left: &'a AtomicUsize,
    interrupted: &'static AtomicBool,
}

/// What a kernel's backend is.
struct Running {
    control: Control,
    calls_left: usize,
    interrupted: &'static AtomicBool,
}

impl BackendFactory for Kernel<'_> {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        let calls_left = self.calls_left.load(Ordering::Relaxed);
        Ok(Box::new(Running { control: Control::new(self.kind), calls_left, interrupted: self.interrupted }))
    }

    fn name(&self) -> &str {
        self.kind.name()
    }
}

impl Backend for Running {
    fn manifest(&self) -> &Manifest {
        self.control.manifest()
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.control.arena(bytes)
    }

    fn call(&mut self, call: &Call) -> Answer {
        self.calls_left = self.calls_left.saturating_sub(1);
        self.interrupted.fetch_or(self.calls_left == 0, Ordering::Relaxed);
        self.control.call(call)
    }

    fn memory(&self) -> &[u8] {
        self.control.memory()
    }
}

/// Keeps events as lines, and folds them.
#[derive(Default)]
struct Kept {
    lines: String,
    folded: RunReport,
}

impl Observer for Kept {
    fn event(&mut self, event: &Event) {
        self.lines += &report::ndjson(event).expect("a line");
        self.folded.fold(event);
    }
}

/// The report and the lines of a run of a few checks, which the user stops in a call.
fn run(kind: ControlKind, checks: &[&str], calls: usize) -> (RunReport, String) {
    let library = Library::embedded().expect("the specs load");
    let contracts = ropecheck::contract::contracts().expect("the contracts load");
    let interrupted: &'static AtomicBool = Box::leak(Box::default());
    let context = Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted };
    let options = Options {
        schemes: vec!["m-rope@default".into()],
        dtypes: vec![DType::BF16],
        checks: checks.iter().map(|check| (*check).to_owned()).collect(),
        levels: vec![Level::Rotate],
        cases: 1,
        seed: 1,
        threads: 1,
        command: ReplayCommand::new(Some("./libmine.so".as_ref()), &[], &[]),
        ..Options::default()
    };
    let kernel = Kernel { kind, calls_left: &AtomicUsize::new(calls), interrupted };
    let mut kept = Kept::default();
    let report = Session { factory: &kernel, context: &context, options: &options }.run(&mut kept);
    // Reports are folds over events: those of the lines are those of the run.
    for form in [
        |r: &RunReport| report::table(r, true),
        |r: &RunReport| report::json(r).expect("JSON"),
        |r: &RunReport| report::junit(r).expect("XML"),
    ] {
        assert_eq!(form(&kept.folded), form(&report));
    }
    (report, stable(&kept.lines))
}

/// More calls than any of these runs makes.
const NEVER: usize = usize::MAX;

/// Without what changes with every edit of a spec.
fn stable(text: &str) -> String {
    let specs = digest(&Library::embedded().expect("the specs load"));
    text.replace(&specs, "(digest of the specs)").replace(env!("CARGO_PKG_VERSION"), "(version)")
}

fn kept(name: &str, (report, lines): &(RunReport, String)) {
    let plain = anstream::adapter::strip_str(&report::table(report, false)).to_string();
    insta::assert_snapshot!(format!("{name}_table"), stable(&plain));
    insta::assert_snapshot!(format!("{name}_json"), stable(&report::json(report).expect("JSON")));
    insta::assert_snapshot!(format!("{name}_ndjson"), lines);
    insta::assert_snapshot!(format!("{name}_junit"), stable(&report::junit(report).expect("XML")));
    insta::assert_snapshot!(format!("{name}_markdown"), stable(&report::markdown(report)));
    insta::assert_snapshot!(format!("{name}_badge"), report::badge(report));
    // How pages look is the same for all.
    let page = report::html(report);
    let body = page.split_once("<main id=\"main\">\n").expect("a body").1;
    insta::assert_snapshot!(format!("{name}_html"), stable(body));
    // Rules are the catalogue, which has a page of its own.
    let mut sarif: serde_json::Value =
        serde_json::from_str(&report::sarif(report, Some("./libmine.so"))).expect("JSON");
    sarif["runs"][0]["tool"]["driver"]["rules"] = "(the catalogue)".into();
    insta::assert_snapshot!(format!("{name}_sarif"), stable(&pretty(&sarif)));
}

#[test]
fn a_run_that_passes() {
    kept("passes", &run(ControlKind::KnownGood, &["controls", "guards"], NEVER));
}

#[test]
fn a_run_that_fails() {
    kept("fails", &run(ControlKind::Identity, &["pairing-probe", "guards"], NEVER));
}

/// NaN has a name of its own everywhere.
#[test]
fn a_run_that_finds_nan() {
    let (report, lines) = run(ControlKind::Nan, &["superposition", "linearity"], NEVER);
    let table = report::table(&report, true);
    assert!(table.contains("found NaN, expected"), "{table}");
    assert!(lines.contains("\"observed\":\"NaN\""), "{lines}");
    assert!(!table.contains("by NaN") && !lines.contains("null,\"error\""), "{table}{lines}");
}

#[test]
fn a_run_that_is_interrupted() {
    // Three calls of the first check, and one of the second.
    kept("interrupted", &run(ControlKind::KnownGood, &["controls", "axis-map-probe", "linearity"], 4));
}

#[test]
fn a_run_that_cannot_begin() {
    let (mut report, mut lines) = (RunReport::default(), Kept::default());
    fail(&mut report, RunError::new(ExitCode::NotStarted, "libmine.so: there is no such file"), &mut lines);
    kept("not_begun", &(report, lines.lines));
}

fn pretty(schema: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(schema).expect("JSON") + "\n"
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let (schemes, contracts) =
        (Library::embedded().expect("specs"), ropecheck::contract::contracts().expect("contracts"));
    let manifest = manifest_schema(Vocabulary { schemes: &schemes, contracts: &contracts });
    for (name, text) in [
        ("report", pretty(&report::report_schema())),
        ("event", pretty(&report::event_schema())),
        ("manifest", pretty(&manifest)),
        ("config", pretty(&ropecheck::cli::config_schema())),
    ] {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schema/{name}.schema.json"));
        if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("the folder can be made");
            std::fs::write(&file, &text).expect("the schema can be written");
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == text, "{}: renew it with INSTA_UPDATE=always", file.display());
    }
}
