//! Kernels that do nothing useful: a suite that lets one of them pass has lost its right to judge.

use super::{Answer, Backend, Call, Manifest, StartError};
use crate::backend::host::Host;
use crate::case::call::TensorView;

/// Which kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlKind {
    /// The embedded kernel: must pass.
    KnownGood,
    /// Copies the input.
    Identity,
    /// Writes zeros.
    Zero,
    /// Says OK and writes nothing.
    Echo,
    /// Writes NaN.
    Nan,
    /// Answers every call as it answered the first one.
    Stale,
}

impl ControlKind {
    /// Those that must fail.
    pub const BAD: [ControlKind; 5] =
        [ControlKind::Identity, ControlKind::Zero, ControlKind::Echo, ControlKind::Nan, ControlKind::Stale];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ControlKind::KnownGood => "known-good",
            ControlKind::Identity => "identity",
            ControlKind::Zero => "zero",
            ControlKind::Echo => "echo",
            ControlKind::Nan => "nan",
            ControlKind::Stale => "stale",
        }
    }
}

/// A control kernel, with the embedded kernel's manifest.
pub struct Control {
    kind: ControlKind,
    inner: Host,
    memory: Vec<u8>,
    first: Option<Vec<u8>>,
}

impl Control {
    /// A fresh one.
    #[must_use]
    pub fn new(kind: ControlKind) -> Self {
        Control { kind, inner: Host::new(), memory: Vec::new(), first: None }
    }
}

/// Runs `write` on every element of `output`, with the byte offset of the element and of its input.
fn each(input: &TensorView, output: &TensorView, mut write: impl FnMut(usize, usize)) {
    let [batch, tokens, heads, channels] = output.shape;
    for b in 0..batch {
        for t in 0..tokens {
            for h in 0..heads {
                for d in 0..channels {
                    write(input.at(b, t, h, d), output.at(b, t, h, d));
                }
            }
        }
    }
}

impl Backend for Control {
    fn manifest(&self) -> &Manifest {
        self.inner.manifest()
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        if self.memory.len() < bytes {
            self.memory.resize(bytes, 0);
        }
        Ok(&mut self.memory[..bytes])
    }

    fn call(&mut self, call: &Call) -> Answer {
        let Some(qk) = call.qk().copied() else { return Answer::Unsupported("".into()) };
        let honest = |inner: &mut Host, memory: &mut Vec<u8>| {
            let Ok(arena) = inner.arena(memory.len()) else { return Answer::Internal("no memory".into()) };
            arena.copy_from_slice(memory);
            let outcome = inner.call(call);
            let bytes = memory.len();
            memory.copy_from_slice(&inner.memory()[..bytes]);
            outcome
        };
        let sides = [(Some(qk.q), Some(qk.q_out)), (qk.k, qk.k_out)];
        let size = qk.q.dtype.size();
        match self.kind {
            ControlKind::KnownGood => return honest(&mut self.inner, &mut self.memory),
            ControlKind::Echo => {}
            ControlKind::Stale => match &self.first {
                Some(first) if first.len() == self.memory.len() => self.memory.copy_from_slice(first),
                _ => {
                    let outcome = honest(&mut self.inner, &mut self.memory);
                    self.first = Some(self.memory.clone());
                    return outcome;
                }
            },
            kind => {
                for (input, output) in sides {
                    let (Some(input), Some(output)) = (input, output) else { continue };
                    each(&input, &output, |from, to| match kind {
                        ControlKind::Identity => self.memory.copy_within(from..from + size, to),
                        ControlKind::Zero => self.memory[to..to + size].fill(0),
                        _ => self.memory[to..to + size].fill(0xff),
                    });
                }
            }
        }
        Answer::Ok
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }
}
