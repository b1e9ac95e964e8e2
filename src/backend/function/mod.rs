//! Functions in Rust as a backend, in this process: what a test of a Rust project judges.
//!
//! A function gets arrays and returns arrays, so that nothing follows from the memory of a call: the manifest
//! is read as if it said `copies`. What writes into the memory of a call itself implements [`Backend`].

mod arguments;
mod values;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::float_environment::{FloatControl, FloatEnvironment};
use super::library::float_control::watched;
use super::{Answer, Backend, BackendFactory, Call, Manifest, StartError, StartErrorKind, Vocabulary};
use crate::case::{Alias, Level, Strides};
use crate::numeric::DType;

pub use arguments::{Apply, Plan, PositionsOfRow, Rotate, Rotated, RowPositions};
pub use half;
pub use ndarray;
pub use values::Element;

/// What runs a call over its arena.
type Run = Arc<dyn Fn(&Call, &mut [u8]) -> Answer + Send + Sync>;

/// One or more functions, and the manifest that says what they are.
pub struct Function {
    manifest: String,
    /// By level and storage type; positions have none.
    functions: Vec<(Level, Option<DType>, Run)>,
}

impl Function {
    /// Functions with a manifest: JSON as in docs/abi.md.
    #[must_use]
    pub fn new(manifest: &str) -> Function {
        Function { manifest: manifest.to_owned(), functions: Vec::new() }
    }

    /// The function of level `rotate` in the storage type `T`. An error is "unsupported", in words.
    #[must_use]
    pub fn rotate<T: Element>(
        mut self,
        function: impl Fn(&Rotate<T>) -> Result<Rotated<T>, String> + Send + Sync + 'static,
    ) -> Function {
        let run = move |call: &Call, memory: &mut [u8]| match call {
            Call::Rotate { plan, qk, positions, scheme, .. } => {
                if let Err(refused) = arguments::sensible(plan, qk, Some(scheme.axes.len()), memory) {
                    return refused;
                }
                let arguments = Rotate::read((plan, qk, positions), scheme, memory);
                arguments::write(function(&arguments), qk, memory)
            }
            _ => other_level(call),
        };
        self.functions.push((Level::Rotate, Some(T::DTYPE), Arc::new(run)));
        self
    }

    /// The function of level `apply` in the storage type `T`. An error is "unsupported", in words.
    #[must_use]
    pub fn apply<T: Element>(
        mut self,
        function: impl Fn(&Apply<T>) -> Result<Rotated<T>, String> + Send + Sync + 'static,
    ) -> Function {
        let run = move |call: &Call, memory: &mut [u8]| match call {
            Call::Apply { plan, qk, cos_sin } => {
                if let Err(refused) = arguments::sensible(plan, qk, None, memory) {
                    return refused;
                }
                arguments::write(function(&Apply::read((plan, qk), cos_sin, memory)), qk, memory)
            }
            _ => other_level(call),
        };
        self.functions.push((Level::Apply, Some(T::DTYPE), Arc::new(run)));
        self
    }

    /// The function of level `positions`, called once for each row. An error is "unsupported", in words.
    #[must_use]
    pub fn positions(
        mut self,
        function: impl Fn(&PositionsOfRow) -> Result<RowPositions, String> + Send + Sync + 'static,
    ) -> Function {
        let run = move |call: &Call, memory: &mut [u8]| match call {
            Call::Positions { .. } => arguments::write_positions(&function, call, memory),
            _ => other_level(call),
        };
        self.functions.push((Level::Positions, None, Arc::new(run)));
        self
    }

    /// What starts the functions as a backend.
    ///
    /// # Errors
    /// Every mistake in the manifest; a level or storage type that it offers and that no function was given
    /// for.
    pub fn factory(self, names: Vocabulary) -> Result<FunctionFactory, StartError> {
        let wrong = |why: String| StartError::new(StartErrorKind::Backend, NAME, why);
        let mut manifest = Manifest::parse(&self.manifest, names).map_err(|e| wrong(e.to_string()))?;
        for (level, _) in &manifest.levels {
            let dtypes = manifest.dtypes.iter().map(|dtype| Some(*dtype));
            let needed = if *level == Level::Positions { vec![None] } else { dtypes.collect() };
            for dtype in needed {
                if !self.functions.iter().any(|(l, d, _)| (*l, *d) == (*level, dtype)) {
                    let of = dtype.map_or_else(String::new, |dtype| format!(" in {}", dtype.name()));
                    return Err(wrong(format!(
                        "the manifest offers level {level}{of}: expected a function for it, found none"
                    )));
                }
            }
        }
        // Tensors are copied there and back, so the adapter serves any strides and writes in place, too: that
        // would say nothing about the function.
        manifest.copies = true;
        (manifest.alias, manifest.strides) = (vec![Alias::Out], Strides::Packed);
        Ok(FunctionFactory { manifest, functions: self.functions })
    }
}

const NAME: &str = "functions";

fn other_level(call: &Call) -> Answer {
    Answer::Unsupported(format!("there is no function for level {}", call.level()).into())
}

/// Starts functions.
pub struct FunctionFactory {
    manifest: Manifest,
    functions: Vec<(Level, Option<DType>, Run)>,
}

impl BackendFactory for FunctionFactory {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        let (manifest, functions) = (self.manifest.clone(), self.functions.clone());
        Ok(Box::new(FunctionBackend { manifest, functions, memory: Vec::new(), called: None }))
    }

    fn name(&self) -> &str {
        NAME
    }
}

struct FunctionBackend {
    manifest: Manifest,
    functions: Vec<(Level, Option<DType>, Run)>,
    memory: Vec<u8>,
    called: Option<[FloatControl; 2]>,
}

impl Backend for FunctionBackend {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        if self.memory.len() < bytes {
            self.memory.resize(bytes, 0);
        }
        Ok(&mut self.memory[..bytes])
    }

    fn call(&mut self, call: &Call) -> Answer {
        let dtype = call.qk().map(|qk| qk.q.dtype);
        let Some((.., run)) = self.functions.iter().find(|(l, d, _)| (*l, *d) == (call.level(), dtype)) else {
            return other_level(call);
        };
        let memory = &mut self.memory;
        // A panic is the function's; the arena is bytes, which are never half made.
        let (answer, called) = watched(|| catch_unwind(AssertUnwindSafe(|| run(call, memory))));
        self.called = called;
        answer.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Answer::Internal(format!("it panicked: {text}").into())
        })
    }

    fn float_environment(&self) -> Option<FloatEnvironment> {
        // It is part of this program: nothing is loaded.
        self.called.map(|call| FloatEnvironment { load: [call[0]; 2], call })
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }
}
