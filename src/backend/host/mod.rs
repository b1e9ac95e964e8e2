//! The embedded default: ropecheck's own kernel, in Rust. It shares no code with the reference: f32 arithmetic, the
//! platform's sine and cosine, one rounding at the store (contract class `fused`).

mod kernel;
mod storage;

use super::manifest::{ContractName, Integers, LevelManifest};
use super::{Backend, BackendFactory, Call, Manifest, Outcome, StartError};
use crate::case::{Alias, Consume, Level, Strides};
use crate::numeric::DType;
use crate::spec::model::Pairing;

/// The embedded kernel, levels rotate and apply.
pub struct Host {
    manifest: Manifest,
    memory: Vec<u8>,
}

impl Host {
    /// A fresh one.
    #[must_use]
    pub fn new() -> Self {
        Host { manifest: manifest(), memory: Vec::new() }
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

fn manifest() -> Manifest {
    let dtypes = vec![DType::F32, DType::F16, DType::BF16];
    let level = |consumes: &[Consume], frequencies: &str| LevelManifest {
        consumes: consumes.to_vec(),
        schemes: vec!["*".into()],
        contracts: dtypes.iter().map(|d| (*d, ContractName::new("fused", frequencies))).collect(),
    };
    Manifest {
        name: "host".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        levels: vec![
            (Level::Rotate, level(&[Consume::Positions, Consume::AxisOfPair, Consume::InvFreq], "table")),
            (Level::Apply, level(&[Consume::CosSin], "table")),
        ],
        position_dtypes: vec![DType::I64, DType::F64, DType::I32, DType::F32],
        pairings: vec![Pairing::Half, Pairing::Adjacent],
        head_dims: Integers::Range { min: 2, max: 1024, multiple: 2 },
        partial_rotary: true,
        q_heads: Integers::Range { min: 1, max: 1024, multiple: 1 },
        k_heads: Integers::Range { min: 0, max: 1024, multiple: 1 },
        alias: vec![Alias::Out, Alias::In],
        strides: Strides::Any,
        max_position: i64::from(i32::MAX),
        max_tokens: 1 << 24,
        token_ranges: true,
        directions: vec![1, -1],
        attention_scaling: true,
        per_head: true,
        batch_layouts: true,
        bases: Vec::new(),
        dtypes,
    }
}

impl Backend for Host {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        if self.memory.len() < bytes {
            self.memory.resize(bytes, 0);
        }
        Ok(&mut self.memory[..bytes])
    }

    fn call(&mut self, call: &Call) -> Outcome {
        kernel::run(call, &mut self.memory)
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }
}

/// Starts [`Host`]s.
pub struct HostFactory;

impl BackendFactory for HostFactory {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        Ok(Box::new(Host::new()))
    }

    fn name(&self) -> &str {
        "host"
    }
}
