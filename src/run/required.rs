//! Whether a run met what was required of it.

use std::collections::BTreeSet;

use super::event::Started;
use super::proved::{Proof, proofs};
use super::reached::Reached;
use super::requirement::{Asked, Required, Requirement};
use super::result::CheckResult;
use crate::case::Level;
use crate::check::cover::Reach;
use crate::contract::ContractTable;

/// What requirements are held against.
pub(super) struct Had<'a> {
    pub(super) started: &'a Started,
    pub(super) contracts: &'a ContractTable,
    pub(super) results: &'a [CheckResult],
    pub(super) reached: &'a [Reached],
    pub(super) reach: &'a [Reach],
}

/// A part of what a run had: whether it suffices, and what it is.
type Part = (bool, String);

/// Holds what is required against what a run had.
pub(super) fn required(all: &[Requirement], had: &Had) -> Vec<Required> {
    let proofs = proofs(had.results);
    let one = |requirement: &Requirement| {
        let parts = had.parts(&requirement.asked, &proofs);
        // Of nothing nothing is true.
        let met = !parts.is_empty() && parts.iter().all(|(met, _)| *met);
        let said: Vec<String> = parts.into_iter().filter(|(good, _)| met || !good).map(|(_, said)| said).collect();
        let found = if said.is_empty() { "nothing".to_owned() } else { said.join(", ") };
        Required { require: requirement.text.clone(), met, found }
    };
    all.iter().map(one).collect()
}

impl Had<'_> {
    fn parts(&self, asked: &Asked, proofs: &[Proof]) -> Vec<Part> {
        let levels: BTreeSet<Level> = proofs.iter().map(|proof| proof.level).collect();
        let tensors = || levels.iter().copied().filter(|level| *level != Level::Positions);
        // Where the angles are given no scheme is judged.
        let angles = |level: Level| self.started.not_judged.iter().any(|given| given.level == level && given.angles);
        match asked {
            Asked::Size { dimension, low, high } => {
                let of = self.reach.iter().filter_map(|reach| Some((reach.level, reach.of(*dimension)?)));
                of.map(|(level, had)| match &had.ends {
                    // Of a class only its ends are known to lie on this side of the calls in it.
                    Some((first, last)) => (
                        last.low >= *high && low.is_none_or(|low| first.high <= low),
                        format!("{level} {} to {}", first.label(), last.label()),
                    ),
                    None => (false, format!("{level} none")),
                })
                .collect()
            }
            Asked::MaxPosition(most) => {
                let known = self.reached.iter().filter(|reached| !angles(reached.level));
                known
                    .map(|Reached { level, largest, .. }| match largest {
                        Some(largest) => (largest >= most, format!("{level} {largest}")),
                        None => (false, format!("{level} none")),
                    })
                    .collect()
            }
            Asked::Levels(wanted) => {
                let one = |level: &Level| proved(level.name(), proofs.iter().filter(|p| p.level == *level));
                wanted.iter().map(one).collect()
            }
            Asked::Dtypes(wanted) => {
                let on = |level: Level| {
                    wanted.iter().map(move |dtype| {
                        let here = proofs.iter().filter(|p| p.level == level && p.dtype == dtype.name());
                        proved(&format!("{level} {dtype}"), here)
                    })
                };
                tensors().flat_map(on).collect()
            }
            Asked::Schemes(wanted) => {
                let on = |level: Level| {
                    wanted.iter().map(move |scheme| {
                        let here = proofs.iter().filter(|p| p.level == level && p.scheme == scheme);
                        proved(&format!("{level} {scheme}"), here)
                    })
                };
                levels.iter().copied().filter(|level| !angles(*level)).flat_map(on).collect()
            }
            Asked::Contract(dtype, declared) => {
                let Ok(wanted) = declared.resolve(self.contracts) else { return Vec::new() };
                let ran = |level, dtype| proofs.iter().any(|p| p.level == level && p.dtype == dtype);
                let here = self.started.contracts.iter().filter(|one| ran(one.level, one.dtype.name()));
                here.filter(|one| dtype.is_none_or(|dtype| one.dtype == dtype))
                    .map(|one| {
                        let found = one.contract.resolve(self.contracts);
                        let within = found.is_ok_and(|found| found.is_within(&wanted, one.dtype));
                        (within, format!("{} {} {}", one.level, one.dtype, one.contract))
                    })
                    .collect()
            }
            Asked::Reach(percent) => self.reach.iter().map(|r| share(r, r.classes(), *percent, "classes")).collect(),
            Asked::Pairs(percent) => self.reach.iter().map(|r| share(r, r.pairs(), *percent, "pairs")).collect(),
        }
    }
}

/// Whether something was proved of every group.
fn proved<'p>(name: &str, groups: impl Iterator<Item = &'p Proof<'p>>) -> Part {
    let (all, proved) = groups.fold((0, 0), |(all, proved), group| (all + 1, proved + usize::from(group.proved)));
    match (all, proved) {
        (0, _) => (false, format!("{name} not judged")),
        (all, proved) if proved < all => (false, format!("{name} proved in {proved} of {all} groups")),
        _ => (true, name.to_owned()),
    }
}

fn share(reach: &Reach, (reached, offered): (usize, usize), percent: f64, what: &str) -> Part {
    // Counts are far below 2^53, so 100 % are all of them.
    let met = 100.0 * reached as f64 >= percent * offered as f64;
    (met, format!("{} {reached} of {offered} {what}", reach.level))
}
