//! Emulated kernels as backends.

use std::sync::Arc;

use super::call::run;
use super::emulation::{Emulation, Shared};
use crate::backend::{Answer, Backend, BackendFactory, Call, Manifest, StartError};

/// An emulated kernel.
pub struct Emulated {
    emulation: Emulation,
    shared: Arc<Shared>,
    memory: Vec<u8>,
    calls: u64,
}

impl Emulated {
    /// A fresh one.
    #[must_use]
    pub fn new(emulation: Emulation, shared: Arc<Shared>) -> Self {
        Self { emulation, shared, memory: Vec::new(), calls: 0 }
    }

    /// The emulation, to be changed between calls.
    pub fn emulation_mut(&mut self) -> &mut Emulation {
        &mut self.emulation
    }
}

impl Backend for Emulated {
    fn manifest(&self) -> &Manifest {
        &self.emulation.manifest
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        if self.memory.len() < bytes {
            self.memory.resize(bytes, 0);
        }
        Ok(&mut self.memory[..bytes])
    }

    fn call(&mut self, call: &Call) -> Answer {
        let number = self.calls;
        self.calls += 1;
        run(&self.emulation, &self.shared, number, call, &mut self.memory)
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }
}

/// Starts [`Emulated`]s that share their plans.
pub struct EmulatedFactory {
    emulation: Emulation,
    shared: Arc<Shared>,
}

impl EmulatedFactory {
    /// For one kernel.
    #[must_use]
    pub fn new(emulation: Emulation, shared: Arc<Shared>) -> Self {
        Self { emulation, shared }
    }
}

impl BackendFactory for EmulatedFactory {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        Ok(Box::new(Emulated::new(self.emulation.clone(), Arc::clone(&self.shared))))
    }

    fn name(&self) -> &str {
        self.emulation.manifest.name.as_str()
    }
}
