//! Emulated kernels through whole runs: honest ones are conformant, and faults of arithmetic that their contract forbids are found.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

use ropecheck::backend::emulated::{
    Action, EmulatedFactory, Emulation, Fetch, Fused, Knobs, LibraryErrors, PairPlace, Scene, Shared, Storing, Trig,
    Walk,
};
use ropecheck::backend::manifest::Integers;
use ropecheck::case::Level;
use ropecheck::contract::ContractTable;
use ropecheck::contract::contracts;
use ropecheck::numeric::{DType, Dd};
use ropecheck::report::words;
use ropecheck::rotation::PlanCache;
use ropecheck::run::{CheckResult, Context, Options, groups};
use ropecheck::spec::Library;
use ropecheck::spec::model::Pairing;

static CONTRACTS: LazyLock<ContractTable> = LazyLock::new(|| contracts().unwrap_or_else(|errors| panic!("{errors}")));
static LIBRARY: LazyLock<Arc<Library>> = LazyLock::new(|| Arc::new(Library::embedded().expect("the specs load")));
static SHARED: LazyLock<Arc<Shared>> = LazyLock::new(|| Arc::new(Shared::new(Arc::clone(&LIBRARY))));

/// An honest kernel that offers few heads, so that runs are short.
fn kernel(class: &str, way: &str, knobs: Knobs) -> Emulation {
    let mut emulation = Emulation::honest(&CONTRACTS, class, way).expect("a contract").with(knobs);
    emulation.manifest.head_dims = Integers::Range { min: 2, max: 96, multiple: 2 };
    emulation.manifest.q_heads = Integers::Range { min: 1, max: 5, multiple: 1 };
    emulation
}

fn results(emulation: &Emulation, options: &Options) -> Vec<CheckResult> {
    let interrupted = AtomicBool::new(false);
    let context =
        Context { library: &LIBRARY, contracts: &CONTRACTS, plans: PlanCache::new(), interrupted: &interrupted };
    let units = groups(&emulation.manifest, &LIBRARY, options).expect("something is selected");
    let factory = EmulatedFactory::new(emulation.clone(), Arc::clone(&SHARED));
    ropecheck::run::results(&factory, &context, options, &units, None).expect("it starts")
}

fn options(schemes: &[&str], dtypes: &[DType], levels: &[Level], checks: &[&str]) -> Options {
    Options {
        schemes: schemes.iter().map(|s| (*s).to_owned()).collect(),
        dtypes: dtypes.to_vec(),
        checks: checks.iter().map(|c| (*c).to_owned()).collect(),
        levels: levels.to_vec(),
        cases: 1,
        seed: 3,
        threads: 2,
        ..Options::default()
    }
}

/// The checks that failed; everything else must have gone well.
fn failed(results: &[CheckResult]) -> Vec<String> {
    let mut failed = Vec::new();
    for result in results {
        assert!(result.broken.is_empty() && result.internal.is_empty(), "{result:?}");
        for failure in &result.failures {
            let CheckResult { scheme, level, dtype, check, .. } = result;
            failed.push(format!("{check} ({scheme} {level} {dtype}): {}", words::summary(&failure.failure)));
        }
    }
    failed
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn honest_kernels_of_every_class_are_conformant() {
    let ways = ["table", "pow", "pow-reciprocal", "exp", "exp2", "scale", "recurrence"];
    for (i, class) in CONTRACTS.classes.iter().enumerate() {
        for turn in 0..3 {
            let way = if turn == 0 { "table" } else { ways[1 + (2 * i + turn) % 6] };
            let knobs = Knobs {
                fused: [Fused::None, Fused::OfCos, Fused::OfSin][turn],
                through_f32: turn == 1,
                flush: class.flushes && turn == 1,
                library: [LibraryErrors::None, LibraryErrors::Alternating, LibraryErrors::Up][(i + turn) % 3],
                ..Knobs::default()
            };
            let mut emulation = kernel(&class.name, way, knobs);
            if turn > 0 {
                emulation.manifest.pairings = vec![[Pairing::Half, Pairing::Adjacent][turn - 1]];
            }
            let scheme = ["m-rope@default", "vrope@official", "rope@default"][(i + turn) % 3];
            let results = results(&emulation, &options(&[scheme], &[], &[], &[]));
            let failed = failed(&results);
            assert!(failed.is_empty(), "honest {} {way} on {scheme}: {failed:#?}", class.name);
            for level in [Level::Positions, Level::Rotate, Level::Fused] {
                let passed: u64 = results.iter().filter(|r| r.level == level).map(|r| r.totals().1).sum();
                assert!(passed > 0, "{} {way} on {scheme}: nothing passed on level {level}", class.name);
            }
        }
    }
}

/// A fault, in which types it must be found, by which checks (none: any).
struct Fault {
    name: &'static str,
    class: &'static str,
    dtypes: &'static [DType],
    checks: &'static [&'static str],
    knobs: Knobs,
}

fn faults() -> Vec<Fault> {
    use DType::{BF16, F16, F32};
    const ALL: &[DType] = &[F32, F16, BF16];
    let none = Knobs::default;
    let fault = |name, class, dtypes, knobs| Fault { name, class, dtypes, checks: &[], knobs };
    let angle = |dtype| Knobs { angle_type: Some(dtype), ..none() };
    let frequency = |dtype| Knobs { frequency_type: Some(dtype), ..none() };
    let position = |dtype| Knobs { position_type: Some(dtype), ..none() };
    let truncated = Knobs { storing: Storing::TowardZero, ..none() };
    vec![
        fault("angles in bf16", "fused", ALL, angle(BF16)),
        fault("angles in f16", "fused", ALL, angle(F16)),
        fault("frequencies in bf16", "fused", ALL, frequency(BF16)),
        fault("frequencies in f16", "fused", ALL, frequency(F16)),
        fault("frequencies in bf16", "eager", ALL, frequency(BF16)),
        fault("positions in bf16", "fused", ALL, position(BF16)),
        fault("positions in f16", "fused", ALL, position(F16)),
        fault("positions in bf16", "cached", ALL, position(BF16)),
        // Only above 2^24 is f32 too narrow.
        fault("positions in f32", "ideal", ALL, position(F32)),
        fault("table in bf16", "fused", ALL, Knobs { table_type: Some(BF16), ..none() }),
        fault("one-word range reduction", "fused", &[F32], Knobs { trig: Trig::OneWord, ..none() }),
        fault("hardware sine", "fused", &[F32], Knobs { trig: Trig::Hardware, ..none() }),
        fault("no range reduction", "fused", ALL, Knobs { trig: Trig::Unreduced, ..none() }),
        fault("arithmetic in f16", "fused", &[F16], Knobs { arithmetic_type: Some(F16), ..none() }),
        fault("arithmetic in bf16", "fused", &[BF16], Knobs { arithmetic_type: Some(BF16), ..none() }),
        fault("last pair unrotated", "fused", ALL, Knobs { last_pair_unrotated: true, ..none() }),
        fault("base 10000", "fused", ALL, Knobs { base: Some(10_000.0), ..none() }),
        fault("positions modulo 2^10", "fused", ALL, Knobs { position_bits: Some(10), ..none() }),
        fault("bf16 by way of f16", "fused", &[BF16], Knobs { storing: Storing::Through(F16), ..none() }),
        fault("bf16 loaded by way of f16", "fused", &[BF16], Knobs { load_through: Some(F16), ..none() }),
        fault("f16 by way of bf16", "fused", &[F16], Knobs { storing: Storing::Through(BF16), ..none() }),
        Fault { checks: &["superposition"], ..fault("truncating store", "fused", ALL, truncated.clone()) },
        Fault { checks: &["superposition"], ..fault("truncating store", "cached", ALL, truncated) },
    ]
}

fn found(fault: &Fault, dtype: DType) -> Vec<String> {
    let mut options = options(&["m-rope@default"], &[dtype], &[Level::Rotate], fault.checks);
    options.first_failure_only = true;
    let mut emulation = kernel(fault.class, "table", fault.knobs.clone());
    emulation.manifest.pairings = vec![Pairing::Half];
    failed(&results(&emulation, &options))
}

#[test]
fn faults_of_arithmetic_are_found() {
    let mut missed = Vec::new();
    for fault in faults() {
        for dtype in fault.dtypes {
            let found = found(&fault, *dtype);
            match found.first() {
                Some(first) => println!("{} in {} {dtype}: {} failures; {first}", fault.name, fault.class, found.len()),
                None => missed.push(format!("{} in {} {dtype}", fault.name, fault.class)),
            }
        }
    }
    assert!(missed.is_empty(), "not found: {missed:#?}");
}

/// Reads the positions of batch row 0 for every row.
struct FirstRow;

impl Walk for FirstRow {
    fn fetch(&self, place: PairPlace, scene: &Scene<'_>) -> Fetch {
        Fetch { row: 0, ..Fetch::honest(place, scene) }
    }
}

/// Turns head 0 alone.
struct FirstHead;

impl Walk for FirstHead {
    fn action(&self, place: PairPlace, _: &Scene<'_>) -> Action {
        if place.head == 0 { Action::Turn } else { Action::Copy }
    }
}

/// Writes all tokens but the last one.
struct LastTokenMissing;

impl Walk for LastTokenMissing {
    fn action(&self, place: PairPlace, scene: &Scene<'_>) -> Action {
        if place.token + 1 < scene.tokens { Action::Turn } else { Action::Skip }
    }
}

/// Turns the wrong way.
struct Backwards;

impl Walk for Backwards {
    fn factors(&self, _: PairPlace, _: &Scene<'_>) -> (f64, f64) {
        (1.0, -1.0)
    }
}

/// Begins to count where the call begins.
struct StartIgnored;

impl Walk for StartIgnored {
    fn fetch(&self, place: PairPlace, scene: &Scene<'_>) -> Fetch {
        Fetch { token: place.token, ..Fetch::honest(place, scene) }
    }
}

/// Keeps pairs in neighbouring channels, whatever is asked for.
struct AlwaysAdjacent;

impl Walk for AlwaysAdjacent {
    fn pairing(&self, _: &Scene<'_>, _: Pairing) -> Pairing {
        Pairing::Adjacent
    }
}

/// Rotates the whole head, whatever the rotary width.
struct WholeHead;

impl Walk for WholeHead {
    fn width(&self, scene: &Scene<'_>) -> usize {
        scene.head_dim
    }
}

/// Positions are one too large.
struct OneTooLarge;

impl Walk for OneTooLarge {
    fn position(&self, _: PairPlace, _: &Scene<'_>, position: Dd) -> Dd {
        position.plus(Dd::from_f64(1.0))
    }
}

/// Nothing changed.
struct Honest;

impl Walk for Honest {}

#[test]
fn a_walk_changes_what_is_read_and_an_honest_one_changes_nothing() {
    let walks: [(&str, Arc<dyn Walk>, bool); 9] = [
        ("positions of row 0", Arc::new(FirstRow), true),
        ("head 0 alone", Arc::new(FirstHead), true),
        ("last token missing", Arc::new(LastTokenMissing), true),
        ("backwards", Arc::new(Backwards), true),
        ("start of the call ignored", Arc::new(StartIgnored), true),
        ("pairing ignored", Arc::new(AlwaysAdjacent), true),
        ("rotary width ignored", Arc::new(WholeHead), true),
        ("positions too large", Arc::new(OneTooLarge), true),
        ("honest", Arc::new(Honest), false),
    ];
    for (name, walk, wrong) in walks {
        let mut emulation = kernel("fused", "table", Knobs::default());
        emulation.walk = Some(walk);
        let mut options = options(&["m-rope@default"], &[DType::F32], &[Level::Fused], &["accuracy", "pairing-probe"]);
        options.first_failure_only = true;
        let failed = failed(&results(&emulation, &options));
        assert_eq!(!failed.is_empty(), wrong, "{name}: {failed:?}");
    }
}

#[test]
fn a_patched_scheme_is_used_in_place_of_the_right_one() {
    // Qwen3-VL's interleaved map, sold as m-rope.
    let m_rope = LIBRARY.get("m-rope").expect("a scheme");
    let mut other = (**LIBRARY.get("qwen3-vl").expect("a scheme")).clone();
    (other.name, other.profile) = (m_rope.name.clone(), m_rope.profile.clone());
    let mut emulation = kernel("fused", "table", Knobs::default());
    emulation.schemes = vec![Arc::new(other)];
    let probe = options(&["m-rope"], &[DType::BF16], &[Level::Rotate], &["axis-map-probe"]);
    assert!(!failed(&results(&emulation, &probe)).is_empty());
    emulation.schemes.clear();
    assert!(failed(&results(&emulation, &probe)).is_empty());
}
