//! The short form of `examples/adversarial`: no honest element is rejected, and every term of the bound is
//! nearly reached.

use std::sync::LazyLock;

use ropecheck::contract::ContractTable;
use ropecheck::contract::Declaration;
use ropecheck::contract::contracts;
use ropecheck::numeric::DType;

use crate::attain::{attained, terms};
use crate::sweep::{Combination, combinations, examples, sweep};
use crate::world::{World, worlds};

static CONTRACTS: LazyLock<ContractTable> = LazyLock::new(|| contracts().unwrap_or_else(|errors| panic!("{errors}")));
/// Few, because powers in 256 bits take their time; a width that is a power of two, one that is not, and a
/// short one.
static WORLDS: LazyLock<Vec<World>> = LazyLock::new(|| {
    let mut all = worlds(&[1e4, 5e6], &[28, 96]);
    all.extend(worlds(&[1e6], &[64]));
    all
});

#[test]
fn no_honest_element_is_rejected() {
    let all = combinations(&CONTRACTS, None, None, None);
    assert_eq!(all.len(), CONTRACTS.classes.len() * CONTRACTS.frequencies.len() * 3);
    for combination in &all {
        let found = sweep(combination, &WORLDS, 4 << 16, 7, 2);
        let contract = &combination.contract;
        let name = format!("{} {} {}", contract.class.name, contract.frequencies.name, combination.storage);
        assert_eq!(found.rejected, 0, "{name}: {:?}", found.first);
        assert!(found.tally.judged > 200_000, "{name}: {:?}", found.tally);
        // A tie of the last rounding alone reaches the half.
        assert!(found.tally.ratio > 0.5, "{name}: {:?}", found.tally);
    }
}

/// What a contract may declare besides class and way: each is run by a kernel that does it.
#[test]
fn no_honest_element_of_a_declared_variant_is_rejected() {
    for class in &CONTRACTS.classes {
        for extra in [
            "table,fma=always",
            "table,fma=never",
            "table,store=toward-zero",
            "table,store=toward-zero,scaling=inputs,scaling_type=storage",
            "table,flushes=true",
            "table,scaling=inputs",
            "table,scaling=outputs",
            "table,scaling_type=storage",
            "table,scaling=inputs,scaling_type=storage",
            "table,scaling=outputs,scaling_type=storage",
            "table,scaling=inputs,scaling_type=exact",
            "table,scaling=outputs,scaling_type=exact",
            "table,rotation=three-products,fma=never",
            "table,rotation=three-products,scaling=inputs,flushes=true",
            "table,rotation=three-products,scaling=outputs,scaling_type=storage",
            "table,rotation=three-products,store=toward-zero",
            "table,rotation=shears,scaling=inputs,fma=never,flushes=true",
            "table,rotation=shears,scaling=inputs,scaling_type=storage",
            "table,rotation=shears,scaling=outputs,scaling_type=storage,fma=always",
            "table,rotation=shears,scaling=outputs,store=toward-zero,table=bf16",
            "table,angles=f64",
            // An ulp away from the nearest number.
            "pow,angles=f64,library_ulps=2",
            "recurrence,angles=f64,library_ulps=2",
        ] {
            let text = format!("{}/{extra}", class.name);
            let contract = Declaration::parse(&text).and_then(|d| d.resolve(&CONTRACTS));
            let contract = contract.unwrap_or_else(|why| panic!("{text}: {why}"));
            for storage in [DType::F32, DType::F16, DType::BF16] {
                let combination = Combination { contract: contract.clone(), storage };
                let found = sweep(&combination, &WORLDS, 2 << 16, 11, 2);
                assert_eq!(found.rejected, 0, "{text} {storage}: {:?}", found.first);
                assert!(found.tally.ratio > 0.5, "{text} {storage}: {:?}", found.tally);
            }
        }
    }
}

#[test]
fn no_honest_element_of_an_example_is_rejected() {
    let all = examples(&CONTRACTS, None);
    assert_eq!(all.len(), 3 * CONTRACTS.examples.len());
    for (name, combination) in &all {
        for seed in [21, 22] {
            let found = sweep(combination, &WORLDS, 2 << 16, seed, 2);
            assert_eq!(found.rejected, 0, "{name}: {:?}", found.first);
            assert!(found.tally.judged > 100_000, "{name}: {:?}", found.tally);
            assert!(found.tally.ratio > 0.5, "{name}: {:?}", found.tally);
        }
    }
}

/// Turns and half turns on every way to frequencies, and beside other types.
#[test]
fn no_honest_element_in_turns_is_rejected() {
    for way in &CONTRACTS.frequencies {
        for (class, extra) in [
            ("fused", "angle_unit=turns"),
            ("cached", "angle_unit=half-turns,scaling=table"),
            // An ulp away from the nearest number.
            ("eager", "angle_unit=turns,angles=f64,library_ulps=2"),
            ("fast", "angle_unit=half-turns,table=bf16"),
        ] {
            let text = format!("{class}/{},{extra}", way.name);
            let contract = Declaration::parse(&text).and_then(|d| d.resolve(&CONTRACTS));
            let contract = contract.unwrap_or_else(|why| panic!("{text}: {why}"));
            for storage in [DType::F32, DType::F16, DType::BF16] {
                let combination = Combination { contract: contract.clone(), storage };
                let found = sweep(&combination, &WORLDS, 1 << 16, 13, 2);
                assert_eq!(found.rejected, 0, "{text} {storage}: {:?}", found.first);
                assert!(found.tally.ratio > 0.5, "{text} {storage}: {:?}", found.tally);
            }
        }
    }
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let all = combinations(&CONTRACTS, Some("eager"), Some("exp"), None);
    for combination in &all {
        let [one, many] = [1, 3].map(|threads| sweep(combination, &WORLDS, 4 << 16, 8, threads));
        assert_eq!((&one.tally, &one.place), (&many.tally, &many.place));
    }
}

#[test]
fn every_term_is_nearly_reached() {
    for term in terms(&CONTRACTS) {
        let found = attained(&term, &WORLDS, 100_000, 9);
        println!("{}: {:.3} of the bound, of which it is {:.3}; {}", term.name, found.ratio, found.share, found.place);
        assert_eq!(found.rejected, None, "{}", term.name);
        assert!(found.ratio >= term.needed, "{}: {found:?}", term.name);
    }
}
