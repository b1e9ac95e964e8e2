//! Which kernel is emulated: what it says of itself, and what it does.

use std::sync::Arc;

use super::knobs::Knobs;
use super::walk::Walk;
use crate::backend::host::Host;
use crate::backend::manifest::{ContractName, LevelManifest};
use crate::backend::{Backend, Manifest};
use crate::case::{Consume, Level};
use crate::contract::Declaration;
use crate::contract::{Contract, ContractTable};
use crate::numeric::DType;
use crate::rotation::PlanCache;
use crate::spec::Library;
use crate::spec::model::Scheme;

/// Which kernel is emulated.
#[derive(Clone)]
pub struct Emulation {
    /// What it says of itself. May be edited, to offer less.
    pub manifest: Manifest,
    /// The arithmetic that it executes, by storage type: what the manifest names, unless it is to lie.
    pub contracts: Vec<(DType, Contract)>,
    /// Honest variants and faults of arithmetic.
    pub knobs: Knobs,
    /// What is read where; `None` is honest, and faster.
    pub walk: Option<Arc<dyn Walk>>,
    /// Used in place of the library's schemes of the same name and profile.
    pub schemes: Vec<Arc<Scheme>>,
}

impl Emulation {
    /// An honest kernel with levels rotate, fused and positions that keeps a contract in f32, f16 and bf16.
    /// It consumes positions or layouts, and the base; axes and frequencies it finds from the scheme.
    ///
    /// # Errors
    /// If there is no such contract.
    pub fn declared(contracts: &ContractTable, declaration: &Declaration) -> Result<Self, String> {
        let contract = declaration.resolve(contracts)?;
        // The embedded kernel offers every shape and stride, and so does an emulation.
        let mut manifest = Host::new().manifest().clone();
        manifest.name = format!("emulated {declaration}").into();
        let dtypes = manifest.dtypes.clone();
        let level = |consumes: &[Consume], tensors: bool| {
            let declared: &[DType] = if tensors { &dtypes } else { &[] };
            let contracts = declared.iter().map(|d| (*d, ContractName::clone(declaration))).collect();
            LevelManifest { consumes: consumes.to_vec(), schemes: vec!["*".to_owned()], contracts }
        };
        manifest.levels = vec![
            (Level::Positions, level(&[Consume::Layout], false)),
            (Level::Rotate, level(&[Consume::Positions, Consume::Base], true)),
            (Level::Fused, level(&[Consume::Layout, Consume::Base], true)),
        ];
        let contracts = dtypes.iter().map(|d| (*d, contract.clone())).collect();
        Ok(Self { manifest, contracts, knobs: Knobs::default(), walk: None, schemes: Vec::new() })
    }

    /// [`Emulation::declared`] by two names. `None` if there is no such contract.
    #[must_use]
    pub fn honest(contracts: &ContractTable, class: &str, frequencies: &str) -> Option<Self> {
        Self::declared(contracts, &Declaration::new(class, frequencies)).ok()
    }

    /// The same with other knobs.
    #[must_use]
    pub fn with(mut self, knobs: Knobs) -> Self {
        self.knobs = knobs;
        self
    }

    /// The arithmetic for a storage type.
    #[must_use]
    pub fn contract(&self, dtype: DType) -> Option<&Contract> {
        self.contracts.iter().find(|(d, _)| *d == dtype).map(|(_, contract)| contract)
    }
}

/// What all emulations of a run share: the schemes, and their rotation plans.
#[derive(Debug)]
pub struct Shared {
    pub(super) library: Arc<Library>,
    pub(super) plans: PlanCache,
}

impl Shared {
    /// For the schemes of a library.
    #[must_use]
    pub fn new(library: Arc<Library>) -> Self {
        Self { library, plans: PlanCache::new() }
    }
}
