//! Makes faulty and honest kernels.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::in_region::InRegion;
use super::{EmulationChanges, Fault, Injection, SourceEdits, inject, source};
use crate::backend::emulated::{EmulatedFactory, Emulation, Fused, HalfTangent, Knobs, LibraryErrors, Shared};
use crate::backend::program::{ProgramFactory, ProgramOptions};
use crate::backend::{Backend, BackendFactory, StartError, Vocabulary};
use crate::contract::{ContractTable, Declaration};
use crate::spec::Library;

/// What kernels are made with.
pub struct Workshop<'a> {
    library: &'a Library,
    contracts: &'a ContractTable,
    owned: Arc<Library>,
    shared: Arc<Shared>,
    run: ProgramOptions,
}

/// An honest kernel: what it is called, a scheme to try it on, and what makes it.
pub struct HonestKernel {
    /// Class, way to frequencies and variant.
    pub name: String,
    /// Scheme and profile.
    pub scheme: String,
    /// The kernel.
    pub factory: Arc<dyn BackendFactory + Send>,
}

impl<'a> Workshop<'a> {
    /// With these schemes and contracts; compiled kernels are run as `run` says.
    #[must_use]
    pub fn new(library: &'a Library, contracts: &'a ContractTable, run: ProgramOptions) -> Self {
        let owned = Arc::new(library.clone());
        let shared = Arc::new(Shared::new(Arc::clone(&owned)));
        Workshop { library, contracts, owned, shared, run }
    }

    /// The kernel that has this fault.
    ///
    /// # Errors
    /// Why there is none: no compiler, or a fault that does not fit its scheme.
    pub fn faulty(&self, fault: &Fault) -> Result<Box<dyn BackendFactory + 'a>, String> {
        match &fault.injection {
            Injection::Source(edits) => Ok(Box::new(self.compiled(edits)?)),
            Injection::Emulated(what) => {
                // Plans are kept by the names of schemes, and a fault may change what a name means.
                let own = Arc::new(Shared::new(Arc::clone(&self.owned)));
                let faulty = inject::emulated(fault, what, self.library, &own, self.contracts)?;
                let Some(region) = fault.region.clone() else { return Ok(Box::new(faulty)) };
                let plain = Arc::new(Shared::new(Arc::clone(&self.owned)));
                let right =
                    inject::emulated(fault, &EmulationChanges::default(), self.library, &plain, self.contracts)?;
                Ok(Box::new(InRegion { faulty, right, region, library: self.library }))
            }
        }
    }

    /// Honest emulations, one of every class and two of the worked examples. Ways to frequencies, variants of
    /// the arithmetic and schemes go round with the seed.
    #[must_use]
    pub fn honest(&self, seed: u64) -> Vec<HonestKernel> {
        let schemes: Vec<String> = self.library.schemes().filter(|s| s.is_default_profile).map(|s| s.id()).collect();
        let pick = |count: usize, shift: usize| (seed as usize).wrapping_add(shift) % count.max(1);
        let classes = self.contracts.classes.iter().enumerate().filter_map(|(at, class)| {
            let way = self.contracts.frequencies.get(pick(self.contracts.frequencies.len(), 3 * at))?;
            Some(Declaration::new(&*class.name, &*way.name))
        });
        let examples = self.contracts.examples.iter().map(|example| example.declared.clone());
        let skipped = pick(self.contracts.examples.len().div_ceil(2), 0) * 2;
        let kernels = classes.chain(examples.skip(skipped).take(2)).enumerate();
        let one = |(at, declared): (usize, Declaration)| {
            let class = self.contracts.class(&declared.class)?;
            let knobs = Knobs {
                fused: [Fused::None, Fused::OfCos, Fused::OfSin][pick(3, at)],
                through_f32: pick(2, at) == 1,
                flush: class.flushes && pick(3, 0) != 0,
                library: [
                    LibraryErrors::Random,
                    LibraryErrors::Alternating,
                    LibraryErrors::Up,
                    LibraryErrors::Down,
                    LibraryErrors::None,
                ][pick(5, at)],
                tangent: [HalfTangent::OfTable, HalfTangent::OfFactors, HalfTangent::Function][pick(3, at)],
                seed,
                ..Knobs::default()
            };
            let name = format!(
                "{declared} fma {:?}, library errors {:?}{}{}",
                knobs.fused,
                knobs.library,
                if knobs.through_f32 { ", through f32" } else { "" },
                if knobs.flush { ", flushing" } else { "" }
            );
            let emulation = Emulation::declared(self.contracts, &declared).ok()?.with(knobs);
            let factory = Arc::new(EmulatedFactory::new(emulation, Arc::clone(&self.shared)));
            let scheme = schemes.get(pick(schemes.len(), 5 * at))?.clone();
            Some(HonestKernel { name, scheme, factory })
        };
        kernels.filter_map(one).collect()
    }

    /// The example kernel in C, as it is.
    ///
    /// # Errors
    /// If it cannot be compiled.
    pub fn example(&self) -> Result<Box<dyn BackendFactory + 'a>, String> {
        let file = "kernels/c/rope.c".to_owned();
        Ok(Box::new(self.compiled(&SourceEdits { file, edits: Vec::new(), flags: Vec::new() })?))
    }

    fn compiled(&self, edits: &SourceEdits) -> Result<Compiled<'a>, String> {
        let folder = tempfile::tempdir().map_err(|e| format!("no temporary folder: {e}"))?;
        let library: PathBuf = source::build(edits, folder.path())?;
        let names = Vocabulary { schemes: self.library, contracts: self.contracts };
        Ok(Compiled { inner: ProgramFactory::library(&library, self.run.clone(), names), _folder: folder })
    }
}

/// A compiled kernel, whose files go when it does.
struct Compiled<'a> {
    inner: ProgramFactory<'a>,
    _folder: TempDir,
}

impl BackendFactory for Compiled<'_> {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        self.inner.start()
    }

    fn name(&self) -> &str {
        "a compiled kernel"
    }
}
