//! One call of an emulated kernel: its scheme, its rotation plan, and level positions.

use std::sync::Arc;

use super::arithmetic::Arithmetic;
use super::elements::put;
use super::emulation::{Emulation, Shared};
use super::frequencies::{Angles, ExactFrequencies};
use super::ideal::odd;
use super::kernel::Kernel;
use super::places::{Layouts, Places};
use super::walk::{Fetch, Operand, PairPlace, Scene};
use crate::backend::Answer;
use crate::case::Level;
use crate::case::call::{Call, ParameterValue, PlanView, PositionView, QkView, SchemeRef};
use crate::contract::Types;
use crate::numeric::{DType, Dd, Number};
use crate::rotation::{HeadShape, RotationPlan};
use crate::spec::Parameters;
use crate::spec::model::Scheme;

pub(super) fn run(emulation: &Emulation, shared: &Shared, number: u64, call: &Call, memory: &mut [u8]) -> Answer {
    let done = match call {
        Call::Positions { scheme, layouts, token_start, token_count, out, next } => {
            Maker::new(emulation, shared, number, scheme).and_then(|maker| {
                let window = (*token_start, *token_count);
                let layouts = Layouts::new(&maker.scheme, &maker.parameters, layouts, Some(window))?;
                maker.write_positions(layouts, window, (out, next), memory)
            })
        }
        Call::Rotate { scheme, plan, qk, positions, .. } => {
            Maker::new(emulation, shared, number, scheme).and_then(|maker| {
                let places = Places::read(positions, maker.scheme.axes.len(), qk, memory);
                maker.rotate((Level::Rotate, 0), plan, qk, &places, memory)
            })
        }
        Call::Fused { scheme, plan, qk, layouts, token_start } => Maker::new(emulation, shared, number, scheme)
            .and_then(|maker| {
                let packed = qk.sequences.is_some();
                let window = (!packed).then_some((*token_start, qk.tokens));
                let layouts = Layouts::new(&maker.scheme, &maker.parameters, layouts, window)?;
                let places = Places::of(layouts, maker.scheme.axes.len(), *token_start, packed);
                maker.rotate((Level::Fused, *token_start), plan, qk, &places, memory)
            }),
        Call::Apply { .. } => return Answer::Unsupported("an emulated kernel makes its own cosines and sines".into()),
    };
    match done {
        Ok(()) => Answer::Ok,
        Err(text) => Answer::BadArgument(text.into()),
    }
}

/// A parameter's value; `None` for what is no number, which then has its default.
fn value(parameter: &ParameterValue) -> Option<(String, Number)> {
    let exact = if parameter.den == 0 { None } else { Number::ratio(parameter.num.into(), parameter.den.into()).ok() };
    Some((parameter.name.clone(), exact.or_else(|| Number::from_f64(parameter.value).ok())?))
}

/// The scheme that a call is about, as this kernel understands it.
struct Maker<'a> {
    emulation: &'a Emulation,
    shared: &'a Shared,
    call: u64,
    scheme: Arc<Scheme>,
    /// Whether its attention scaling is another one than the call's.
    own_scaling: bool,
    parameters: Parameters,
}

impl<'a> Maker<'a> {
    fn new(emulation: &'a Emulation, shared: &'a Shared, call: u64, reference: &SchemeRef) -> Result<Self, String> {
        let id = format!("{}@{}", reference.scheme, reference.profile);
        let right = shared.library.get(&id).map_err(|e| e.to_string())?;
        let mut patched = emulation.schemes.iter();
        let patched = patched.find(|s| s.name == reference.scheme && s.profile == reference.profile);
        let scheme = Arc::clone(patched.unwrap_or(right));
        let own_scaling = scheme.attention_scaling.text() != right.attention_scaling.text();
        // A patched scheme may lack a parameter.
        let known = |p: &&ParameterValue| scheme.parameters.iter().any(|other| other.name == p.name);
        let values: Vec<_> = reference.parameters.iter().filter(known).filter_map(value).collect();
        let parameters = Parameters::resolve(&scheme, &values).map_err(|e| e.to_string())?;
        Ok(Self { emulation, shared, call, scheme, own_scaling, parameters })
    }

    /// Level positions: every position rounded once to the type it is asked for in, after the faults of this
    /// kernel.
    fn write_positions(
        &self,
        layouts: Layouts<'_>,
        (start, tokens): (usize, usize),
        (out, next): (&PositionView, &PositionView),
        memory: &mut [u8],
    ) -> Result<(), String> {
        let contract = self.emulation.contracts.first().ok_or("no contract")?;
        let none = ExactFrequencies { inv_freq: &[], base: None, rotary_dim: 2 };
        let angles = Angles::new(&contract.1, contract.0, &self.emulation.knobs, none);
        let rounded = |position: Dd, dtype: DType| match angles.position(position) {
            position if dtype.is_float() && dtype != DType::F64 => dtype.encode(odd(position)),
            position => dtype.encode(position.to_f64()),
        };
        let axes = self.scheme.axes.len();
        let (batch, total) = (layouts.rows.len(), layouts.total());
        let after: Vec<Vec<Dd>> = layouts
            .rows
            .iter()
            .map(|row| (0..axes).map(|axis| row.next().on(axis).map_or(Dd::ZERO, Number::to_dd)).collect())
            .collect();
        let places = Places::of(layouts, axes, start, false);
        let scene = Scene {
            level: Level::Positions,
            call: self.call,
            rows: batch,
            tokens,
            start,
            total,
            q_heads: 0,
            k_heads: 0,
            head_dim: 0,
            rotary_dim: 0,
            rotary_offset: 0,
            axes,
            direction: 1,
            scaling: 1.0,
            in_place: false,
            plan: None,
        };
        for (row, after) in after.iter().enumerate() {
            for (axis, after) in (0u8..).zip(after) {
                for token in 0..tokens {
                    let place = PairPlace { side: Operand::Query, row, token, head: 0, pair: 0, axis };
                    let position = match &self.emulation.walk {
                        Some(walk) => {
                            let Fetch { row, token, axis, .. } = walk.fetch(place, &scene);
                            walk.position(place, &scene, places.get(axis, row, token))
                        }
                        None => places.get(axis, row, start + token),
                    };
                    put(memory, out.at(axis.into(), row, token), out.dtype, rounded(position, out.dtype))?;
                }
                put(memory, next.at(axis.into(), row, 0), next.dtype, rounded(*after, next.dtype))?;
            }
        }
        Ok(())
    }

    /// The plan for the heads of a call. The width that the scheme is asked for is not part of a call: it is
    /// the head's, or the rotary width itself, or something between.
    fn plan(
        &self,
        parameters: &Parameters,
        [head_dim, rotary_dim]: [usize; 2],
        qk: &QkView,
    ) -> Result<Arc<RotationPlan>, String> {
        let size = |n: usize| u32::try_from(n).map_err(|_| format!("a size of {n}"));
        let (q_heads, k_heads) = (size(qk.q_heads)?, size(qk.k_heads.max(1))?);
        let (width, rotary_dim) = (size(head_dim)?, size(rotary_dim)?);
        let mut refused = String::new();
        for head_dim in [width, rotary_dim].into_iter().chain((rotary_dim..width).rev()) {
            let shape = HeadShape { head_dim, q_heads, k_heads };
            match self.shared.plans.plan(&self.scheme, parameters, shape) {
                Ok(plan) if plan.rotary_dim == rotary_dim => return Ok(plan),
                Ok(_) => {}
                Err(error) => refused = error.to_string(),
            }
        }
        Err(format!("{} rotates no {rotary_dim} channels of {width} {refused}", self.scheme.id()))
    }

    fn rotate(
        &self,
        (level, start): (Level, usize),
        view: &PlanView,
        qk: &QkView,
        places: &Places<'_>,
        memory: &mut [u8],
    ) -> Result<(), String> {
        if !view.rotary_dim.is_multiple_of(2) || view.rotary_offset.saturating_add(view.rotary_dim) > view.head_dim {
            return Err(format!(
                "{} channels from {} on are no rotary part of a head of {}",
                view.rotary_dim, view.rotary_offset, view.head_dim
            ));
        }
        let dtype = qk.q.dtype;
        let contract = self.emulation.contract(dtype).ok_or_else(|| format!("no contract for {dtype}"))?;
        let parameters = match self.scheme.depends_on_length() {
            true => &self.parameters.clone().with_length(places.length()),
            false => &self.parameters,
        };
        let asked = self.plan(parameters, [view.head_dim, view.rotary_dim], qk)?;
        let scaling = if self.own_scaling { asked.attention_scaling } else { view.attention_scaling };
        let mut scene = Scene {
            level,
            call: self.call,
            rows: qk.batch,
            tokens: qk.tokens,
            start,
            total: places.total(),
            q_heads: qk.q_heads,
            k_heads: qk.k_heads,
            head_dim: view.head_dim,
            rotary_dim: view.rotary_dim,
            rotary_offset: view.rotary_offset,
            axes: self.scheme.axes.len(),
            direction: view.direction,
            scaling,
            in_place: qk.q.offset == qk.q_out.offset,
            plan: Some(&asked),
        };
        let walk = self.emulation.walk.as_deref();
        let width = walk
            .map_or(view.rotary_dim, |walk| walk.width(&scene))
            .min(view.head_dim.saturating_sub(view.rotary_offset))
            & !1;
        let pairing = walk.map_or(view.pairing, |walk| walk.pairing(&scene, view.pairing));
        let plan =
            if width == view.rotary_dim { Arc::clone(&asked) } else { self.plan(parameters, [width, width], qk)? };
        scene.plan = Some(&plan);
        let knobs = &self.emulation.knobs;
        let angles = |row| {
            let exact =
                ExactFrequencies { inv_freq: plan.frequencies(row), base: plan.base, rotary_dim: plan.rotary_dim };
            Angles::new(contract, dtype, knobs, exact)
        };
        let angles = (0..plan.map_heads).map(angles).collect();
        let sides = [Some((qk.q.dtype, qk.q_out.dtype)), qk.k.zip(qk.k_out).map(|(k, out)| (k.dtype, out.dtype))];
        let mut sides: Vec<(DType, DType)> = sides.into_iter().flatten().collect();
        sides.dedup();
        let of =
            |(storage, output)| Arithmetic::of(contract, Types::between(contract, storage, output), knobs, scaling);
        let arithmetic = sides.into_iter().map(of).collect();
        let last_unrotated = knobs.last_pair_unrotated;
        Kernel::new(qk, scene, &plan, width, pairing, places, arithmetic, angles, last_unrotated, walk).run(memory)
    }
}
