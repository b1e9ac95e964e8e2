//! One call of an emulated kernel: its positions, its rotation plan, and the walk over the tensors.

use std::sync::Arc;

use super::arithmetic::{Arithmetic, Factor};
use super::frequencies::{Angles, Exact};
use super::ideal::odd;
use super::walk::{Fetch, Place, Side, Sizes, Turning, Walk};
use super::{Emulation, Shared};
use crate::backend::Outcome;
use crate::case::call::{Call, ParameterValue, PlanView, PositionView, QkView, SchemeRef, SegmentRef, TensorView};
use crate::case::channels_of_pair;
use crate::numeric::{DType, Dd, Number};
use crate::plan::{HeadShape, Layout, NO_AXIS, Parameters, Positions, RotationPlan, Run, Segment};
use crate::spec::model::Scheme;

/// Position of `[axis][row][token]`.
type AllPositions = Vec<Vec<Vec<Dd>>>;

pub(super) fn run(emulation: &Emulation, shared: &Shared, call: &Call, memory: &mut [u8]) -> Outcome {
    let done = match call {
        Call::Positions { scheme, layouts, token_start, token_count, out, next } => {
            Maker::new(emulation, shared, scheme).and_then(|maker| {
                let rows = maker.rows(layouts, *token_start, *token_count)?;
                maker.write_positions(&rows, *token_start, *token_count, (out, next), memory)
            })
        }
        Call::Rotate { scheme, plan, qk, positions, .. } => Maker::new(emulation, shared, scheme).and_then(|maker| {
            let positions = read_positions(positions, maker.scheme.axes.len(), qk, memory);
            maker.rotate(plan, qk, &positions, memory)
        }),
        Call::Fused { scheme, plan, qk, layouts, token_start } => {
            Maker::new(emulation, shared, scheme).and_then(|maker| {
                let rows = maker.rows(layouts, *token_start, qk.tokens)?;
                let positions = exact_positions(&rows, maker.scheme.axes.len(), *token_start, qk.tokens);
                maker.rotate(plan, qk, &positions, memory)
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
        let patched = emulation.scheme.as_ref();
        let scheme = match patched.filter(|s| s.name == reference.scheme && s.profile == reference.profile) {
            Some(patched) => Arc::clone(patched),
            None => Arc::clone(shared.library.get(&id).map_err(|e| e.to_string())?),
        };
        // A patched scheme may lack a parameter.
        let known = |p: &&ParameterValue| scheme.parameters.iter().any(|other| other.name == p.name);
        let values: Vec<_> = reference.parameters.iter().filter(known).filter_map(value).collect();
        let parameters = Parameters::resolve(&scheme, &values).map_err(|e| e.to_string())?;
        Ok(Self { emulation, shared, scheme, parameters })
    }

    fn rows(&self, layouts: &[Vec<SegmentRef>], start: usize, tokens: usize) -> Result<Vec<Positions>, String> {
        let window = start as u64..(start + tokens) as u64;
        let one = |segments: &Vec<SegmentRef>| {
            let layout = layout(segments)?;
            Run::new(&self.scheme, &self.parameters, &layout).window(window.clone()).run().map_err(|e| e.to_string())
        };
        layouts.iter().map(one).collect()
    }

    /// Level positions: every position rounded once to the type it is asked for in, after the faults of this kernel.
    fn write_positions(
        &self,
        rows: &[Positions],
        start: usize,
        tokens: usize,
        (out, next): (&PositionView, &PositionView),
        memory: &mut [u8],
    ) -> Result<(), String> {
        let contract = self.emulation.contracts.first().ok_or("no contract")?;
        let none = Exact { inv_freq: &[], base: None, rotary_dim: 2 };
        let angles = Angles::new(&contract.1, contract.0, &self.emulation.knobs, none);
        let honest = angles.keeps_positions();
        let bits = |number: Option<&Number>, dtype: DType| {
            let number = number.ok_or("a token has no position")?;
            Ok::<u64, String>(match number.to_i64() {
                Some(n) if honest && dtype == DType::I64 => n as u64,
                _ => dtype.encode(odd(angles.position(number.to_dd()))),
            })
        };
        for (b, row) in rows.iter().enumerate() {
            for axis in 0..self.scheme.axes.len() {
                for t in 0..tokens {
                    let position = row.get(axis, (start + t) as u64);
                    put(memory, out.at(axis, b, t), out.dtype, bits(position.as_ref(), out.dtype)?)?;
                }
                put(memory, next.at(axis, b, 0), next.dtype, bits(row.next().on(axis), next.dtype)?)?;
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

    fn rotate(&self, view: &PlanView, qk: &QkView, positions: &AllPositions, memory: &mut [u8]) -> Result<(), String> {
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
        };
        let mut kernel = Kernel {
            view,
            qk,
            positions,
            sizes,
            arithmetic: Arithmetic::new(contract, dtype, &self.emulation.knobs),
            angles: (0..plan.map_heads).map(angles).collect(),
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
    sizes: Sizes,
    arithmetic: Arithmetic,
    /// Per row of the plan's tables.
    angles: Vec<Angles>,
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

    /// The factors of all pairs of a head, by row `r` of the tables.
    fn factors(&self, head: Place, r: u32) -> Vec<Factor> {
        let one = |(pair, axis): (usize, &u8)| {
            let place = Place { pair, axis: *axis, ..head };
            let fetch: Fetch = self.walk.map_or(place.into(), |walk| walk.fetch(place, &self.sizes));
            let turned = fetch.turning != Turning::Not && !(self.last_unrotated && pair + 1 == self.sizes.pairs);
            let rows = self.positions.get(usize::from(fetch.axis)).filter(|_| turned);
            let position = rows.and_then(|rows| rows.get(fetch.row)?.get(fetch.token)).copied().unwrap_or(Dd::ZERO);
            let angle = match self.angles.get(r as usize) {
                Some(angles) => angles.angle(fetch.pair, angles.position(position)),
                None => Dd::ZERO,
            };
            let forward = (self.view.direction >= 0) != (fetch.turning == Turning::Backwards);
            self.arithmetic.factor(angle, self.plan.attention_scaling, forward)
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
        let from = self.walk.map_or((row, token, head), |walk| walk.input(place, &self.sizes));
        let from = [from.0, from.1, from.2];
        // A fault may read beyond the tensor: it reads the first row then.
        let from = if from.iter().zip(input.shape).all(|(at, size)| *at < size) { from } else { [0; 3] };
        let (offset, width) = (self.view.rotary_offset, self.view.rotary_dim);
        for channel in (0..self.view.head_dim).filter(|c| !(offset..offset + width).contains(c)) {
            let bits = get(memory, &input, from, channel)?;
            put(memory, output.at(row, token, head, channel), output.dtype, bits)?;
        }
        // All is read before anything is written: the output may be the input.
        let mut turned = Vec::with_capacity(width);
        for (pair, factor) in factors.iter().enumerate() {
            let honest = channels_of_pair(self.view.pairing, width, offset, pair);
            let channels = self.walk.map_or(honest, |walk| walk.channels(Place { pair, ..place }, &self.sizes, honest));
            let a = input.dtype.decode(get(memory, &input, from, channels.0)?);
            let b = input.dtype.decode(get(memory, &input, from, channels.1)?);
            let (first, second) = self.arithmetic.turn(a, b, factor);
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
