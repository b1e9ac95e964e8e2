//! A case made concrete: the call, the bytes that go with it, and the truth to judge the answer by.

use std::ops::Range;
use std::sync::Arc;

use super::arena::{Arena, Buffer, read_tensor, write_tensor};
use super::call::{Call, ParameterValue, PlanView, PositionView, QkView, SchemeRef, SegmentRef, TableView};
use super::data::Tensor;
use super::tables::{cache, cos_sin};
use super::{Alias, Case, Consume, Level, Memory, Place};
use crate::numeric::{DType, Dd, Number, Rng};
use crate::plan::reference::{Turn, position_of};
use crate::plan::{HeadShape, Layout, NO_AXIS, Parameters, PlanCache, Positions, RotationPlan, Run, Segment};
use crate::spec::model::Scheme;

/// Why a case cannot be made concrete.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PrepareError {
    /// It lies outside what this backend or these types can express; said in the report, never counted as a pass.
    #[error("{0}")]
    NotApplicable(String),
    /// The spec, the parameters or the case itself is wrong.
    #[error("{0}")]
    Wrong(String),
}

/// Cosine and sine of `[row][token][pair]`.
pub type GivenTables = Vec<Vec<Vec<(f64, f64)>>>;

/// What the answer is judged by. Positions and tables are the numbers that were handed over, exactly.
#[derive(Debug, Clone)]
pub struct Truth {
    /// Rotation plan of the scheme.
    pub plan: Arc<RotationPlan>,
    /// Rotated channels.
    pub rotary_dim: usize,
    /// First of them.
    pub rotary_offset: usize,
    /// Rotated pairs.
    pub pairs: usize,
    /// 1 or -1.
    pub direction: f64,
    /// Position of `[axis][row][token]`.
    pub positions: Vec<Vec<Vec<Dd>>>,
    /// Cosine and sine of `[row][token][pair]` that were handed over, where the backend takes them from the suite.
    pub given: Option<GivenTables>,
}

impl Truth {
    /// Row of the plan's tables for a head of the call; key heads come after query heads.
    #[must_use]
    pub fn map_row(&self, head: usize) -> u32 {
        if self.plan.map_heads <= 1 {
            return 0;
        }
        let (head, q_heads) = (u32::try_from(head).unwrap_or(u32::MAX), self.plan.shape.q_heads);
        if head < q_heads { self.plan.row_of_q_head(head) } else { self.plan.row_of_k_head(head - q_heads) }
    }

    /// How the pairs of a token are turned by a row of the plan's tables.
    #[must_use]
    pub fn turns(&self, row: usize, token: usize, map_row: u32) -> Vec<Turn> {
        if let Some(given) = &self.given {
            let factors = given[row][token].iter();
            return factors.map(|(cos, sin)| Turn { cos: *cos, sin: self.direction * *sin }).collect();
        }
        let positions: Vec<Dd> = self.positions.iter().map(|axis| axis[row][token]).collect();
        let pairs = self.plan.axes(map_row).iter().zip(self.plan.frequencies(map_row));
        pairs
            .map(|(axis, frequency)| {
                let position = position_of(&positions, *axis);
                Turn::new(position, *frequency, self.plan.attention_scaling, self.direction > 0.0)
            })
            .collect()
    }
}

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

/// Byte that memory is filled with before inputs are written: a NaN in every float type.
pub const FLOAT_POISON: u8 = 0xff;
/// The same for positions: no plausible integer, and a huge float.
pub const POSITION_POISON: u8 = 0x5a;
/// Another one: large and finite in every float type, no plausible integer.
pub const HUGE_POISON: u8 = 0x7a;
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

    /// Poison on and around every row. The rest of sparse memory stays as it comes: zero, and not there until it is touched.
    fn poison_rows(&self, arena: &mut [u8]) {
        for view in self.call.qk().into_iter().flat_map(QkView::tensors) {
            let [batch, tokens, heads, channels] = view.shape;
            for (b, t) in (0..batch).flat_map(|b| (0..tokens).map(move |t| (b, t))) {
                let end = view.at(b, t, heads.max(1) - 1, channels.max(1) - 1) + view.dtype.size();
                let band = view.at(b, t, 0, 0).saturating_sub(BAND)..(end + BAND).min(arena.len());
                arena[band].fill(self.poison);
            }
        }
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

/// Most bytes that one case may take.
const MAX_ARENA: usize = 2 << 30;

/// Makes a case concrete for a backend that consumes `consumes` on this level and needs data on multiples of `alignment`
/// bytes (a power of two).
///
/// # Errors
/// [`PrepareError::NotApplicable`] where the types cannot hold the scheme's positions or the level has no such thing;
/// [`PrepareError::Wrong`] for parameters, shapes or layouts that the scheme refuses.
pub fn prepare(
    case: &Case,
    scheme: &Scheme,
    plans: &PlanCache,
    consumes: &[Consume],
    alignment: usize,
) -> Result<Prepared, PrepareError> {
    let wrong = |e: &dyn std::fmt::Display| PrepareError::Wrong(e.to_string());
    let parameters = Parameters::resolve(scheme, &case.parameters).map_err(|e| wrong(&e))?;
    let scheme_positions = run_layouts(case, scheme, &parameters)?;
    let reference =
        scheme_ref(scheme, &parameters, consumes.contains(&Consume::Base) || case.level == Level::Positions);
    let mut arena = Arena::new(case.memory, alignment);
    if case.packed && (case.level == Level::Positions || case.window.is_some()) {
        return Err(PrepareError::Wrong("packed sequences have tensors, and all of their tokens".into()));
    }
    if case.level == Level::Positions {
        return Ok(positions_call(case, scheme, reference, scheme_positions, arena));
    }
    let (rotary_width, extra_offset) = case.rotary.unwrap_or((case.head_dim, 0));
    if extra_offset.checked_add(rotary_width).is_none_or(|end| end > case.head_dim) {
        return Err(PrepareError::Wrong(format!(
            "rotary width {rotary_width} at {extra_offset} does not fit in {}",
            case.head_dim
        )));
    }
    let shape = HeadShape { head_dim: rotary_width, q_heads: case.q_heads, k_heads: case.k_heads.max(1) };
    let mut plan = plans.plan(scheme, &parameters, shape).map_err(|e| wrong(&e))?;
    if let Some(scaling) = case.scaling {
        plan = Arc::new(RotationPlan { attention_scaling: scaling, ..(*plan).clone() });
    }
    let (batch, tokens) = (case.batch(), usize::try_from(case.tokens()).map_err(|e| wrong(&e))?);
    let heads = case.q_heads as usize + case.k_heads as usize;
    let elements = batch
        .checked_mul(tokens)
        .and_then(|n| n.checked_mul(heads))
        .and_then(|n| n.checked_mul(case.head_dim as usize));
    if elements.and_then(|n| n.checked_mul(16)).is_none_or(|bytes| bytes > MAX_ARENA) {
        return Err(PrepareError::Wrong(format!("the tensors would take more than {MAX_ARENA} bytes")));
    }
    let handed = handed_positions(case, scheme.axes.len(), &scheme_positions)?;
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
            let positions = position_view(case, &truth, has(Consume::Positions), &mut arena);
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
        let mut run = Run::new(scheme, parameters, layout);
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
        Place::Layout { shift } => Number::from_i64(shift),
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

fn scheme_ref(scheme: &Scheme, parameters: &Parameters, base: bool) -> SchemeRef {
    let values = parameters.named(scheme).into_iter().map(|(name, value)| {
        let fraction = value.as_ratio().and_then(|(n, d)| Some((i64::try_from(n).ok()?, i64::try_from(d).ok()?)));
        if name == "base" && !base {
            // Not listed under `consumes`, so it arrives poisoned here as well.
            return ParameterValue { name, value: f64::NAN, num: 0, den: 0 };
        }
        let (num, den) = fraction.unwrap_or((0, 0));
        ParameterValue { name, value: value.to_f64(), num, den }
    });
    SchemeRef {
        scheme: scheme.name.clone(),
        profile: scheme.profile.clone(),
        axes: scheme.axes.clone(),
        parameters: values.collect(),
    }
}

fn segments(layout: &Layout) -> Vec<SegmentRef> {
    let one = |segment: &Segment| {
        let grid = segment.grid().map_or([0; 3], |g| g.map(i64::from));
        let seconds = segment.seconds().as_ratio().unwrap_or((1, 1));
        SegmentRef {
            kind: match segment {
                Segment::Text(_) => 0,
                Segment::Image { .. } => 1,
                Segment::Video { .. } => 2,
            },
            grid,
            tokens: i64::try_from(segment.tokens()).unwrap_or(i64::MAX),
            seconds: [i64::try_from(seconds.0).unwrap_or(0), i64::try_from(seconds.1).unwrap_or(0)],
        }
    };
    layout.segments().iter().map(one).collect()
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
    let stride = position_stride(case, batch, tokens);
    let size = dtype.size();
    let out = PositionView { dtype, offset: arena.reserve("out", size * axes * stride[0], size), stride };
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

/// Rows of position tensors are padded, so that a backend that ignores a stride is seen; next to a guard band they are not,
/// or an overrun would end in the padding.
fn position_stride(case: &Case, batch: usize, tokens: usize) -> [usize; 3] {
    let row = match case.memory {
        Memory::GuardEnd | Memory::GuardStart => tokens,
        _ => tokens + 3,
    };
    [batch * row, row, 1]
}

fn tensors(case: &Case, batch: usize, tokens: usize, arena: &mut Arena) -> QkView {
    let mut tensor = |name: &'static str, heads: u32, output: bool| {
        arena.tensor(name, case.dtype, [batch, tokens, heads as usize, case.head_dim as usize], output)
    };
    let q = tensor("q", case.q_heads, false);
    let k = (case.k_heads > 0).then(|| tensor("k", case.k_heads, false));
    let (q_out, k_out) = match case.alias {
        Alias::In => (q, k),
        Alias::Out => {
            (tensor("q_out", case.q_heads, true), (case.k_heads > 0).then(|| tensor("k_out", case.k_heads, true)))
        }
    };
    let sequences = case.packed.then(|| (arena.put("cu_seqlens", first_tokens(&case.layouts), 8), case.layouts.len()));
    let (q_heads, k_heads) = (case.q_heads as usize, case.k_heads as usize);
    QkView { batch, tokens, q_heads, k_heads, sequences, q, k, q_out, k_out }
}

/// First token of each sequence in the packed row, and the number of tokens: `cu_seqlens`.
fn first_tokens(layouts: &[Layout]) -> Vec<u8> {
    let mut starts = vec![0i64];
    for layout in layouts {
        let last = starts.last().copied().unwrap_or(0);
        starts.push(last.saturating_add(i64::try_from(layout.tokens()).unwrap_or(i64::MAX)));
    }
    starts.iter().flat_map(|n| n.to_le_bytes()).collect()
}

fn plan_view(case: &Case, scheme: &Scheme, truth: &Truth, consumes: &[Consume], arena: &mut Arena) -> PlanView {
    let has = |what| consumes.contains(&what);
    let plan = &truth.plan;
    let rows: Vec<u32> = if plan.map_heads > 1 {
        (0..case.q_heads)
            .map(|h| plan.row_of_q_head(h))
            .chain((0..case.k_heads).map(|h| plan.row_of_k_head(h)))
            .collect()
    } else {
        vec![0]
    };
    let axes = scheme.axes.len();
    let mut axis_bytes = Vec::with_capacity(rows.len() * truth.pairs);
    let mut frequency_bytes = Vec::with_capacity(8 * rows.len() * truth.pairs);
    for row in &rows {
        for (axis, frequency) in plan.axes(*row).iter().zip(plan.frequencies(*row)) {
            // A backend that reads what it says it does not read turns every pair by a neighbouring axis, and by NaN.
            let moved = u8::try_from((usize::from(*axis) + 1) % axes).unwrap_or(0);
            axis_bytes.push(if has(Consume::AxisOfPair) || *axis == NO_AXIS { *axis } else { moved });
            let frequency = if has(Consume::InvFreq) { *frequency } else { f64::NAN };
            frequency_bytes.extend_from_slice(&frequency.to_le_bytes());
        }
    }
    let head_stride = if rows.len() > 1 { truth.pairs } else { 0 };
    let sections = match &plan.sections {
        Some(list) if has(Consume::Sections) => {
            let bytes: Vec<u8> = list.iter().flat_map(|n| n.to_le_bytes()).collect();
            Some((arena.put("sections", bytes, 8), list.len()))
        }
        _ => None,
    };
    PlanView {
        pairing: case.pairing,
        head_dim: case.head_dim as usize,
        rotary_dim: truth.rotary_dim,
        rotary_offset: truth.rotary_offset,
        direction: case.direction,
        attention_scaling: plan.attention_scaling,
        axis_of_pair: TableView { offset: arena.put("axis_of_pair", axis_bytes, 1), head_stride },
        inv_freq: TableView { offset: arena.put("inv_freq", frequency_bytes, 8), head_stride },
        base: if has(Consume::Base) { plan.base.unwrap_or(f64::NAN) } else { f64::NAN },
        sections,
        interleaved: plan.interleaved,
    }
}

fn position_view(case: &Case, truth: &Truth, consumed: bool, arena: &mut Arena) -> PositionView {
    let (axes, batch) = (truth.positions.len(), case.batch());
    let tokens = truth.positions.first().and_then(|a| a.first()).map_or(0, Vec::len);
    let dtype = case.position_dtype;
    let stride = position_stride(case, batch, tokens);
    let mut bytes = vec![POSITION_POISON; dtype.size() * axes * stride[0]];
    for (axis, rows) in truth.positions.iter().enumerate() {
        for (b, row) in rows.iter().enumerate() {
            for (t, position) in row.iter().enumerate() {
                let value = if consumed { position.hi } else { 3.0 * position.hi + 11.0 + axis as f64 };
                let at = axis * stride[0] + b * stride[1] + t;
                dtype.put_bits(&mut bytes, at, dtype.encode(value));
            }
        }
    }
    PositionView { dtype, offset: arena.put("positions", bytes, dtype.size()), stride }
}
