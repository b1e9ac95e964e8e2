//! A kernel whose fault shows in a region alone.

use super::Region;
use super::inject::Faulty;
use super::places::Had;
use crate::backend::{Answer, Backend, BackendFactory, Manifest, StartError};
use crate::case::call::Call;
use crate::spec::Library;

/// Makes kernels that are faulty in a region, and right elsewhere.
pub(super) struct InRegion<'a> {
    pub(super) faulty: Faulty,
    pub(super) right: Faulty,
    pub(super) region: Region,
    pub(super) library: &'a Library,
}

impl BackendFactory for InRegion<'_> {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        // A backend outlives what made it.
        let (region, library) = (self.region.clone(), self.library.clone());
        let (faulty, right) = (self.faulty.start()?, self.right.start()?);
        Ok(Box::new(Both { faulty, right, region, library, bytes: 0, in_region: false }))
    }

    fn name(&self) -> &str {
        self.faulty.name()
    }
}

/// Two kernels, one for calls in a region.
struct Both {
    faulty: Box<dyn Backend>,
    right: Box<dyn Backend>,
    region: Region,
    library: Library,
    /// Bytes of the arena, which is that of the right kernel until a call.
    bytes: usize,
    /// Whether the last call was in the region.
    in_region: bool,
}

impl Backend for Both {
    fn manifest(&self) -> &Manifest {
        self.faulty.manifest()
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        (self.bytes, self.in_region) = (bytes, false);
        self.right.arena(bytes)
    }

    fn call(&mut self, call: &Call) -> Answer {
        let memory = self.right.memory().get(..self.bytes).unwrap_or_default();
        self.in_region = self.region.holds(&Had::of(call, memory, &self.library).dimensions(call));
        if !self.in_region {
            return self.right.call(call);
        }
        match self.faulty.arena(self.bytes) {
            Ok(arena) => arena[..self.bytes].copy_from_slice(memory),
            Err(error) => return Answer::Internal(error.to_string().into()),
        }
        self.faulty.call(call)
    }

    fn memory(&self) -> &[u8] {
        if self.in_region { self.faulty.memory() } else { self.right.memory() }
    }
}
