//! Frequencies that depend on the length of a sequence, and numbers per pair: the plans are those of the definition, and
//! kernels that get the length wrong are found.

use crate::common::{check, compile, failures, scratch, source, text};
use ropecheck::numeric::Number;
use ropecheck::rotation::{HeadShape, PlanCache, RotationPlan};
use ropecheck::spec::{Library, Parameters};

fn plan(scheme: &str, head_dim: u32, length: i64) -> RotationPlan {
    let library = Library::embedded().unwrap_or_else(|errors| panic!("{errors}"));
    let scheme = library.get(scheme).expect("a scheme");
    assert!(scheme.depends_on_length());
    let parameters = Parameters::defaults(scheme).expect("defaults").with_length(Number::from_i64(length));
    RotationPlan::new(scheme, &parameters, HeadShape::of_dim(head_dim)).unwrap_or_else(|error| panic!("{error}"))
}

fn near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-12 * expected, "{what}: {found:e} against {expected:e}");
}

/// seq_len = max(seq_len, L); base ((f seq_len / L) - (f - 1))^(d/(d - 2)); no other factor.
#[test]
fn dynamic_ntk_has_the_base_of_the_definition() {
    for (head_dim, length) in [(64, 1), (64, 4096), (64, 4097), (128, 5000), (128, 8192), (128, 131_072)] {
        let found = plan("rope@dynamic-ntk", head_dim, length);
        let (d, reach) = (f64::from(head_dim), (length as f64).max(4096.0));
        let base = 10_000.0 * (2.0 * reach / 4096.0 - 1.0).powf(d / (d - 2.0));
        for (pair, value) in found.inv_freq.iter().enumerate() {
            near(*value, base.powf(-2.0 * pair as f64 / d), &format!("{head_dim} at {length}, pair {pair}"));
        }
        assert_eq!(found.base, (length <= 4096).then_some(10_000.0), "a base that is no f64 is none");
        assert_eq!(found.attention_scaling, 1.0);
    }
    // Another program's arithmetic, in 60 digits: mpmath, 10000 * mpf(3)^(128/126) and its power -2*31/128.
    near(plan("rope@dynamic-ntk", 128, 8192).inv_freq[31], DYNAMIC_31, "pair 31");
}

const DYNAMIC_31: f64 = 0.006_725_522_799_172_785_5;

/// The lists of the model's own configuration, read at both ends and in the middle.
#[test]
fn longrope_has_the_factors_of_the_model_on_both_sides_of_its_length() {
    let short = [(0, 1.0), (1, 1.019_999_980_926_513_7), (24, 1.989_999_651_908_874_5), (47, 2.839_999_437_332_153_3)];
    let long = [(0, 1.080_000_042_915_344_2), (1, 1.110_000_014_305_114_7), (24, 50.340_003_967_285_156)];
    let long = [&long[..], &[(47, 64.839_996_337_890_62)]].concat();
    for (length, factors) in [(1, &short[..]), (4096, &short), (4097, &long), (131_072, &long)] {
        let found = plan("rope@longrope-phi-3.5", 96, length);
        assert_eq!(found.pairs, 48);
        for (pair, factor) in factors {
            let expected = 10_000f64.powf(-2.0 * f64::from(*pair) / 96.0) / factor;
            near(found.inv_freq[*pair as usize], expected, &format!("length {length}, pair {pair}"));
        }
        // sqrt(1 + ln 32 / ln 4096) = sqrt(17/12), whatever the length.
        near(found.attention_scaling, (17f64 / 12.0).sqrt(), "attention scaling");
    }
    let library = Library::embedded().expect("embedded specs load");
    let scheme = library.get("rope@longrope-phi-3.5").expect("a scheme");
    let parameters = Parameters::defaults(scheme).expect("defaults");
    assert!(RotationPlan::new(scheme, &parameters, HeadShape::of_dim(128)).is_err(), "48 numbers are for 48 pairs");
}

#[test]
fn plans_that_are_kept_are_told_apart_by_their_length() {
    let library = Library::embedded().expect("embedded specs load");
    let cache = PlanCache::new();
    let of = |scheme: &str, length: i64| {
        let scheme = library.get(scheme).expect("a scheme");
        let parameters = Parameters::defaults(scheme).expect("defaults").with_length(Number::from_i64(length));
        cache.plan(scheme, &parameters, HeadShape::of_dim(64)).expect("a plan")
    };
    assert_ne!(of("rope@longrope", 4096).inv_freq, of("rope@longrope", 4097).inv_freq);
    assert!(std::sync::Arc::ptr_eq(&of("rope@longrope", 4097), &of("rope@longrope", 4097)));
    assert!(std::sync::Arc::ptr_eq(&of("rope", 1), &of("rope", 9000)), "nothing in it depends on the length");
}

/// The kernel is right as it stands, and each way to get the length wrong is found by the checks that are about it.
#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn kernels_that_get_the_length_wrong_are_found() {
    let original = std::fs::read_to_string(source("tests/kernels/long.c")).expect("a kernel");
    let build = |name: &str, defined: &str| {
        let file = scratch(name).join("long.c");
        std::fs::write(&file, format!("{defined}\n{original}")).expect("a file");
        compile(&file, name).unwrap_or_else(|why| panic!("{why}"))
    };
    let spec = source("tests/kernels/long.yaml");
    let options = ["--spec", text(&spec), "--threads", "2"];
    check(&build("right", ""), &[&options[..], &["--depth", "quick"]].concat()).expect(0, &["CONFORMANT"]);
    // One check finds each of them; what is named is what a case of that kind says.
    for (name, in_a_case) in [
        ("AT_THE_LENGTH", "layout=text:64,"),
        ("OWN_LENGTH", "packed"),
        ("OF_THE_RANGE", "window="),
        ("NEVER_LONG", "layout=text:65,"),
    ] {
        let library = build(&name.to_lowercase(), &format!("#define {name} 1"));
        let run = check(&library, &[&options[..], &["--check", "accuracy", "--format", "json"]].concat());
        assert_eq!(run.code, Some(1), "{name}: {run}");
        let found = failures(&run.json().expect("a report"));
        assert!(!found.is_empty(), "{name}");
        assert!(found.iter().any(|failure| failure.case.contains(in_a_case)), "{name}: {found:?}");
    }
}
