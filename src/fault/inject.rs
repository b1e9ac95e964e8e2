//! Faults put into the emulated backend.

use std::sync::Arc;

use super::walk::FormulaWalk;
use super::{EmulationChanges, Fault};
use crate::backend::emulated::{self, Emulated, Shared, Storing, Trig};
use crate::backend::{Answer, Backend, BackendFactory, Manifest, StartError};
use crate::case::call::{Call, PositionView};
use crate::contract::Declaration;
use crate::contract::{ContractTable, Procedure};
use crate::numeric::DType;
use crate::spec::Library;

/// The emulated kernel with a fault.
///
/// # Errors
/// If the fault does not fit: an unknown key or value, a contract or scheme that does not exist.
pub(super) fn emulated(
    fault: &Fault,
    what: &EmulationChanges,
    library: &Library,
    shared: &Arc<Shared>,
    contracts: &ContractTable,
) -> Result<Faulty, String> {
    let declared = Declaration::parse(&fault.contract)?;
    let honest = emulated::Emulation::honest(contracts, &declared.class, &declared.frequencies);
    let mut emulation = honest.ok_or_else(|| format!("there is no contract {}", fault.contract))?;
    emulation.manifest.name = fault.id.as_str().into();
    changed(emulation, what, &fault.schemes, library, shared, contracts)
}

/// An emulated kernel with these changes, those of a scheme in each of `schemes`.
///
/// # Errors
/// If a change does not fit.
pub(super) fn changed(
    mut emulation: emulated::Emulation,
    what: &EmulationChanges,
    in_schemes: &[String],
    library: &Library,
    shared: &Arc<Shared>,
    contracts: &ContractTable,
) -> Result<Faulty, String> {
    for (key, value) in &what.arithmetic {
        set(&mut emulation, key, value, contracts).map_err(|why| format!("{key}: {value}: {why}"))?;
    }
    if let Some(walk) = &what.walk {
        emulation.walk = Some(Arc::new(FormulaWalk { formulas: (**walk).clone() }));
    }
    let mut schemes = Vec::new();
    if let Some(patch) = &what.scheme {
        for id in in_schemes {
            schemes.push(library.patched(id, patch).map_err(|e| e.render(false))?);
        }
    }
    emulation.schemes = schemes;
    let state = what.state.iter().map(|(key, value)| kept(key, value)).collect::<Result<_, _>>()?;
    Ok(Faulty { emulation, state, shared: Arc::clone(shared) })
}

fn dtype(value: &str) -> Result<DType, String> {
    DType::parse(value).ok_or_else(|| "expected a type such as bf16".to_owned())
}

fn set(emulation: &mut emulated::Emulation, key: &str, value: &str, contracts: &ContractTable) -> Result<(), String> {
    let knobs = &mut emulation.knobs;
    let number = || value.parse::<f64>().map_err(|_| "expected a number".to_owned());
    match key {
        "positions" => knobs.position_type = Some(dtype(value)?),
        "frequencies" => knobs.frequency_type = Some(dtype(value)?),
        "angles" => knobs.angle_type = Some(dtype(value)?),
        "table" => knobs.table_type = Some(dtype(value)?),
        "arithmetic" => knobs.arithmetic_type = Some(dtype(value)?),
        "through" => knobs.storing = Storing::Through(dtype(value)?),
        "store" => {
            knobs.storing = match value {
                "toward-zero" => Storing::TowardZero,
                "saturate" => Storing::Saturating,
                _ => return Err("expected toward-zero or saturate".into()),
            }
        }
        "trig" => {
            knobs.trig = match value {
                "hardware" => Trig::Hardware,
                "one-word" => Trig::OneWord,
                "unreduced" => Trig::Unreduced,
                _ => return Err("expected hardware, one-word or unreduced".into()),
            }
        }
        "base" => knobs.base = Some(number()?),
        "flushes" => knobs.flush = value == "true",
        "procedure" => {
            let found = Procedure::ALL.iter().find(|(name, _)| *name == value).map(|(_, p)| *p);
            let procedure = found.ok_or("expected a way to frequencies such as recurrence")?;
            let rule = contracts.frequencies.iter().find(|rule| rule.procedure == procedure);
            let rule = rule.ok_or("no contract computes frequencies like this")?;
            emulation.contracts.iter_mut().for_each(|(_, c)| c.frequencies = rule.clone());
        }
        "library_ulps" => {
            let ulps = number()?;
            emulation.contracts.iter_mut().for_each(|(_, c)| c.frequencies.library_ulps = ulps);
            emulation.knobs.library = emulated::LibraryErrors::Up;
        }
        _ => return Err("unknown key".into()),
    }
    Ok(())
}

/// What a stateful kernel keeps from an earlier call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remembered {
    FirstPositions,
    PreviousPositions,
    FirstScaling,
    FirstDirection,
    FirstOutput,
    NarrowestTable,
}

fn kept(key: &str, value: &str) -> Result<Remembered, String> {
    Ok(match (key, value) {
        ("positions", "first") => Remembered::FirstPositions,
        ("positions", "previous") => Remembered::PreviousPositions,
        ("scaling", "first") => Remembered::FirstScaling,
        ("direction", "first") => Remembered::FirstDirection,
        ("output", "first") => Remembered::FirstOutput,
        ("table", "narrowest") => Remembered::NarrowestTable,
        _ => return Err(format!("state: {key}: {value}: no kernel keeps that")),
    })
}

/// Makes a faulty kernel.
pub(super) struct Faulty {
    emulation: emulated::Emulation,
    state: Vec<Remembered>,
    shared: Arc<Shared>,
}

impl BackendFactory for Faulty {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        let inner = Emulated::new(self.emulation.clone(), Arc::clone(&self.shared));
        if self.state.is_empty() {
            return Ok(Box::new(inner));
        }
        Ok(Box::new(Stateful { inner, state: self.state.clone(), bytes: 0, seen: Vec::new(), first: None }))
    }

    fn name(&self) -> &str {
        self.emulation.manifest.name.as_str()
    }
}

/// A kernel that keeps something from an earlier call.
struct Stateful {
    inner: Emulated,
    state: Vec<Remembered>,
    bytes: usize,
    /// Earlier calls of each shape: the call, and the memory before and after it.
    seen: Vec<Earlier>,
    /// Scaling and direction of the first call.
    first: Option<(f64, i32)>,
}

struct Earlier {
    call: Call,
    before: Vec<u8>,
    after: Vec<u8>,
}

/// Whether two calls have tensors of the same shape in the same place.
fn alike(a: &Call, b: &Call) -> bool {
    match (a, b) {
        (Call::Positions { token_count: a, out: x, .. }, Call::Positions { token_count: b, out: y, .. }) => {
            a == b && x == y
        }
        _ => a.level() == b.level() && a.qk() == b.qk(),
    }
}

/// Bytes of a position tensor.
fn extent(view: &PositionView, axes: usize, rows: usize, tokens: usize) -> std::ops::Range<usize> {
    let last = view.at(axes.saturating_sub(1), rows.saturating_sub(1), tokens.saturating_sub(1));
    view.offset..last + view.dtype.size()
}

impl Stateful {
    /// The call as this kernel understands it after `earlier`, and what it finds in memory.
    fn replaced(&mut self, call: &mut Call, earlier: Option<usize>) {
        let scaling_and_direction = match call {
            Call::Rotate { plan, .. } | Call::Fused { plan, .. } | Call::Apply { plan, .. } => {
                Some((&mut plan.attention_scaling, &mut plan.direction))
            }
            Call::Positions { .. } => None,
        };
        if let Some((scaling, direction)) = scaling_and_direction {
            let first = *self.first.get_or_insert((*scaling, *direction));
            if self.state.contains(&Remembered::FirstScaling) {
                *scaling = first.0;
            }
            if self.state.contains(&Remembered::FirstDirection) {
                *direction = first.1;
            }
        }
        let Some(earlier) = earlier.and_then(|at| self.seen.get(at)) else { return };
        let stale = [Remembered::FirstPositions, Remembered::PreviousPositions].iter().any(|k| self.state.contains(k));
        if !stale {
            return;
        }
        match (call, &earlier.call) {
            (Call::Rotate { positions, scheme, qk, .. }, Call::Rotate { positions: old, .. }) if positions == old => {
                let range = extent(positions, scheme.axes.len(), qk.batch, qk.tokens);
                if let (Ok(arena), Some(bytes)) = (self.inner.arena(self.bytes), earlier.before.get(range.clone())) {
                    arena[range].copy_from_slice(bytes);
                }
            }
            (Call::Fused { layouts, token_start, .. }, Call::Fused { layouts: old, token_start: old_start, .. })
            | (
                Call::Positions { layouts, token_start, .. },
                Call::Positions { layouts: old, token_start: old_start, .. },
            ) => {
                layouts.clone_from(old);
                *token_start = *old_start;
            }
            _ => {}
        }
    }
}

impl Backend for Stateful {
    fn manifest(&self) -> &Manifest {
        self.inner.manifest()
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.bytes = bytes;
        self.inner.arena(bytes)
    }

    fn call(&mut self, call: &Call) -> Answer {
        /// Most memory of earlier calls that is kept.
        const MOST_BYTES: usize = 1 << 22;
        let earlier = self.seen.iter().position(|e| alike(&e.call, call));
        let before = self.inner.memory().get(..self.bytes).unwrap_or_default().to_vec();
        let mut mine = call.clone();
        self.replaced(&mut mine, earlier);
        if self.state.contains(&Remembered::NarrowestTable)
            && let Some(dtype) = call.qk().map(|qk| qk.q.dtype)
        {
            let knobs = &mut self.inner.emulation_mut().knobs;
            let size = |d: Option<DType>| d.map_or(4, DType::size);
            if dtype.size() < size(knobs.table_type) {
                knobs.table_type = Some(dtype);
            }
        }
        let outcome = self.inner.call(&mine);
        if self.state.contains(&Remembered::FirstOutput)
            && let Some(at) = earlier
            && let (Some(qk), Ok(arena)) = (call.qk(), self.inner.arena(self.bytes))
            && let Some(old) = self.seen.get(at).filter(|e| e.after.len() == arena.len())
        {
            for view in [Some(qk.q_out), qk.k_out].into_iter().flatten() {
                // All from the first byte to the last, the gaps between rows among them.
                let ends = view.ranges().map(|range| (range.start, range.end));
                let Some((start, end)) = ends.reduce(|(a, b), (start, end)| (a.min(start), b.max(end))) else {
                    continue;
                };
                if let (Some(to), Some(from)) = (arena.get_mut(start..end), old.after.get(start..end)) {
                    to.copy_from_slice(from);
                }
            }
        }
        let keeps_latest = self.state.contains(&Remembered::PreviousPositions);
        if before.len() <= MOST_BYTES && (earlier.is_none() || keeps_latest) {
            let after = self.inner.memory().get(..self.bytes).unwrap_or_default().to_vec();
            self.seen.retain(|e| !alike(&e.call, call));
            self.seen.push(Earlier { call: call.clone(), before, after });
            if self.seen.len() > 16 {
                self.seen.remove(0);
            }
        }
        outcome
    }

    fn memory(&self) -> &[u8] {
        self.inner.memory()
    }
}
