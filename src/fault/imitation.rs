//! Emulated kernels in the place of a kernel under test: as it says of itself, with defects of the catalogue
//! in them.

use std::sync::Arc;

use super::defect::{EmulationChanges, Injection};
use super::walk::IndexFault;
use super::{Fault, inject};
use crate::backend::emulated::{Emulation, Shared};
use crate::backend::{BackendFactory, Manifest};
use crate::case::{Consume, Level};
use crate::contract::{Contract, ContractTable};
use crate::numeric::DType;
use crate::spec::Library;
use crate::spec::yaml::{Node, Value};

/// The kernel that is imitated, in the calls of one group.
#[derive(Debug, Clone, Copy)]
pub struct Imitated<'a> {
    /// What it says of itself.
    pub manifest: &'a Manifest,
    /// The level that is called.
    pub level: Level,
    /// The scheme, with its profile.
    pub scheme: &'a str,
    /// The arithmetic that it declares for a storage type; none on level positions.
    pub contract: Option<(DType, &'a Contract)>,
}

/// Makes imitations.
pub struct Imitator<'a> {
    library: &'a Library,
    contracts: &'a ContractTable,
    owned: Arc<Library>,
    shared: Arc<Shared>,
}

impl<'a> Imitator<'a> {
    /// With these schemes and contracts.
    #[must_use]
    pub fn new(library: &'a Library, contracts: &'a ContractTable) -> Self {
        let owned = Arc::new(library.clone());
        Imitator { library, contracts, shared: Arc::new(Shared::new(Arc::clone(&owned))), owned }
    }

    /// A kernel that computes as this one declares, and has these defects; without any it is right. It takes
    /// positions or layouts, whatever the kernel takes, so that defects before these have their place.
    ///
    /// # Errors
    /// If a defect does not fit: it is one of a compiled source, it needs another scheme, or two exclude each
    /// other.
    pub fn imitation(&self, like: &Imitated, faults: &[&Fault]) -> Result<Box<dyn BackendFactory>, String> {
        let mut changes = EmulationChanges::default();
        for fault in faults {
            let Injection::Emulated(what) = &fault.injection else {
                return Err(format!("{} is an edit of a source", fault.id));
            };
            if fault.region.is_some() {
                return Err(format!("{} shows in a part of the calls", fault.id));
            }
            changes = joined(&changes, what).ok_or("they change the same thing")?;
        }
        let emulation = self.emulation(like)?;
        let own = changes.scheme.is_some().then(|| Arc::new(Shared::new(Arc::clone(&self.owned))));
        // Plans are kept by the names of schemes, and a defect may change what a name means.
        let shared = own.as_ref().unwrap_or(&self.shared);
        let schemes = [like.scheme.to_owned()];
        let faulty = inject::changed(emulation, &changes, &schemes, self.library, shared, self.contracts)?;
        Ok(Box::new(faulty))
    }

    fn emulation(&self, like: &Imitated) -> Result<Emulation, String> {
        // On level positions there is no arithmetic to declare.
        let mut emulation = Emulation::honest(self.contracts, "fused", "table").ok_or("there is no contract")?;
        if let Some((dtype, contract)) = like.contract {
            emulation.contracts = vec![(dtype, contract.clone())];
        }
        let levels = std::mem::take(&mut emulation.manifest.levels);
        emulation.manifest = like.manifest.clone();
        let declared = emulation.manifest.levels.iter().find(|(level, _)| *level == like.level);
        let declared = declared.map(|(_, declared)| declared.contracts.clone()).unwrap_or_default();
        emulation.manifest.levels = levels;
        for (_, level) in &mut emulation.manifest.levels {
            level.contracts.clone_from(&declared);
            // What nobody reads is refused nowhere: it makes axes and frequencies from the scheme.
            level.consumes.retain(|consumed| *consumed != Consume::Base);
            level.consumes.extend([Consume::InvFreq, Consume::AxisOfPair]);
        }
        Ok(emulation)
    }
}

/// Both changes; `None` if they are about the same thing.
fn joined(one: &EmulationChanges, other: &EmulationChanges) -> Option<EmulationChanges> {
    let scheme = match (&one.scheme, &other.scheme) {
        (Some(one), Some(other)) => Some(apart(one, other)?),
        (one, other) => one.clone().or_else(|| other.clone()),
    };
    let walk = match (&one.walk, &other.walk) {
        (Some(one), Some(other)) => Some(Arc::new(walks(one, other)?)),
        (one, other) => one.clone().or_else(|| other.clone()),
    };
    let words = |one: &[(String, String)], other: &[(String, String)]| {
        let twice = one.iter().any(|(key, _)| other.iter().any(|(known, _)| known == key));
        (!twice).then(|| [one, other].concat())
    };
    Some(EmulationChanges {
        scheme,
        walk,
        arithmetic: words(&one.arithmetic, &other.arithmetic)?,
        state: words(&one.state, &other.state)?,
    })
}

/// A tree with the keys of both; `None` if something is in both.
fn apart(one: &Node, other: &Node) -> Option<Node> {
    let (Value::Map(first), Value::Map(second)) = (&one.value, &other.value) else { return None };
    let mut entries = first.clone();
    for (key, node) in second {
        match entries.iter_mut().find(|(known, _)| known.text == key.text) {
            Some((_, below)) => *below = apart(below, node)?,
            None => entries.push((key.clone(), node.clone())),
        }
    }
    Some(Node { value: Value::Map(entries), location: one.location.clone() })
}

/// The formulas of both; `None` if one thing has two.
fn walks(one: &IndexFault, other: &IndexFault) -> Option<IndexFault> {
    fn either<T: Clone>(one: Option<&T>, other: Option<&T>) -> Option<Option<T>> {
        match (one, other) {
            (Some(_), Some(_)) => None,
            (one, other) => Some(one.or(other).cloned()),
        }
    }
    macro_rules! either {
        ($($field:ident),*) => {
            IndexFault {
                $($field: either(one.$field.as_ref(), other.$field.as_ref())?,)*
                whole_head: one.whole_head || other.whole_head,
            }
        };
    }
    Some(either!(
        row, token, axis, axis_pair, pair, offset, from_row, from_token, from_head, from_side, skip, copy, zero, cos,
        sin, pairing, tail
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::catalogue;

    fn changes(id: &str) -> EmulationChanges {
        let all = catalogue().expect("the catalogue reads");
        let Some(Injection::Emulated(what)) = all.iter().find(|f| f.id == id).map(|f| f.injection.clone()) else {
            panic!("{id} is emulated")
        };
        *what
    }

    #[test]
    fn defects_join_unless_they_change_the_same_thing() {
        let join = |one, other| joined(&changes(one), &changes(other));
        let both = join("first-axis-for-all", "head-counts-as-time").expect("another formula");
        assert!(both.walk.is_some_and(|walk| walk.axis.is_some() && walk.offset.is_some()));
        assert!(join("head-counts-as-time", "row-as-token").is_none());
        assert!(join("images-have-time", "seconds-ignored").is_some(), "image and video are apart");
        assert!(join("seconds-ignored", "seconds-cut-first").is_none());
        assert!(join("angles-in-bf16", "positions-in-bf16").is_some());
        assert!(join("angles-in-bf16", "angles-in-f16").is_none());
    }
}
