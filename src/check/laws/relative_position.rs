//! `relative-position`: the inner product of a rotated query and key depends on the difference of their
//! positions alone.

use super::pairs::{PairPlace, TokenBounds, further};
use crate::case::{Case, Consume, Level, Prepared};
use crate::check::definition::{Check, Docs, MAP_LEVELS};
use crate::check::failure::{Cause, Failure, Law, Stop};
use crate::check::generator::Generator;
use crate::check::harness::{Harness, Outputs};
use crate::check::judge::{Element, Judge};
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::check::slices::one_plan;
use crate::numeric::Dd;

pub(in crate::check) struct RelativePosition;

/// How far the sequence is moved.
const SHIFT: u32 = 37;

impl Check for RelativePosition {
    fn id(&self) -> &'static str {
        "relative-position"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Moving every position by the same amount on every axis leaves the inner product of each \
                        rotated query pair with each rotated key pair as it was.",
            formula: "<R(p_q) q, R(p_k) k> = <R(p_q + s) q, R(p_k + s) k> per pair, within the bounds of the four \
                      outputs",
            source: "RoFormer (arXiv:2104.09864) section 3.2.1",
            catches: "query and key turned by different positions or frequencies, angles that lose precision as they \
                      grow",
            cannot_catch: "a base, an axis map or an offset that is wrong for query and key alike",
        }
    }

    fn levels(&self) -> &'static [Level] {
        MAP_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        let heads = match g.heads_with_keys() {
            Ok(heads) => heads,
            Err(why) => return Schedule::nothing(why),
        };
        // Rows of a rounded table are no exact rotations, so the two products may honestly differ by more.
        if g.level.consumes(Consume::CosSin) || g.level.consumes(Consume::CosSinCache) {
            return Schedule::nothing("the suite supplies cos and sin");
        }
        for (_, preset) in (0..g.cases.max(1)).zip(heads.iter().cycle()) {
            let layout = g.layout(&mut s.rng);
            s.add(vec![layout], preset, |_| {});
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    if case.k_heads == 0 {
        return Err(Stop::not_judged("without keys there is no inner product"));
    }
    let (later, before) = further(case, SHIFT)?;
    let (near, far) = (harness.prepare(case)?, harness.prepare(&later)?);
    same_differences(&near, &far, before)?;
    one_plan(&near, &far)?;
    let (q, k) = Harness::inputs(case, &near);
    let far_inputs = (q.pushed_back(before), k.pushed_back(before));
    let here = harness.run(&near, q, k)?;
    let there = harness.run(&far, far_inputs.0, far_inputs.1)?;
    let (judge, far_judge) = (Judge::new(harness, case, &near)?, Judge::new(harness, &later, &far)?);
    let tokens = judge.tokens();
    let group = (case.q_heads / case.k_heads.max(1)).max(1) as usize;
    let mut measure = Measure::default();
    let (mut near, mut far) = (Sides::new(&judge, &here), Sides::new(&far_judge, &there));
    for i in 0..tokens {
        let j = (7 * i + 3) % tokens;
        for head in 0..case.q_heads as usize {
            let key = case.q_heads as usize + (head / group).min(case.k_heads as usize - 1);
            for pair in 0..judge.truth().pairs {
                let first = near.dot((i, head), (j, key), pair);
                let second = far.dot((i + before, head), (j + before, key), pair);
                let (Some(first), Some(second)) = (first, second) else {
                    judge.count_beyond(&mut measure, 1);
                    continue;
                };
                let (error, allowed) = ((first.value - second.value).abs(), first.error + second.error);
                measure.add(error / allowed);
                if error > allowed || error.is_nan() || allowed.is_nan() {
                    let law = Law::RelativePosition { query_token: i, key_token: j, shift: SHIFT };
                    let place = judge.place(Element { row: 0, token: i, head, channel: judge.channels(pair).0 });
                    return Err(Failure::at(place, Cause::law(law, first.value, second.value, allowed)).into());
                }
            }
        }
    }
    Ok(measure)
}

/// That the scheme itself moves these tokens by one amount on every axis: otherwise nothing follows.
fn same_differences(near: &Prepared, far: &Prepared, before: usize) -> Result<(), Stop> {
    let (Some(near), Some(far)) = (&near.truth, &far.truth) else { return Err(Stop::broken("no tensors")) };
    let moved = near.positions.iter().zip(&far.positions).all(|(near, far)| {
        let pairs = || near[0].iter().zip(&far[0][before..]);
        let by = |(a, b): (&Dd, &Dd)| b.plus(-*a).to_f64();
        let first = pairs().next().map(by);
        pairs().all(|p| Some(by(p)) == first)
    });
    if moved { Ok(()) } else { Err(Stop::not_judged("the scheme does not move these tokens by one amount")) }
}

struct Dot {
    value: f64,
    error: f64,
}

/// The two sides of the inner products of a call.
struct Sides<'j> {
    judge: &'j Judge<'j>,
    outputs: &'j Outputs,
    query: TokenBounds,
    key: TokenBounds,
}

impl<'j> Sides<'j> {
    fn new(judge: &'j Judge<'j>, outputs: &'j Outputs) -> Sides<'j> {
        Sides { judge, outputs, query: TokenBounds::default(), key: TokenBounds::default() }
    }

    /// Inner product of one pair of a query row and a key row, and how far it may be from the exact one.
    ///
    /// With outputs u + du, v + dv and |du| <= E_u: |<u + du, v + dv> - <u, v>| <= sum |u||dv| + |v||du| +
    /// |du||dv|, taken at the observed values (which adds |du||dv| once more), plus 2^-51 of the absolute sum for
    /// evaluating it in f64. `None` where the contract claims nothing of one of them.
    fn dot(&mut self, query: (usize, usize), key: (usize, usize), pair: usize) -> Option<Dot> {
        let (judge, outputs) = (self.judge, self.outputs);
        let observed = |bounds: &mut TokenBounds, (token, head): (usize, usize)| {
            let bound = &bounds.of(judge, (0, token, head))[pair];
            judge.with_allowances(outputs, PairPlace { row: 0, token, head, pair }, bound)
        };
        let (u, v) = (observed(&mut self.query, query)?, observed(&mut self.key, key)?);
        let mut dot = Dot { value: 0.0, error: 0.0 };
        for ((x, ex), (y, ey)) in u.into_iter().zip(v) {
            dot.value += x * y;
            dot.error += x.abs() * ey + y.abs() * ex + 2.0 * ex * ey + (x * y).abs() * 2f64.powi(-51);
        }
        Some(dot)
    }
}
