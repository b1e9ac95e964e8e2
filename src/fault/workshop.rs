//! Makes faulty and honest kernels.

use std::path::PathBuf;

use tempfile::TempDir;

use super::{Fault, Injection, SourceEdits, source};
use crate::backend::library::{LibraryFactory, LibraryOptions};
use crate::backend::{Backend, BackendFactory, StartError};
use crate::numeric::DType;
use crate::plan::contract::ContractTable;
use crate::spec::Library;

/// What kernels are made with.
pub struct Workshop<'a> {
    library: &'a Library,
    contracts: &'a ContractTable,
    run: LibraryOptions,
}

impl<'a> Workshop<'a> {
    /// With these schemes and contracts; compiled kernels are run as `run` says.
    #[must_use]
    pub fn new(library: &'a Library, contracts: &'a ContractTable, run: LibraryOptions) -> Self {
        Workshop { library, contracts, run }
    }

    /// The kernel that has this fault, for one storage type.
    ///
    /// # Errors
    /// Why there is none: no compiler, or a fault that does not fit its scheme.
    pub fn faulty(&self, fault: &Fault, dtype: DType) -> Result<Box<dyn BackendFactory>, String> {
        match &fault.injection {
            Injection::Source(edits) => Ok(Box::new(self.compiled(edits)?)),
            Injection::Emulated(_) => {
                let _ = (self.library, self.contracts, dtype);
                Err("not yet".into())
            }
        }
    }

    fn compiled(&self, edits: &SourceEdits) -> Result<Compiled, String> {
        let folder = tempfile::tempdir().map_err(|e| format!("no temporary folder: {e}"))?;
        let library: PathBuf = source::build(edits, folder.path())?;
        Ok(Compiled { inner: LibraryFactory::new(&library, self.run.clone()), _folder: folder })
    }
}

/// A compiled kernel, whose files go when it does.
struct Compiled {
    inner: LibraryFactory,
    _folder: TempDir,
}

impl BackendFactory for Compiled {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        self.inner.start()
    }

    fn name(&self) -> &str {
        "a compiled kernel"
    }
}
