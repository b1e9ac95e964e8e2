//! The short form of `examples/adversarial.rs`: no honest element is rejected, and every term of the bound is nearly reached.

use std::sync::LazyLock;

use ropecheck::backend::emulated::adversarial::{World, attained, combinations, sweep, terms, worlds};
use ropecheck::plan::contract::ContractTable;
use ropecheck::plan::contract_file::contracts;

static CONTRACTS: LazyLock<ContractTable> = LazyLock::new(|| contracts().unwrap_or_else(|errors| panic!("{errors}")));
/// Few, because powers in 256 bits take their time; a width that is a power of two, one that is not, and a short one.
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
