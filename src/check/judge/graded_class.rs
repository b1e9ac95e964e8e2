//! Classes of contracts that a backend might keep.

use crate::check::harness::Harness;
use crate::contract::{Contract, Types};

/// A class that a backend might keep.
pub(super) struct GradedClass {
    pub(super) contract: Contract,
    pub(super) types: Types,
}

/// The classes from the strictest to the declared one, each with the declared way to frequencies.
pub(super) fn candidates(harness: &Harness<'_>, declared: &Contract, types: &Types) -> Vec<GradedClass> {
    let classes = &harness.contracts.classes;
    let end = classes.iter().position(|c| c.name == declared.class.name).unwrap_or(0);
    let mut all: Vec<GradedClass> = classes[..end]
        .iter()
        .map(|class| {
            let contract = Contract { class: class.clone(), ..declared.clone() };
            let types = Types::between(&contract, types.storage, types.output);
            GradedClass { contract, types }
        })
        .collect();
    all.push(GradedClass { contract: declared.clone(), types: *types });
    all
}
