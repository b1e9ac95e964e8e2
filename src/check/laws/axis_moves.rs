//! Outputs of one input at positions that differ on some axes: what `axis-locality` and `axis-sensitivity`
//! compare.
//!
//! On level rotate the positions of one axis after the other are moved, between calls that are otherwise the
//! same. Where positions cannot be moved alone (fused, and a cache of cosines and sines), all tokens of one
//! call hold the same input, and tokens are compared that share some positions and not others.

use super::pairs::{PairPlace, exact_up_to, trig_is_given};
use crate::backend::Answer;
use crate::case::call::Call;
use crate::case::{Case, Consume, Data, Level, Prepared, Tensor, keeps_its_plan};
use crate::check::failure::{AxisMove, Failure, Place, Scalar, Stop};
use crate::check::generator::Generator;
use crate::check::harness::{Harness, Outputs};
use crate::check::judge::{Element, Judge};
use crate::check::schedule::{Schedule, Scheduler, layouts};
use crate::check::slices::OTHER_LENGTH;
use crate::contract::Judgement;
use crate::numeric::Dd;
use crate::rotation::NO_AXIS;

/// An output of a token: expected, observed, allowed. `None` where an honest kernel may overflow, or nothing
/// is claimed.
pub(in crate::check) type JudgedOutput = Option<(f64, f64, f64)>;

/// One token of one run.
pub(in crate::check) struct Spot {
    /// Of each axis.
    pub(in crate::check) positions: Vec<Dd>,
    /// Of each head and pair, both outputs.
    pub(in crate::check) values: Vec<[JudgedOutput; 2]>,
    /// Which token of the first batch row it is.
    pub(in crate::check) token: usize,
}

/// Everything that was run.
pub(in crate::check) struct Moves {
    /// Every token of every run.
    pub(in crate::check) spots: Vec<Spot>,
    /// Which of them have the same input.
    pub(in crate::check) compared: Vec<(usize, usize)>,
}

/// One output of one pair at two spots.
pub(in crate::check) struct MovedPair<'a> {
    /// The two spots.
    pub(in crate::check) spots: [&'a Spot; 2],
    /// Whether the position on the pair's own axis is the same at both.
    pub(in crate::check) shared: bool,
    /// Head; key heads come after query heads.
    pub(in crate::check) head: usize,
    /// Pair of the head.
    pub(in crate::check) pair: usize,
    /// First or second output of the pair, from 0.
    pub(in crate::check) output: usize,
    /// Observed at the two.
    pub(in crate::check) observed: [f64; 2],
    /// How far the exact outputs are apart.
    pub(in crate::check) expected: f64,
    /// Both bounds together.
    pub(in crate::check) allowed: f64,
    /// Size of the pair.
    pub(in crate::check) size: f64,
}

impl MovedPair<'_> {
    /// Where the output is at the first spot.
    pub(in crate::check) fn place(&self, judge: &Judge) -> Place {
        let (first, second) = judge.channels(self.pair);
        let channel = if self.output == 0 { first } else { second };
        judge.place(Element { row: 0, token: self.spots[0].token, head: self.head, channel })
    }

    /// The two tokens, the positions that differ between them, and the output at each.
    pub(in crate::check) fn evidence(&self, judge: &Judge) -> ([Place; 2], Vec<AxisMove>, [Scalar; 2]) {
        let [one, other] = self.spots;
        let positions = judge.axes.iter().zip(one.positions.iter().zip(&other.positions));
        let moved = positions.filter(|(_, (from, to))| from != to).map(|(axis, (from, to))| AxisMove {
            axis: axis.clone(),
            from: Scalar(from.to_f64()),
            to: Scalar(to.to_f64()),
        });
        (self.spots.map(|spot| judge.token_place(0, spot.token)), moved.collect(), self.observed.map(Scalar))
    }
}

impl Moves {
    /// Looks at every output of every pair of spots, until `look` fails.
    pub(in crate::check) fn all(
        &self,
        judge: &Judge,
        mut look: impl FnMut(&MovedPair) -> Result<(), Box<Failure>>,
    ) -> Result<(), Box<Failure>> {
        let pairs = judge.truth().pairs;
        for (i, j) in &self.compared {
            let (Some(one), Some(other)) = (self.spots.get(*i), self.spots.get(*j)) else { continue };
            for (index, (here, there)) in one.values.iter().zip(&other.values).enumerate() {
                let (head, pair) = (index / pairs.max(1), index % pairs.max(1));
                let shared = one.shares(other, judge.axis(head, pair));
                let size: f64 = here.iter().flatten().map(|v| v.0.abs()).sum();
                for (output, values) in here.iter().zip(there).enumerate() {
                    let (Some((e1, o1, a1)), Some((e2, o2, a2))) = values else { continue };
                    // Differences in f64, of numbers that may have 53 bits, round by less than this.
                    let rounding = (e1.abs() + e2.abs()) * 2f64.powi(-50);
                    look(&MovedPair {
                        spots: [one, other],
                        shared,
                        head,
                        pair,
                        output,
                        observed: [*o1, *o2],
                        expected: (e1 - e2).abs(),
                        allowed: a1 + a2 + rounding,
                        size,
                    })?;
                }
            }
        }
        Ok(())
    }
}

impl Spot {
    /// Whether this axis has the same position at both.
    pub(in crate::check) fn shares(&self, other: &Spot, axis: u8) -> bool {
        let at = usize::from(axis);
        axis == NO_AXIS || self.positions.get(at) == other.positions.get(at)
    }
}

/// One case on the smallest heads, another on the next ones.
pub(in crate::check) fn schedule(g: &Generator, id: &str, data: Data) -> Schedule {
    if trig_is_given(g) {
        return Schedule::nothing("the suite supplies cos and sin, so the backend sees no axis");
    }
    let layout = if moves_alone(g.group.level, g.level.consumes(Consume::CosSinCache)) {
        "text:1 video:2x2x2 text:2"
    } else {
        "text:2 video:3x3x3 text:2"
    };
    let mut s = Scheduler::new(g, id);
    for preset in s.heads().iter().take(2) {
        s.add(layouts(&[layout]), preset, |case| case.data = data);
    }
    s.finish()
}

/// Whether the suite can move the positions of one axis and leave everything else.
fn moves_alone(level: Level, cache: bool) -> bool {
    level == Level::Rotate && !cache
}

/// Runs a case and its variants.
pub(in crate::check) fn run(case: &Case, harness: &mut Harness) -> Result<Moves, Stop> {
    let level = harness.backend.manifest().level(case.level);
    let consumes = |what| level.is_some_and(|l| l.consumes(what));
    if consumes(Consume::CosSin) || case.level == Level::Apply {
        return Err(Stop::not_judged("the suite supplies cos and sin, so the backend sees no axis"));
    }
    let cache = consumes(Consume::CosSinCache);
    let prepared = harness.prepare(case)?;
    let (q, k) = Harness::inputs(case, &prepared);
    if moves_alone(case.level, cache) {
        moved_alone(case, harness, &prepared, q, k)
    } else {
        alike(case, harness, &prepared, q, k)
    }
}

/// One axis after the other, a little and by about a radian of its slowest pair.
fn moved_alone(case: &Case, harness: &mut Harness, prepared: &Prepared, q: Tensor, k: Tensor) -> Result<Moves, Stop> {
    let mut moves = Moves { spots: Vec::new(), compared: Vec::new() };
    let outputs = harness.run(prepared, q.clone(), k.clone())?;
    let judge = Judge::new(harness, case, prepared)?;
    let tokens = judge.tokens();
    moves.spots = spots(&judge, &outputs);
    let mut other_length = false;
    let most = exact_up_to(case.position_dtype, harness.backend.manifest().max_position) as f64;
    for axis in 0..judge.truth().positions.len() {
        for shift in shifts(&judge, axis, most) {
            let mut there = prepared.clone();
            let Some(truth) = there.truth.as_mut() else { continue };
            for position in truth.positions[axis].iter_mut().flatten() {
                *position = Dd::from_f64(case.position_dtype.round(position.hi + shift));
            }
            if !keeps_its_plan(case, harness.scheme(case)?, harness.plans, truth)? {
                other_length = true;
                continue;
            }
            let outputs = harness.run_moved(&there, axis, q.clone(), k.clone())?;
            let judge = Judge::new(harness, case, &there)?;
            let from = moves.spots.len();
            moves.compared.extend((0..tokens).map(|token| (token, from + token)));
            moves.spots.extend(spots(&judge, &outputs));
        }
    }
    if moves.compared.is_empty() && other_length {
        return Err(Stop::not_judged(OTHER_LENGTH));
    }
    if moves.compared.is_empty() {
        return Err(Stop::not_judged("the manifest leaves no room to move positions"));
    }
    Ok(moves)
}

/// How far to move an axis: 5, and a radian of its slowest pair, as far as positions may go.
fn shifts(judge: &Judge, axis: usize, most: f64) -> Vec<f64> {
    let plan = &judge.truth().plan;
    let own = |row: u32| {
        plan.axes(row).iter().zip(plan.frequencies(row)).filter(|(a, _)| usize::from(**a) == axis).map(|(_, f)| f.abs())
    };
    let slowest = (0..plan.map_heads).flat_map(own).filter(|f| *f > 0.0).fold(f64::INFINITY, f64::min);
    let furthest = judge.truth().positions[axis].iter().flatten().map(|p| p.hi.abs()).fold(0.0, f64::max);
    // The manifest's largest position is not passed; moving up never passes its smallest one.
    let room = (most - furthest - 1.0).floor();
    let mut shifts = vec![5.0, if slowest.is_finite() { (1.0 / slowest).ceil() } else { 5.0 }];
    shifts.iter_mut().for_each(|s| *s = s.min(room));
    shifts.retain(|s| *s >= 1.0);
    shifts.dedup();
    shifts
}

/// All tokens with the input of the first one.
fn alike(case: &Case, harness: &mut Harness, prepared: &Prepared, q: Tensor, k: Tensor) -> Result<Moves, Stop> {
    let outputs = harness.run(prepared, like_the_first(q), like_the_first(k))?;
    let judge = Judge::new(harness, case, prepared)?;
    let spots = spots(&judge, &outputs);
    let axes = judge.truth().positions.len();
    let shared = |i: usize, j: usize| (0..axes).filter(|a| spots[i].positions[*a] == spots[j].positions[*a]).count();
    let mut compared = Vec::new();
    for i in 0..spots.len() {
        // With one axis any two tokens that differ are of use; with several, those that share some of them.
        compared.extend(
            (i + 1..spots.len())
                .filter(|j| {
                    let shared = shared(i, *j);
                    shared < axes && (shared > 0 || axes == 1)
                })
                .map(|j| (i, j)),
        );
    }
    if compared.is_empty() {
        return Err(Stop::not_judged("no two tokens of this layout differ on some axes and not on others"));
    }
    Ok(Moves { spots, compared })
}

fn like_the_first(mut tensor: Tensor) -> Tensor {
    let [batch, tokens, heads, _] = tensor.shape();
    for (b, h) in (0..batch).flat_map(|b| (0..heads).map(move |h| (b, h))) {
        let first = if tokens > 0 { tensor.row(b, 0, h).to_vec() } else { Vec::new() };
        (1..tokens).for_each(|t| tensor.row_mut(b, t, h).copy_from_slice(&first));
    }
    tensor
}

/// The tokens of the first row.
fn spots(judge: &Judge, outputs: &Outputs) -> Vec<Spot> {
    let position = |token: usize| move |axis: &Vec<Vec<Dd>>| axis.first()?.get(token).copied();
    let mut spots: Vec<Spot> = (0..judge.tokens())
        .map(|token| Spot {
            positions: judge.truth().positions.iter().filter_map(position(token)).collect(),
            values: Vec::with_capacity(judge.heads() * judge.truth().pairs),
            token,
        })
        .collect();
    let never = judge.every_pair(|at: PairPlace, bound| -> Result<(), std::convert::Infallible> {
        if let (0, Some(spot)) = (at.row, spots.get_mut(at.token)) {
            spot.values.push(judge.sides(outputs, at, bound).map(|s| {
                let judged = matches!(s.judgement, Judgement::Pass { .. } | Judgement::Fail);
                judged.then(|| (s.expected, s.observed, s.allowance.total()))
            }));
        }
        Ok(())
    });
    match never {
        Ok(()) => spots,
        Err(never) => match never {},
    }
}

impl Harness<'_> {
    /// Runs a prepared case with the positions of one axis in memory replaced by those of the truth.
    fn run_moved(&mut self, prepared: &Prepared, axis: usize, q: Tensor, k: Tensor) -> Result<Outputs, Stop> {
        let (Call::Rotate { positions: view, .. }, Some(truth)) = (&prepared.call, &prepared.truth) else {
            return Err(Stop::broken("only level rotate is handed positions"));
        };
        let arena = self.backend.arena(prepared.bytes)?;
        prepared.write(arena, &q, &k);
        for (b, row) in truth.positions[axis].iter().enumerate() {
            for (t, position) in row.iter().enumerate() {
                let at = view.at(axis, b, t);
                if let Some(bytes) = arena.get_mut(at..at + view.dtype.size()) {
                    view.dtype.encode_slice(&[position.hi], bytes);
                }
            }
        }
        self.backend.guard(&prepared.guards);
        match self.backend.call(&prepared.call) {
            Answer::Ok => {
                let (q_out, k_out) = prepared.read(self.backend.memory());
                Ok(Outputs { q, k, q_out, k_out })
            }
            outcome => Err(self.failed(prepared, &outcome)),
        }
    }
}
