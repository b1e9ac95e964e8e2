//! One call of an emulated kernel: its positions, its rotation plan, and the walk over the tensors.

use std::sync::Arc;

use super::arithmetic::{Arithmetic, Factor};
use super::frequencies::{Angles, Exact};
use super::ideal::odd;
use super::knobs::Tail;
use super::walk::{Fetch, Fill, Place, Side, Sizes, Turning, Walk};
use super::{Emulation, Shared};
use crate::backend::Outcome;
use crate::case::call::{Call, ParameterValue, PlanView, PositionView, QkView, SchemeRef, SegmentRef, TensorView};
use crate::case::channels_of_pair;
use crate::numeric::{DType, Dd, Number};
use crate::plan::{HeadShape, Layout, NO_AXIS, Parameters, Positions, RotationPlan, Run, Segment};
use crate::spec::model::Scheme;

/// Position of `[axis][row][token]`.
type AllPositions = Vec<Vec<Vec<Dd>>>;

pub(super) fn run(emulation: &Emulation, shared: &Shared, call: &Call, number: u64, memory: &mut [u8]) -> Outcome {
    let done = match call {
        Call::Positions { scheme, layouts, token_start, token_count, out, next } => {
            Maker::new(emulation, shared, scheme).and_then(|maker| {
                let rows = maker.rows(layouts, *token_start, *token_count)?;
                let sizes = maker.sizes_of_positions(layouts, *token_start, *token_count, number);
                maker.write_positions(&rows, &sizes, (out, next), memory)
            })
        }
        Call::Rotate { scheme, plan, qk, positions, .. } => Maker::new(emulation, shared, scheme).and_then(|maker| {
            let positions = read_positions(positions, maker.scheme.axes.len(), qk, memory);
            let found = Found { positions: &positions, start: 0, total: qk.tokens, first: 0, finds: false };
            maker.rotate(plan, qk, found, number, memory)
        }),
        Call::Fused { scheme, plan, qk, layouts, token_start } => {
            Maker::new(emulation, shared, scheme).and_then(|maker| {
                let packed = qk.sequences.is_some();
                let rows = maker.rows(layouts, *token_start, if packed { usize::MAX } else { qk.tokens })?;
                let axes = maker.scheme.axes.len();
                let (first, count) = maker.reach(layouts, *token_start, qk.tokens);
                let mut positions = exact_positions(&rows, axes, first, count);
                if packed {
                    // The sequences follow one another in a single row.
                    positions = packed_positions(&rows, axes);
                }
                let total = total(layouts);
                let found = Found { positions: &positions, start: *token_start, total, first, finds: true };
                maker.rotate(plan, qk, found, number, memory)
            })
        }
        Call::Apply { .. } => return Outcome::Unsupported("an emulated kernel makes its own cosines and sines".into()),
    };
    match done {
        Ok(()) => Outcome::Ok,
        Err(text) => Outcome::BadArgument(text),
    }
}

fn read_positions(view: &PositionView, axes: usize, qk: &QkView, memory: &[u8]) -> AllPositions {
    let one = |axis, row, token| {
        let size = view.dtype.size();
        let at = view.at(axis, row, token);
        Dd::from_f64(memory.get(at..at + size).map_or(f64::NAN, |bytes| view.dtype.decode_at(bytes, 0)))
    };
    let row = |axis, row| (0..qk.tokens).map(|token| one(axis, row, token)).collect();
    (0..axes).map(|axis| (0..qk.batch).map(|b| row(axis, b)).collect()).collect()
}

fn exact_positions(rows: &[Positions], axes: usize, start: usize, tokens: usize) -> AllPositions {
    let one = |row: &Positions, axis, token: usize| {
        row.get(axis, (start + token) as u64).map_or(Dd::from_f64(f64::NAN), |number| number.to_dd())
    };
    (0..axes).map(|axis| rows.iter().map(|row| (0..tokens).map(|t| one(row, axis, t)).collect()).collect()).collect()
}

fn packed_positions(rows: &[Positions], axes: usize) -> AllPositions {
    let one = |row: &Positions, axis: usize| -> Vec<Dd> {
        let column = row.columns().get(axis);
        column.into_iter().flat_map(|c| (0..c.len()).filter_map(|i| c.get(i)).map(|n| n.to_dd())).collect()
    };
    (0..axes).map(|axis| vec![rows.iter().flat_map(|row| one(row, axis)).collect()]).collect()
}

/// Tokens of the first row.
fn total(layouts: &[Vec<SegmentRef>]) -> usize {
    let tokens: i64 = layouts.first().map_or(0, |row| row.iter().map(|s| s.tokens).sum());
    usize::try_from(tokens).unwrap_or(0)
}

/// Positions of a call.
struct Found<'a> {
    positions: &'a AllPositions,
    /// First token of the call in its layout.
    start: usize,
    /// Tokens of the layout.
    total: usize,
    /// Token of the layout that the positions begin with.
    first: usize,
    /// Whether the kernel found them itself.
    finds: bool,
}

/// Longest layout whose positions are all found for a walk that may ask for any of them.
const WHOLE_LAYOUT: usize = 1 << 16;

/// A parameter's value; `None` for what arrives poisoned, which then has its default.
fn value(parameter: &ParameterValue) -> Option<(String, Number)> {
    let exact = if parameter.den == 0 { None } else { Number::ratio(parameter.num.into(), parameter.den.into()).ok() };
    Some((parameter.name.clone(), exact.or_else(|| Number::from_f64(parameter.value).ok())?))
}

fn layout(segments: &[SegmentRef]) -> Result<Layout, String> {
    let size = |n: i64| u32::try_from(n).map_err(|_| format!("a segment of size {n}"));
    let one = |segment: &SegmentRef| -> Result<Segment, String> {
        let [t, h, w] = segment.grid;
        let [num, den] = segment.seconds;
        Ok(match segment.kind {
            0 => Segment::Text(size(segment.tokens)?),
            1 => Segment::Image { h: size(h)?, w: size(w)? },
            _ => {
                let seconds = Number::ratio(num.into(), den.into()).map_err(|e| e.to_string())?;
                Segment::Video { t: size(t)?, h: size(h)?, w: size(w)?, seconds }
            }
        })
    };
    let segments = segments.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    Layout::new(segments).map_err(|e| e.to_string())
}

/// The scheme that a call is about, as this kernel understands it.
struct Maker<'a> {
    emulation: &'a Emulation,
    shared: &'a Shared,
    scheme: Arc<Scheme>,
    parameters: Parameters,
}

impl<'a> Maker<'a> {
    fn new(emulation: &'a Emulation, shared: &'a Shared, reference: &SchemeRef) -> Result<Self, String> {
        let id = format!("{}@{}", reference.scheme, reference.profile);
        let mut patched = emulation.schemes.iter();
        let scheme = match patched.find(|s| s.name == reference.scheme && s.profile == reference.profile) {
            Some(patched) => Arc::clone(patched),
            None => Arc::clone(shared.library.get(&id).map_err(|e| e.to_string())?),
        };
        // A patched scheme may lack a parameter.
        let known = |p: &&ParameterValue| scheme.parameters.iter().any(|other| other.name == p.name);
        let values: Vec<_> = reference.parameters.iter().filter(known).filter_map(value).collect();
        let parameters = Parameters::resolve(&scheme, &values).map_err(|e| e.to_string())?;
        Ok(Self { emulation, shared, scheme, parameters })
    }

    /// The tokens of a layout whose positions are found: those of the call, or all where a walk may ask for others.
    fn reach(&self, layouts: &[Vec<SegmentRef>], start: usize, tokens: usize) -> (usize, usize) {
        let total = total(layouts);
        if self.emulation.walk.is_some() && total <= WHOLE_LAYOUT { (0, total) } else { (start, tokens) }
    }

    fn rows(&self, layouts: &[Vec<SegmentRef>], start: usize, tokens: usize) -> Result<Vec<Positions>, String> {
        let (first, count) = self.reach(layouts, start, tokens);
        let window = first as u64..first.saturating_add(count) as u64;
        let one = |segments: &Vec<SegmentRef>| {
            let layout = layout(segments)?;
            let window = window.start..window.end.min(layout.tokens());
            Run::new(&self.scheme, &self.parameters, &layout).window(window).run().map_err(|e| e.to_string())
        };
        layouts.iter().map(one).collect()
    }

    fn sizes_of_positions(&self, layouts: &[Vec<SegmentRef>], start: usize, tokens: usize, call: u64) -> Sizes {
        Sizes {
            rows: layouts.len(),
            tokens,
            q_heads: 1,
            k_heads: 0,
            pairs: self.scheme.axes.len(),
            axes: self.scheme.axes.len(),
            head_dim: 2,
            start,
            total: total(layouts),
            direction: 1,
            scaling: 1.0,
            in_place: false,
            call,
            finds_positions: true,
        }
    }

    /// Level positions: every position rounded once to the type it is asked for in, after the faults of this kernel.
    fn write_positions(
        &self,
        rows: &[Positions],
        sizes: &Sizes,
        (out, next): (&PositionView, &PositionView),
        memory: &mut [u8],
    ) -> Result<(), String> {
        let contract = self.emulation.contracts.first().ok_or("no contract")?;
        let none = Exact { inv_freq: &[], base: None, rotary_dim: 2 };
        let angles = Angles::new(&contract.1, contract.0, &self.emulation.knobs, none);
        let walk = self.emulation.walk.as_deref();
        let honest = angles.keeps_positions();
        let bits = |number: Option<&Number>, dtype: DType, place: Option<Place>| {
            let number = number.ok_or("a token has no position")?;
            Ok::<u64, String>(match (number.to_i64(), walk.zip(place)) {
                (Some(n), None) if honest && dtype == DType::I64 => n as u64,
                (_, walk) => {
                    let position = angles.position(number.to_dd());
                    let position = walk.map_or(position, |(walk, place)| walk.position(place, sizes, position));
                    dtype.encode(odd(position))
                }
            })
        };
        for (b, row) in rows.iter().enumerate() {
            for axis in 0..self.scheme.axes.len() {
                for t in 0..sizes.tokens {
                    let axis_byte = u8::try_from(axis).unwrap_or(NO_AXIS);
                    let place = Place { side: Side::Query, row: b, token: t, head: 0, pair: axis, axis: axis_byte };
                    let fetch = walk.map_or(Fetch::honest(place, sizes), |walk| walk.fetch(place, sizes));
                    let from = rows.get(fetch.row).unwrap_or(row);
                    let position = from.get(usize::from(fetch.axis), fetch.token as u64);
                    let position = position.or_else(|| row.get(axis, (sizes.start + t) as u64));
                    if fetch.fill == Fill::Rotated {
                        put(memory, out.at(axis, b, t), out.dtype, bits(position.as_ref(), out.dtype, Some(place))?)?;
                    }
                }
                put(memory, next.at(axis, b, 0), next.dtype, bits(row.next().on(axis), next.dtype, None)?)?;
            }
        }
        Ok(())
    }

    /// The plan for the heads of a call. The width that the scheme is asked for is not part of a call: it is the head's, or the rotary
    /// width itself, or something between.
    fn plan(&self, view: &PlanView, qk: &QkView) -> Result<Arc<RotationPlan>, String> {
        let size = |n: usize| u32::try_from(n).map_err(|_| format!("a size of {n}"));
        let (q_heads, k_heads) = (size(qk.q_heads)?, size(qk.k_heads.max(1))?);
        let (width, rotary_dim) = (size(view.head_dim)?, size(view.rotary_dim)?);
        let between = (rotary_dim..width).rev();
        let mut refused = String::new();
        for head_dim in [width, rotary_dim].into_iter().chain(between) {
            let shape = HeadShape { head_dim, q_heads, k_heads };
            match self.shared.plans.plan(&self.scheme, &self.parameters, shape) {
                Ok(plan) if plan.rotary_dim == rotary_dim => return Ok(plan),
                Ok(_) => {}
                Err(error) => refused = error.to_string(),
            }
        }
        Err(format!("{} rotates no {rotary_dim} channels of {width} {refused}", self.scheme.id()))
    }

    fn rotate(
        &self,
        view: &PlanView,
        qk: &QkView,
        found: Found<'_>,
        number: u64,
        memory: &mut [u8],
    ) -> Result<(), String> {
        let mut view = view.clone();
        if self.emulation.knobs.whole_head {
            (view.rotary_dim, view.rotary_offset) = (view.head_dim, 0);
        }
        let view = &view;
        let dtype = qk.q.dtype;
        let contract = self.emulation.contract(dtype).ok_or_else(|| format!("no contract for {dtype}"))?;
        let plan = self.plan(view, qk)?;
        let angles = |row| {
            let inv_freq = plan.frequencies(row);
            let exact = Exact { inv_freq, base: plan.base, rotary_dim: plan.rotary_dim };
            Angles::new(contract, dtype, &self.emulation.knobs, exact)
        };
        let sizes = Sizes {
            rows: qk.batch,
            tokens: qk.tokens,
            q_heads: qk.q_heads,
            k_heads: qk.k_heads,
            pairs: plan.pairs as usize,
            axes: self.scheme.axes.len(),
            head_dim: view.head_dim,
            start: found.start,
            total: found.total,
            direction: view.direction,
            scaling: view.attention_scaling,
            in_place: qk.q.offset == qk.q_out.offset,
            call: number,
            finds_positions: found.finds,
        };
        let mut kernel = Kernel {
            view,
            qk,
            positions: found.positions,
            first: found.first,
            sizes,
            arithmetic: Arithmetic::new(contract, dtype, &self.emulation.knobs),
            angles: (0..plan.map_heads).map(angles).collect(),
            tail: self.emulation.knobs.tail,
            last_unrotated: self.emulation.knobs.last_pair_unrotated,
            walk: self.emulation.walk.as_deref(),
            plan: &plan,
            factors: Vec::new(),
        };
        kernel.run(memory)
    }
}

fn put(memory: &mut [u8], at: usize, dtype: DType, bits: u64) -> Result<(), String> {
    let element = memory.get_mut(at..at + dtype.size());
    let element = element.ok_or_else(|| format!("byte {at} is outside of the memory of the call"))?;
    dtype.put_bits(element, 0, bits);
    Ok(())
}

/// The loops over tokens and heads.
struct Kernel<'a> {
    view: &'a PlanView,
    qk: &'a QkView,
    positions: &'a AllPositions,
    /// Token of the layout that they begin with.
    first: usize,
    sizes: Sizes,
    arithmetic: Arithmetic,
    /// Per row of the plan's tables.
    angles: Vec<Angles>,
    tail: Tail,
    last_unrotated: bool,
    walk: Option<&'a dyn Walk>,
    plan: &'a RotationPlan,
    /// Of the token at hand, per row of the plan's tables.
    factors: Vec<Vec<Factor>>,
}

impl Kernel<'_> {
    fn run(&mut self, memory: &mut [u8]) -> Result<(), String> {
        let heads = (0..self.sizes.q_heads).map(|head| (Side::Query, head));
        let heads: Vec<(Side, usize)> = heads.chain((0..self.sizes.k_heads).map(|head| (Side::Key, head))).collect();
        for row in 0..self.sizes.rows {
            for token in 0..self.sizes.tokens {
                let place = |side, head| Place { side, row, token, head, pair: 0, axis: NO_AXIS };
                self.factors.clear();
                if self.walk.is_none() {
                    // All heads of a row of the tables turn alike.
                    self.factors = (0..self.plan.map_heads).map(|r| self.factors(place(Side::Key, 0), r)).collect();
                }
                for (side, head) in &heads {
                    self.head(place(*side, *head), memory)?;
                }
            }
        }
        Ok(())
    }

    fn fetch(&self, place: Place) -> Fetch {
        self.walk.map_or_else(|| Fetch::honest(place, &self.sizes), |walk| walk.fetch(place, &self.sizes))
    }

    /// The factors of all pairs of a head, by row `r` of the tables.
    fn factors(&self, head: Place, r: u32) -> Vec<Factor> {
        let one = |(pair, axis): (usize, &u8)| {
            let place = Place { pair, axis: *axis, ..head };
            let fetch = self.fetch(place);
            let turned = fetch.turning != Turning::Not && !(self.last_unrotated && pair + 1 == self.sizes.pairs);
            let moved = fetch.axis_pair != pair;
            let axis = if moved { self.plan.axes(r).get(fetch.axis_pair).copied() } else { None };
            let rows = self.positions.get(usize::from(axis.unwrap_or(fetch.axis))).filter(|_| turned);
            let at = fetch.token.wrapping_sub(self.first);
            let read = rows.and_then(|rows| rows.get(fetch.row)?.get(at)).copied().unwrap_or(Dd::ZERO);
            let position = self.walk.filter(|_| turned).map_or(read, |walk| walk.position(place, &self.sizes, read));
            let angle = match self.angles.get(r as usize) {
                Some(angles) => angles.angle(fetch.pair, angles.position(position)),
                None => Dd::ZERO,
            };
            let forward = (self.view.direction >= 0) != (fetch.turning == Turning::Backwards);
            let factor = self.arithmetic.factor(angle, self.view.attention_scaling, forward);
            if fetch.factors == (1.0, 1.0) { factor } else { Arithmetic::scaled(factor, fetch.factors) }
        };
        self.plan.axes(r).iter().enumerate().map(one).collect()
    }

    fn head(&self, place: Place, memory: &mut [u8]) -> Result<(), String> {
        let Place { side, row, token, head, .. } = place;
        let (r, input, output) = match side {
            Side::Query => (self.plan.row_of_q_head(head as u32), Some(self.qk.q), Some(self.qk.q_out)),
            Side::Key => (self.plan.row_of_k_head(head as u32), self.qk.k, self.qk.k_out),
        };
        let (Some(input), Some(output)) = (input, output) else { return Err("there are key heads, but no k".into()) };
        if self.walk.is_some_and(|walk| !walk.writes(place, &self.sizes)) {
            return Ok(());
        }
        let own;
        let factors = match self.factors.get(r as usize) {
            Some(factors) => factors,
            None => {
                own = self.factors(place, r);
                &own
            }
        };
        let from = self.walk.map_or((side, row, token, head), |walk| walk.input(place, &self.sizes));
        let (from_side, from) = (from.0, [from.1, from.2, from.3]);
        let other = if from_side == Side::Query { Some(self.qk.q) } else { self.qk.k };
        let input = if from_side == side { input } else { other.unwrap_or(input) };
        // A fault may read beyond the tensor: it reads the first row then.
        let from = if from.iter().zip(input.shape).all(|(at, size)| *at < size) { from } else { [0; 3] };
        let (offset, width) = (self.view.rotary_offset, self.view.rotary_dim);
        for channel in (0..self.view.head_dim).filter(|c| !(offset..offset + width).contains(c)) {
            let bits = match self.tail {
                Tail::Copied => get(memory, &input, from, channel)?,
                Tail::Zero => 0,
                Tail::Unwritten => continue,
            };
            put(memory, output.at(row, token, head, channel), output.dtype, bits)?;
        }
        // All is read before anything is written: the output may be the input.
        let mut turned = Vec::with_capacity(width);
        for (pair, factor) in factors.iter().enumerate() {
            let honest = channels_of_pair(self.view.pairing, width, offset, pair);
            let channels = self.walk.map_or(honest, |walk| walk.channels(Place { pair, ..place }, &self.sizes, honest));
            let a = input.dtype.decode(get(memory, &input, from, channels.0)?);
            let b = input.dtype.decode(get(memory, &input, from, channels.1)?);
            let axis = self.plan.axes(r).get(pair).copied().unwrap_or(NO_AXIS);
            let (first, second) =
                match self.walk.map(|walk| walk.fetch(Place { pair, axis, ..place }, &self.sizes).fill) {
                    None | Some(Fill::Rotated) => self.arithmetic.turn(a, b, factor),
                    Some(Fill::Copied) => (a, b),
                    Some(Fill::Zero) => (0.0, 0.0),
                    Some(Fill::Nothing) => continue,
                };
            turned.extend([(channels.0, first), (channels.1, second)]);
        }
        for (channel, value) in turned {
            put(memory, output.at(row, token, head, channel), output.dtype, output.dtype.encode(value))?;
        }
        Ok(())
    }
}

fn get(memory: &[u8], view: &TensorView, [row, token, head]: [usize; 3], channel: usize) -> Result<u64, String> {
    let at = view.at(row, token, head, channel);
    let element = memory.get(at..at + view.dtype.size()).and_then(|bytes| view.dtype.bits_at(bytes, 0));
    element.ok_or_else(|| format!("byte {at} is outside of the memory of the call"))
}
