//! A case made concrete: the call, the bytes that go with it, and the truth to judge the answer by.

use std::ops::Range;
use std::sync::Arc;

use super::arena::{Arena, Buffer, read_tensor, write_tensor};
use super::call::{Call, PositionView, QkView, SchemeRef};
use super::data::Tensor;
use super::tables::{cache, cos_sin};
use super::truth::{FLOAT_POISON, POSITION_POISON, PrepareError, Truth};
use super::views::{plan_view, position_memory, position_view, scheme_ref, segments, tensors};
use super::{Case, Consume, Level, PositionOrder, PositionSource};
use crate::numeric::{DType, Dd, Number, Rng};
use crate::positions::{Evaluation, Layout, Positions, length_at, length_of};
use crate::rotation::{HeadShape, PlanCache, RotationPlan};
use crate::spec::Parameters;
use crate::spec::model::Scheme;

/// A case made concrete.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The call.
    pub call: Call,
    /// Bytes of its arena.
    pub bytes: usize,
    /// What the arena holds apart from q and k: byte offset and bytes.
    tables: Vec<(usize, Vec<u8>)>,
    /// What the call is handed, each with its name in the ABI.
    pub buffers: Vec<Buffer>,
    /// Byte ranges that the call has no business in; whole pages.
    pub guards: Vec<Range<usize>>,
    /// True if only what is touched may take memory.
    pub sparse: bool,
    /// Byte that memory is filled with before inputs are written.
    pub poison: u8,
    /// The scheme's positions of each row; empty where places are drawn.
    pub positions: Vec<Positions>,
    /// What rotated tensors are judged by; `None` on level positions.
    pub truth: Option<Truth>,
}

/// Bytes around each row of a sparse tensor that are poisoned.
const BAND: usize = 4096;

impl Prepared {
    /// Writes poison, tables, q and k.
    pub fn write(&self, arena: &mut [u8], q: &Tensor, k: &Tensor) {
        if self.sparse {
            self.poison_rows(arena);
        } else {
            arena.fill(self.poison);
        }
        for (offset, bytes) in &self.tables {
            arena[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        if let Some(qk) = self.call.qk() {
            write_tensor(arena, &qk.q, q);
            if let Some(view) = &qk.k {
                write_tensor(arena, view, k);
            }
        }
    }

    /// The same with q and k made of `values`, again and again: for calls of which only the time matters. Not for sparse memory.
    pub fn write_repeated(&self, arena: &mut [u8], values: &[f64]) {
        arena.fill(self.poison);
        for (offset, bytes) in &self.tables {
            arena[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        for buffer in self.buffers.iter().filter(|b| matches!(b.name, "q" | "k")) {
            let Some(qk) = self.call.qk() else { continue };
            let mut block = vec![0; values.len() * buffer.element];
            qk.q.dtype.encode_slice(values, &mut block);
            for chunk in arena[buffer.offset..buffer.end()].chunks_mut(block.len().max(1)) {
                chunk.copy_from_slice(&block[..chunk.len()]);
            }
        }
    }

    /// Poison on and around every row. The rest of sparse memory stays as it comes: zero, and not there until it is touched.
    fn poison_rows(&self, arena: &mut [u8]) {
        for view in self.call.qk().into_iter().flat_map(QkView::tensors) {
            for row in view.ranges() {
                let band = row.start.saturating_sub(BAND)..(row.end + BAND).min(arena.len());
                arena[band].fill(self.poison);
            }
        }
    }

    /// Tokens of each packed sequence, as the call is told; empty where nothing is packed.
    #[must_use]
    pub fn sequence_lengths(&self) -> Vec<i64> {
        let Some((at, count)) = self.call.qk().and_then(|qk| qk.sequences) else { return Vec::new() };
        let table = self.tables.iter().find(|(offset, _)| *offset == at).map_or(&[][..], |(_, bytes)| bytes);
        let starts: Vec<i64> = table
            .chunks_exact(8)
            .take(count + 1)
            .map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap_or_default()))
            .collect();
        starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Reads the outputs: q, k.
    #[must_use]
    pub fn read(&self, memory: &[u8]) -> (Tensor, Tensor) {
        match self.call.qk() {
            Some(qk) => {
                (read_tensor(memory, &qk.q_out), qk.k_out.map_or_else(Tensor::default, |v| read_tensor(memory, &v)))
            }
            None => (Tensor::default(), Tensor::default()),
        }
    }
}

/// Whether a backend that consumes this on a level turns every pair as the plan's two tables say, and as nothing
/// else does.
#[must_use]
pub fn tables_are_read(level: Level, consumes: &[Consume]) -> bool {
    let has = |what| consumes.contains(&what);
    let by_itself = [Consume::Base, Consume::CosSin, Consume::CosSinCache];
    level == Level::Rotate && has(Consume::AxisOfPair) && has(Consume::InvFreq) && !by_itself.into_iter().any(has)
}

/// Most bytes that the tensors of a case may take.
pub const MOST_BYTES: usize = 2 << 30;

/// Makes a case concrete for a backend that consumes `consumes` on this level and needs data on multiples of `alignment`
/// bytes (a power of two).
///
/// # Errors
/// [`PrepareError::NotApplicable`] where the types cannot hold the scheme's positions, the level has no such thing, or the
/// tensors would be too large;
/// [`PrepareError::Wrong`] for parameters, shapes or layouts that the scheme refuses.
pub fn prepare(
    case: &Case,
    scheme: &Scheme,
    plans: &PlanCache,
    consumes: &[Consume],
    alignment: usize,
) -> Result<Prepared, PrepareError> {
    prepare_within(case, scheme, plans, (consumes, alignment), MOST_BYTES)
}

/// As [`prepare`], with tensors of up to `most` bytes.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_within(
    case: &Case,
    scheme: &Scheme,
    plans: &PlanCache,
    (consumes, alignment): (&[Consume], usize),
    most: usize,
) -> Result<Prepared, PrepareError> {
    let wrong = |e: &dyn std::fmt::Display| PrepareError::Wrong(e.to_string());
    let parameters = Parameters::resolve(scheme, &case.parameters).map_err(|e| wrong(&e))?;
    let scheme_positions = run_layouts(case, scheme, &parameters)?;
    let reference = scheme_ref(scheme, &parameters);
    let mut arena = Arena::new(case.memory, alignment);
    if case.packed && (case.level == Level::Positions || case.window.is_some()) {
        return Err(PrepareError::Wrong("packed sequences have tensors, and all of their tokens".into()));
    }
    if case.level == Level::Positions {
        if case.position_order == PositionOrder::Shared {
            return Err(PrepareError::Wrong("rows of positions that are written share nothing".into()));
        }
        return Ok(positions_call(case, scheme, reference, scheme_positions, arena));
    }
    let (rotary_width, extra_offset) = case.rotary.unwrap_or((case.head_dim, 0));
    if extra_offset.checked_add(rotary_width).is_none_or(|end| end > case.head_dim) {
        return Err(PrepareError::Wrong(format!(
            "rotary width {rotary_width} at {extra_offset} does not fit in {}",
            case.head_dim
        )));
    }
    let (batch, tokens) = (case.batch(), usize::try_from(case.tokens()).map_err(|e| wrong(&e))?);
    fits_in(case, [batch, tokens], most)?;
    let handed = handed_positions(case, scheme.axes.len(), &scheme_positions)?;
    let plan = plan_of(case, scheme, plans, parameters, &handed)?;
    if case.per_head && !tables_are_read(case.level, consumes) {
        let why = "what does not read the axis map and the frequencies has no tables per head";
        return Err(PrepareError::NotApplicable(why.into()));
    }
    let mut truth = Truth {
        rotary_dim: plan.rotary_dim as usize,
        rotary_offset: (plan.rotary_offset + extra_offset) as usize,
        pairs: plan.pairs as usize,
        direction: f64::from(case.direction),
        positions: handed,
        given: None,
        plan,
    };
    let qk = tensors(case, batch, tokens, &mut arena);
    let plan_view = plan_view(case, scheme, &truth, consumes, &mut arena);
    let has = |what| consumes.contains(&what);
    let call = match case.level {
        Level::Rotate => {
            let positions = position_view(case, &truth, has(Consume::Positions), &mut arena)?;
            let cos_sin = if has(Consume::CosSin) { Some(cos_sin(case, &mut truth, &mut arena)?) } else { None };
            let cache = if has(Consume::CosSinCache) { Some(cache(case, &mut truth, &mut arena)?) } else { None };
            Call::Rotate { scheme: reference, plan: plan_view, qk, positions, cos_sin, cache }
        }
        Level::Fused => Call::Fused {
            scheme: reference,
            plan: plan_view,
            qk,
            layouts: case.layouts.iter().map(segments).collect(),
            token_start: case.window.map_or(0, |(start, _)| usize::try_from(start).unwrap_or(usize::MAX)),
        },
        Level::Apply => {
            let cos_sin = cos_sin(case, &mut truth, &mut arena)?;
            Call::Apply { plan: plan_view, qk, cos_sin }
        }
        Level::Positions => return Err(PrepareError::Wrong("level positions has no tensors".into())),
    };
    Ok(prepared(call, arena, scheme_positions, Some(truth), case.memory.is_far()))
}

/// Whether tensors of so many rows and tokens take up to `most` bytes.
fn fits_in(case: &Case, [batch, tokens]: [usize; 2], most: usize) -> Result<(), PrepareError> {
    let heads = case.q_heads as usize + case.k_heads as usize;
    let elements = batch
        .checked_mul(tokens)
        .and_then(|n| n.checked_mul(heads))
        .and_then(|n| n.checked_mul(case.head_dim as usize));
    if elements.and_then(|n| n.checked_mul(16)).is_none_or(|bytes| bytes > most) {
        return Err(PrepareError::NotApplicable(format!("the tensors would take more than {most} bytes")));
    }
    Ok(())
}

/// The plan of a call at these positions.
fn plan_of(
    case: &Case,
    scheme: &Scheme,
    plans: &PlanCache,
    parameters: Parameters,
    handed: &[Vec<Vec<Dd>>],
) -> Result<Arc<RotationPlan>, PrepareError> {
    let head_dim = case.rotary.map_or(case.head_dim, |(width, _)| width);
    let shape = HeadShape { head_dim, q_heads: case.q_heads, k_heads: case.k_heads.max(1) };
    let parameters = for_this_call(case, scheme, parameters, handed)?;
    let mut plan = plans.plan(scheme, &parameters, shape).map_err(|error| PrepareError::Wrong(error.to_string()))?;
    if let Some(scaling) = case.scaling {
        plan = Arc::new(RotationPlan { attention_scaling: scaling, ..(*plan).clone() });
    }
    Ok(if case.per_head { Arc::new(plan.per_head()) } else { plan })
}

/// Whether the positions of a truth, moved since it was made, still have its plan.
///
/// # Errors
/// As [`prepare`].
pub fn keeps_its_plan(case: &Case, scheme: &Scheme, plans: &PlanCache, truth: &Truth) -> Result<bool, PrepareError> {
    if !scheme.depends_on_length() {
        return Ok(true);
    }
    let parameters =
        Parameters::resolve(scheme, &case.parameters).map_err(|error| PrepareError::Wrong(error.to_string()))?;
    let moved = Case { level: Level::Rotate, ..case.clone() };
    Ok(plan_of(&moved, scheme, plans, parameters, &truth.positions)? == truth.plan)
}

/// The parameters of a plan, which may depend on the length of the sequences of a call: of whole sequences where the
/// backend is handed layouts, of its positions where it is handed those.
fn for_this_call(
    case: &Case,
    scheme: &Scheme,
    parameters: Parameters,
    handed: &[Vec<Vec<Dd>>],
) -> Result<Parameters, PrepareError> {
    if !scheme.depends_on_length() {
        return Ok(parameters);
    }
    let length = if case.level == Level::Fused && case.place.is_layout() {
        length_of(scheme, &parameters, &case.layouts).map_err(|e| PrepareError::Wrong(e.to_string()))?
    } else {
        length_at(handed.iter().flatten().flatten())
    };
    Ok(parameters.with_length(length))
}

fn prepared(call: Call, arena: Arena, positions: Vec<Positions>, truth: Option<Truth>, sparse: bool) -> Prepared {
    let poison = if call.level() == Level::Positions { POSITION_POISON } else { FLOAT_POISON };
    let Arena { bytes, tables, buffers, guards, .. } = arena;
    Prepared { call, bytes, tables, buffers, guards, sparse, poison, positions, truth }
}

fn run_layouts(case: &Case, scheme: &Scheme, parameters: &Parameters) -> Result<Vec<Positions>, PrepareError> {
    if !case.place.is_layout() {
        return Ok(Vec::new());
    }
    let run = |layout: &Layout| {
        let mut run = Evaluation::new(scheme, parameters, layout);
        if let Some((start, count)) = case.window {
            run = run.window(start..start.saturating_add(count));
        }
        run.run().map_err(|e| PrepareError::Wrong(e.to_string()))
    };
    case.layouts.iter().map(run).collect()
}

/// The exact positions that the backend is handed or has to find, `[axis][row][token]`.
fn handed_positions(case: &Case, axes: usize, rows: &[Positions]) -> Result<Vec<Vec<Vec<Dd>>>, PrepareError> {
    let tokens = case.tokens();
    let shift = match case.place {
        PositionSource::Layout { shift } => Number::from_i64(shift),
        place => {
            let rng = Rng::new(case.seed).fork(0x706f_7369);
            let count = usize::try_from(tokens).unwrap_or(usize::MAX);
            let drawn = place.draw(&rng, case.position_dtype, [axes, case.batch(), count]);
            return drawn.unwrap_or_else(|| Err("no position was drawn".into())).map_err(PrepareError::NotApplicable);
        }
    };
    let start = case.window.map_or(0, |(start, _)| start);
    let one = |row: &Positions, axis: usize, token: u64| -> Result<Dd, PrepareError> {
        let number =
            row.get(axis, start + token).ok_or_else(|| PrepareError::Wrong("a token has no position".into()))?;
        let number = number.add(&shift).map_err(|e| PrepareError::Wrong(e.to_string()))?;
        if case.level != Level::Rotate {
            return Ok(number.to_dd());
        }
        match case.position_dtype {
            DType::I32 | DType::I64 => match number.to_i64() {
                // Beyond 2^53 an f64 no longer holds every integer; no scheme and no band goes there.
                Some(n) if n.abs() <= 1 << 53 && (case.position_dtype == DType::I64 || i32::try_from(n).is_ok()) => {
                    Ok(Dd::from_f64(n as f64))
                }
                _ => Err(PrepareError::NotApplicable(format!(
                    "position {number} does not fit in {}",
                    case.position_dtype.name()
                ))),
            },
            float => Ok(Dd::from_f64(float.round(number.to_f64()))),
        }
    };
    if case.packed {
        let joined = |axis| rows.iter().flat_map(move |row| (0..row.layout().tokens()).map(move |t| (row, axis, t)));
        return (0..axes)
            .map(|axis| Ok(vec![joined(axis).map(|(row, a, t)| one(row, a, t)).collect::<Result<_, _>>()?]))
            .collect();
    }
    (0..axes).map(|axis| rows.iter().map(|row| (0..tokens).map(|t| one(row, axis, t)).collect()).collect()).collect()
}

fn positions_call(
    case: &Case,
    scheme: &Scheme,
    reference: SchemeRef,
    rows: Vec<Positions>,
    mut arena: Arena,
) -> Prepared {
    let (axes, batch) = (scheme.axes.len(), case.batch());
    let tokens = usize::try_from(case.tokens()).unwrap_or(usize::MAX);
    let dtype = case.position_dtype;
    let (stride, elements) = position_memory(case, [axes, batch, tokens]);
    let size = dtype.size();
    let out = PositionView { dtype, offset: arena.reserve("out", size * elements, size), stride };
    let next = PositionView { dtype, offset: arena.reserve("next", size * axes * batch, size), stride: [batch, 1, 0] };
    let call = Call::Positions {
        scheme: reference,
        layouts: case.layouts.iter().map(segments).collect(),
        token_start: case.window.map_or(0, |(start, _)| usize::try_from(start).unwrap_or(usize::MAX)),
        token_count: tokens,
        out,
        next,
    };
    prepared(call, arena, rows, None, false)
}
