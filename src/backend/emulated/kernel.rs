//! The loops of an emulated kernel over rows, tokens, heads and pairs.

use super::arithmetic::Arithmetic;
use super::elements::{get, put};
use super::factor::Factor;
use super::frequencies::Angles;
use super::places::Places;
use super::walk::{Action, Fetch, Operand, PairPlace, Scene, Walk};
use crate::case::call::{QkView, TensorView};
use crate::case::channels_of_pair;
use crate::numeric::Dd;
use crate::rotation::{NO_AXIS, RotationPlan};
use crate::spec::model::Pairing;

/// One call of level rotate or fused, ready to run.
pub(super) struct Kernel<'a> {
    qk: &'a QkView,
    scene: Scene<'a>,
    plan: &'a RotationPlan,
    /// Rotated channels and their pairing.
    width: usize,
    pairing: Pairing,
    places: &'a Places<'a>,
    /// Of queries and of keys; one where it is the same.
    arithmetic: Vec<Arithmetic>,
    /// Per row of the plan's tables.
    angles: Vec<Angles>,
    last_unrotated: bool,
    walk: Option<&'a dyn Walk>,
    /// Of the token at hand, per row of the plan's tables.
    factors: Vec<Vec<Factor>>,
}

impl<'a> Kernel<'a> {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        qk: &'a QkView,
        scene: Scene<'a>,
        plan: &'a RotationPlan,
        width: usize,
        pairing: Pairing,
        places: &'a Places<'a>,
        arithmetic: Vec<Arithmetic>,
        angles: Vec<Angles>,
        last_unrotated: bool,
        walk: Option<&'a dyn Walk>,
    ) -> Self {
        let factors = Vec::new();
        Kernel { qk, scene, plan, width, pairing, places, arithmetic, angles, last_unrotated, walk, factors }
    }

    pub(super) fn run(mut self, memory: &mut [u8]) -> Result<(), String> {
        let heads = (0..self.scene.q_heads).map(|head| (Operand::Query, head));
        let heads: Vec<(Operand, usize)> =
            heads.chain((0..self.scene.k_heads).map(|head| (Operand::Key, head))).collect();
        for row in 0..self.scene.rows {
            for token in 0..self.scene.tokens {
                let place = |side, head| PairPlace { side, row, token, head, pair: 0, axis: NO_AXIS };
                if self.walk.is_none() && self.arithmetic.len() == 1 {
                    // All heads of a row of the tables turn alike.
                    self.factors = (0..self.plan.map_heads).map(|r| self.factors(place(Operand::Key, 0), r)).collect();
                }
                for (side, head) in &heads {
                    self.head(place(*side, *head), memory)?;
                }
            }
        }
        Ok(())
    }

    /// The factors of all pairs of a head, by row `r` of the tables.
    fn factors(&self, head: PairPlace, r: u32) -> Vec<Factor> {
        let pairs = self.width / 2;
        let arithmetic = self.arithmetic(head.side);
        let forward = self.scene.direction >= 0;
        let one = |(pair, axis): (usize, &u8)| {
            let place = PairPlace { pair, axis: *axis, ..head };
            let fetch =
                self.walk.map_or_else(|| Fetch::honest(place, &self.scene), |walk| walk.fetch(place, &self.scene));
            let turned = !(self.last_unrotated && pair + 1 == pairs);
            let read = if turned { self.places.get(fetch.axis, fetch.row, fetch.token) } else { Dd::ZERO };
            let position = self.walk.map_or(read, |walk| walk.position(place, &self.scene, read));
            let angle = match self.angles.get(r as usize) {
                Some(angles) if fetch.axis != NO_AXIS => angles.angle(fetch.pair, angles.position(position)),
                _ => Dd::ZERO.into(),
            };
            let factor = arithmetic.factor(angle, forward);
            let Some(walk) = self.walk else { return factor };
            match walk.factors(place, &self.scene) {
                (1.0, 1.0) => factor,
                (cos, sin) => Factor { cos: factor.cos.times_f64(cos), sin: factor.sin.times_f64(sin), tangent: None },
            }
        };
        self.plan.axes(r).iter().enumerate().map(one).collect()
    }

    fn arithmetic(&self, side: Operand) -> &Arithmetic {
        &self.arithmetic[if side == Operand::Query { 0 } else { self.arithmetic.len() - 1 }]
    }

    fn tensors(&self, side: Operand) -> Result<(TensorView, TensorView), String> {
        match (side, self.qk.k, self.qk.k_out) {
            (Operand::Query, ..) => Ok((self.qk.q, self.qk.q_out)),
            (Operand::Key, Some(k), Some(k_out)) => Ok((k, k_out)),
            _ => Err("there are key heads, but no k".into()),
        }
    }

    fn head(&self, place: PairPlace, memory: &mut [u8]) -> Result<(), String> {
        let PairPlace { side, row, token, head, .. } = place;
        let r = match side {
            Operand::Query => self.plan.row_of_q_head(head as u32),
            Operand::Key => self.plan.row_of_k_head(head as u32),
        };
        let own;
        let factors = match self.factors.get(r as usize) {
            Some(factors) => factors,
            None => {
                own = self.factors(place, r);
                &own
            }
        };
        let (_, output) = self.tensors(side)?;
        let (input, from) = self.input(place)?;
        let (dtype, arithmetic) = (output.dtype, self.arithmetic(side));
        let converted = |bits: u64| match input.dtype {
            same if same == dtype => bits,
            other => dtype.encode(arithmetic.stored(other.decode(bits))),
        };
        let offset = self.scene.rotary_offset;
        // All is read before anything is written: the output may be the input.
        let mut written: Vec<(usize, u64)> = Vec::with_capacity(self.scene.head_dim);
        let rotated = offset..offset + self.width;
        let tail = self.walk.map_or(Action::Copy, |walk| walk.tail(place, &self.scene));
        for channel in (0..self.scene.head_dim).filter(|c| !rotated.contains(c)) {
            match tail {
                Action::Turn | Action::Copy => {
                    written.push((channel, converted(get(memory, &input, from, channel)?)));
                }
                Action::Zero => written.push((channel, 0)),
                Action::Skip => {}
            }
        }
        for (pair, factor) in factors.iter().enumerate() {
            let (first, second) = channels_of_pair(self.pairing, self.width, offset, pair);
            let (a, b) = (get(memory, &input, from, first)?, get(memory, &input, from, second)?);
            let axis = self.plan.axes(r).get(pair).copied().unwrap_or(NO_AXIS);
            match self.walk.map_or(Action::Turn, |walk| walk.action(PairPlace { pair, axis, ..place }, &self.scene)) {
                Action::Turn => {
                    let (x, y) = arithmetic.turn(input.dtype.decode(a), input.dtype.decode(b), factor);
                    written.extend([(first, dtype.encode(x)), (second, dtype.encode(y))]);
                }
                Action::Copy => written.extend([(first, converted(a)), (second, converted(b))]),
                Action::Zero => written.extend([(first, 0), (second, 0)]),
                Action::Skip => {}
            }
        }
        for (channel, bits) in written {
            put(memory, output.at(row, token, head, channel), dtype, bits)?;
        }
        Ok(())
    }

    /// Where the inputs of a head come from: its own place, or that of a fault, which reads the first row if it would leave the
    /// tensor.
    fn input(&self, place: PairPlace) -> Result<(TensorView, [usize; 3]), String> {
        let honest = (place.side, place.row, place.token, place.head);
        let (side, row, token, head) = self.walk.map_or(honest, |walk| walk.input(place, &self.scene));
        let side = if side == Operand::Key && self.qk.k.is_none() { Operand::Query } else { side };
        let (input, _) = self.tensors(side)?;
        let from = [row, token, head];
        let inside = from.iter().zip(input.shape).all(|(at, size)| *at < size);
        Ok((input, if inside { from } else { [0; 3] }))
    }
}
