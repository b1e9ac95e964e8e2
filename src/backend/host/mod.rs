//! The embedded default: ropecheck's own kernel, in Rust. It shares no code with the reference: f32
//! arithmetic, the platform's sine and cosine, one rounding at the store (contract class `fused`).

mod kernel;
mod storage;

use std::time::Instant;

use super::float_environment::{FloatControl, FloatEnvironment};
use super::layout_limits::LayoutLimits;
use super::library::float_control::watched;
use super::manifest::{ContractName, Integers, LevelManifest};
use super::{Answer, Backend, BackendFactory, Call, Manifest, StartError, StartErrorKind, Timed, Timing};
use crate::case::{Alias, BesideDtype, Consume, Level, PositionStrides, Strides, TableWidth};
use crate::numeric::DType;
use crate::spec::model::Pairing;
use memmap2::{MmapMut, MmapOptions};

/// The embedded kernel, levels rotate and apply.
pub struct Host {
    manifest: Manifest,
    memory: Vec<u8>,
    sparse: Option<MmapMut>,
    called: Option<[FloatControl; 2]>,
}

impl Host {
    /// A fresh one.
    #[must_use]
    pub fn new() -> Self {
        Host { manifest: manifest(), memory: Vec::new(), sparse: None, called: None }
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
        source: Vec::new(),
        levels: vec![
            (Level::Rotate, level(&[Consume::Positions, Consume::AxisOfPair, Consume::InvFreq], "table")),
            (Level::Apply, level(&[Consume::CosSin], "table")),
        ],
        position_dtypes: vec![DType::I64, DType::F64, DType::I32, DType::F32],
        position_strides: PositionStrides::Any,
        pairings: vec![Pairing::Half, Pairing::Adjacent],
        head_dims: Integers::Range { min: 2, max: 1024, multiple: 2 },
        partial_rotary: true,
        rotary_dims: Integers::Range { min: 2, max: 1024, multiple: 2 },
        rotary_offsets: Integers::Range { min: 0, max: 1024, multiple: 1 },
        q_heads: Integers::Range { min: 1, max: 1024, multiple: 1 },
        k_heads: Integers::Range { min: 0, max: 1024, multiple: 1 },
        alias: vec![Alias::Out, Alias::In],
        strides: Strides::Any,
        // Kernels of tests have them: two orders more for each of three tensors are many calls.
        negative_strides: false,
        max_position: i64::from(i32::MAX),
        min_position: -i64::from(i32::MAX),
        max_tokens: 1 << 24,
        token_ranges: true,
        varlen: true,
        copies: false,
        bit_stable: Some(true),
        directions: vec![1, -1],
        attention_scaling: true,
        per_head: true,
        batch_layouts: true,
        bases: Vec::new(),
        // No kernel that is known has them: each type more is a class that everything else has to meet.
        k_dtypes: vec![BesideDtype::Storage],
        output_dtypes: vec![BesideDtype::Storage],
        table_dtypes: BesideDtype::ALL.map(|(_, dtype)| dtype).to_vec(),
        table_widths: vec![TableWidth::Half, TableWidth::Full],
        layouts: LayoutLimits::default(),
        parameters: None,
        alignment: 1,
        max_offset: i64::MAX,
        dtypes,
    }
}

impl Backend for Host {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.sparse = None;
        if self.memory.len() < bytes {
            self.memory.resize(bytes, 0);
        }
        Ok(&mut self.memory[..bytes])
    }

    fn sparse_arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        let map = MmapOptions::new().len(bytes).no_reserve_swap().map_anon();
        let why =
            |e| StartError::new(StartErrorKind::NotOffered, "host", format!("no sparse memory of {bytes} bytes: {e}"));
        Ok(&mut self.sparse.insert(map.map_err(why)?)[..])
    }

    fn call(&mut self, call: &Call) -> Answer {
        let memory = self.sparse.as_deref_mut().unwrap_or(&mut self.memory);
        let (outcome, called) = watched(|| kernel::run(call, memory));
        self.called = called;
        outcome
    }

    fn time(&mut self, call: &Call, timing: &Timing) -> Result<Timed, Answer> {
        if !timing.fits(self.memory.len()) {
            return Err(Answer::Internal("the copy does not fit in the arena".into()));
        }
        let calls = timing.sample(|number| {
            let start = Instant::now();
            for _ in 0..number {
                match kernel::run(call, &mut self.memory) {
                    Answer::Ok => {}
                    outcome => return Err(outcome),
                }
            }
            Ok(start.elapsed().as_secs_f64())
        })?;
        let (front, back) = self.memory.split_at_mut(timing.to);
        let copies = timing.sample_copy(&front[timing.from.clone()], &mut back[..timing.from.len()]);
        Ok(Timed { calls, copies, device_clock: false })
    }

    fn memory(&self) -> &[u8] {
        self.sparse.as_deref().unwrap_or(&self.memory)
    }

    fn float_environment(&self) -> Option<FloatEnvironment> {
        // It is part of this program: nothing is loaded.
        self.called.map(|call| FloatEnvironment { load: [call[0]; 2], call })
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
