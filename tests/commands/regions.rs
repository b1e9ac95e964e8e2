//! Kernels that are wrong in one region alone: made from a fault's `where`, and worked out by `selftest
//! --regions`.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ropecheck::backend::program::{self, ProgramOptions};
use ropecheck::case::{Case, Level};
use ropecheck::check::{CATALOGUE, Stop};
use ropecheck::fault::{Workshop, read};
use ropecheck::rotation::PlanCache;
use ropecheck::run::Context;
use ropecheck::spec::Library;
use ropecheck::spec::diagnostic::SourceFile;

static NEVER: AtomicBool = AtomicBool::new(false);

/// A kernel that leaves the first pair of queries unturned where `region` holds, judged by `accuracy` on a
/// case.
fn fails(region: &str, case: &str) -> bool {
    let yaml = format!(
        "class: regions\nabout: a test\nlevels: [rotate, fused]\nfaults:\n  one-region:\n    doc: A test.\n    look: A test.\n    bugs: []\n    \
         schemes: [m-rope]\n    where: \"{region}\"\n    walk: {{copy: \"i == 0 && side == 0\"}}\n"
    );
    let faults = read(&Arc::new(SourceFile { name: "regions.yaml".into(), text: yaml })).expect("a file of faults");
    let library = Library::embedded().expect("the schemes load");
    let contracts = ropecheck::contract::contracts().expect("the contracts load");
    let worker = env!("CARGO_BIN_EXE_ropecheck").into();
    let limit = Duration::from_secs(60);
    let run =
        ProgramOptions { worker, start_timeout: limit, timeout: limit, memory: None, interrupted: &program::NEVER };
    let workshop = Workshop::new(&library, &contracts, run);
    let factory = workshop.faulty(&faults[0]).expect("the fault fits");
    let mut backend = factory.start().expect("it starts");
    let context = Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &NEVER };
    let case: Case = case.parse().expect("a case");
    let accuracy = CATALOGUE.iter().find(|check| check.id() == "accuracy").expect("there is accuracy");
    match accuracy.judge(&case, &mut context.harness(&mut *backend)) {
        Ok(_) => false,
        Err(Stop::Failed(_)) => true,
        Err(other) => panic!("{case}: {other:?}"),
    }
}

const ROTATE: &str = "accuracy,scheme=m-rope@default,level=rotate,dtype=f32,pairing=half,layout=text:3 video:2x2x3,\
                      positions=i64,heads=4/2,head-dim=128,memory=packed,alias=out,data=mixed,seed=7";

#[test]
fn a_fault_shows_where_its_formula_holds_and_nowhere_else() {
    assert_eq!(ROTATE.parse::<Case>().expect("a case").level, Level::Rotate);
    let fused = ROTATE.replace("level=rotate", "level=fused");
    for (region, on_rotate, on_fused) in [
        ("q_heads == 4 && k_heads == 2", true, true),
        ("q_heads == 4 && k_heads == 4", false, false),
        ("dtype == f32 && pairing == half && alias != 1", true, true),
        ("tokens == 15 && batch == 1 && sequences == 0", true, true),
        // Of single tokens: text is at 0 to 2, the cells of the video at 3 to 5.
        ("position_0 == 3 && position_1 == 3", true, true),
        ("position_0 == 1 && position_1 == 2", false, false),
        ("position_2 > 3", false, false),
        // On level rotate a kernel is given no layout.
        ("T == 2 && W == 3", false, true),
        ("T == 2 && W == 2", false, false),
        ("neighbours == text_video && segments == 2", false, true),
    ] {
        assert_eq!((fails(region, ROTATE), fails(region, &fused)), (on_rotate, on_fused), "{region}");
    }
}

/// Few classes, so that it is quick; as computed is as run.
#[test]
fn regions_are_killed_and_fare_as_computed() {
    let done = Command::new(env!("CARGO_BIN_EXE_ropecheck"))
        .args(["selftest", "--regions", "--kernel", "host", "--sample", "20", "--depth", "quick", "--format", "json"])
        .output()
        .expect("ropecheck runs");
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(report["run"], 20);
    assert_eq!(report["disagree"].as_array().map(Vec::len), Some(0), "{report}");
    for level in report["levels"].as_array().expect("levels") {
        assert_eq!(level["classes"]["killed"], level["classes"]["all"], "{}", level["survivors"]);
        assert!(level["pairs"]["killed"].as_u64() < level["pairs"]["all"].as_u64());
    }
    assert_eq!(done.status.code(), Some(0));
}
