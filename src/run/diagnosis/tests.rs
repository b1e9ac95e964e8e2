//! What a kernel has is named; of a kernel that is right nothing is said.

use std::sync::atomic::AtomicBool;

use super::diagnose;
use crate::backend::BackendFactory;
use crate::backend::emulated::Emulation;
use crate::backend::host::HostFactory;
use crate::case::Level;
use crate::check::Group;
use crate::contract::ContractTable;
use crate::fault::{Fault, Imitated, Imitator, catalogue};
use crate::numeric::DType;
use crate::rotation::PlanCache;
use crate::run::explanation::Diagnosis;
use crate::run::report::RunReport;
use crate::run::run_units::results;
use crate::run::{Context, Options};
use crate::spec::Library;
use crate::spec::model::Pairing;

static NEVER: AtomicBool = AtomicBool::new(false);

/// What a run has, and what makes kernels.
struct Room {
    library: Library,
    contracts: ContractTable,
    faults: Vec<Fault>,
}

impl Room {
    fn new() -> Room {
        let library = Library::embedded().expect("embedded specs load");
        let contracts = crate::contract::contracts().expect("embedded contracts load");
        Room { library, contracts, faults: catalogue().expect("the catalogue reads") }
    }

    fn context(&self) -> Context<'_> {
        let (library, contracts) = (&self.library, &self.contracts);
        Context { library, contracts, plans: PlanCache::new(), interrupted: &NEVER }
    }

    /// A kernel with these faults.
    fn kernel(&self, ids: &[&str]) -> Box<dyn BackendFactory> {
        let own = Emulation::honest(&self.contracts, "fused", "table").expect("there is this contract");
        let contract = own.contract(DType::F32).expect("in f32");
        let scheme = "m-rope@default";
        let like =
            Imitated { manifest: &own.manifest, level: Level::Rotate, scheme, contract: Some((DType::F32, contract)) };
        let of = |id: &&str| self.faults.iter().find(|fault| fault.id == **id).expect("it is in the catalogue");
        let faults: Vec<&Fault> = ids.iter().map(of).collect();
        Imitator::new(&self.library, &self.contracts).imitation(&like, &faults).expect("they fit")
    }

    /// What some checks find in a kernel.
    fn report(&self, kernel: &dyn BackendFactory, checks: &[&str], shrinks: bool) -> RunReport {
        let group =
            Group { scheme: "m-rope@default".into(), level: Level::Rotate, pairing: Pairing::Half, dtype: DType::F32 };
        let units: Vec<(Group, String)> = checks.iter().map(|check| (group.clone(), (*check).to_owned())).collect();
        let options = Options { cases: 1, seed: 1, threads: 1, first_failure_only: !shrinks, ..Options::default() };
        let results = results(kernel, &self.context(), &options, &units, None).expect("a run");
        RunReport::of(results)
    }

    fn diagnose(&self, kernel: &dyn BackendFactory, report: &RunReport) -> Vec<Diagnosis> {
        diagnose(kernel, &self.context(), &Options { cases: 1, threads: 1, ..Options::default() }, report)
    }
}

/// The faults that explain the first finding best, those of a pair together.
fn named(diagnoses: &[Diagnosis]) -> Vec<Vec<&str>> {
    let best = diagnoses.first().into_iter().flat_map(|diagnosis| &diagnosis.explanations);
    let best = best.filter(|explanation| explanation.rank == 1);
    best.map(|explanation| explanation.faults.iter().map(|fault| fault.id.as_str()).collect()).collect()
}

#[test]
fn what_a_kernel_has_is_named_and_nothing_of_one_that_is_right() {
    let room = Room::new();
    let faulty = room.kernel(&["head-counts-as-time"]);
    let report = room.report(&*faulty, &["accuracy", "identity-at-zero"], true);
    let diagnoses = room.diagnose(&*faulty, &report);
    assert_eq!(named(&diagnoses), [["head-counts-as-time"]]);
    assert!(diagnoses[0].explanations[0].exact && !diagnoses[0].failures.is_empty());
    // Two right kernels, whatever is held against them: one that rounds as the emulation does, and one that
    // does not.
    assert_eq!(room.diagnose(&*room.kernel(&[]), &report), []);
    assert_eq!(room.diagnose(&HostFactory, &report), []);
    assert_eq!(room.diagnose(&*room.kernel(&[]), &RunReport::default()), [], "nothing failed");
}

/// On negative positions no case tells a lost sign from the other direction; a case that holds does.
#[test]
fn what_fails_where_the_kernel_holds_is_not_named() {
    let room = Room::new();
    let faulty = room.kernel(&["positions-without-sign"]);
    let named_with = |checks: &[&str]| {
        let diagnoses = room.diagnose(&*faulty, &room.report(&*faulty, checks, true));
        named(&diagnoses).concat().iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()
    };
    assert!(named_with(&["accuracy"]).contains(&"wrong-direction".to_owned()));
    assert_eq!(named_with(&["axis-map-probe", "accuracy"]), ["positions-without-sign"]);
}

#[test]
fn two_faults_are_named_together() {
    let room = Room::new();
    // The last pair alone, and the other odd ones: neither explains the elements of the other.
    let faulty = room.kernel(&["last-pair-left", "sine-shared-in-a-lane"]);
    let report = room.report(&*faulty, &["accuracy"], false);
    let diagnoses = room.diagnose(&*faulty, &report);
    let named = named(&diagnoses);
    assert!(named.contains(&vec!["sine-shared-in-a-lane", "last-pair-left"]), "{named:?}");
    assert!(named.iter().all(|ids| ids.len() == 2 && ids[0] == "sine-shared-in-a-lane"), "{named:?}");
}
