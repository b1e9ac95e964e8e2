//! `relative-position`: the inner product of a rotated query and key depends on the difference of their positions alone.

use crate::case::{Case, Consume, Level, PositionSource, Prepared};
use crate::check::generator::Generator;
use crate::check::judge::Judge;
use crate::check::{
    Check, Docs, Failure, Gap, Halt, Harness, MAP_LEVELS, Measure, Outputs, Planned, Schedule, Verdict,
};
use crate::positions::{Layout, Segment};

pub(in crate::check) struct RelativePosition;

/// How far the sequence is moved.
const SHIFT: u32 = 37;

impl Check for RelativePosition {
    fn id(&self) -> &'static str {
        "relative-position"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Moving every position by the same amount on every axis leaves the inner product of each rotated \
                        query pair with each rotated key pair as it was.",
            formula: "<R(p_q) q, R(p_k) k> = <R(p_q + s) q, R(p_k + s) k> per pair, within the bounds of the four outputs",
            source: "RoFormer (arXiv:2104.09864) section 3.2.1",
            catches: "query and key turned by different positions or frequencies, angles that lose precision as they grow",
            cannot_catch: "a base, an axis map or an offset that is wrong for query and key alike",
        }
    }

    fn levels(&self) -> &'static [Level] {
        MAP_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = Schedule::default();
        let heads: Vec<_> = g.heads().into_iter().filter(|h| h.k_heads > 0).collect();
        // Rows of a rounded table are no exact rotations, so the two products may honestly differ by more.
        let supplied = g.level.consumes(Consume::CosSin) || g.level.consumes(Consume::CosSinCache);
        if supplied || heads.is_empty() {
            let why = if heads.is_empty() { "the backend takes no keys" } else { "the suite supplies cos and sin" };
            schedule.gaps.push(Gap { band: "-".into(), why: why.into() });
            return schedule;
        }
        let mut rng = g.rng(self.id());
        for index in 0..g.cases.max(1) {
            let preset = &heads[index as usize % heads.len()];
            let case = g.case(self.id(), vec![g.layout(&mut rng)], preset, rng.next_u64());
            schedule.cases.push(Planned { band: "-".into(), case });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

/// The same tokens, further on: by moved positions on level rotate, by a longer first text on level fused. Also the number
/// of tokens in front of them.
fn moved(case: &Case) -> Result<(Case, usize), Halt> {
    let mut later = case.clone();
    if case.level == Level::Rotate {
        let PositionSource::Layout { shift } = case.place else {
            return Err(Halt::broken("relative-position needs positions from a layout"));
        };
        later.place = PositionSource::Layout { shift: shift + i64::from(SHIFT) };
        return Ok((later, 0));
    }
    let mut segments = case.layouts.first().map(|l| l.segments().to_vec()).unwrap_or_default();
    match segments.first_mut() {
        Some(Segment::Text(n)) => *n += SHIFT,
        _ => segments.insert(0, Segment::Text(SHIFT)),
    }
    later.layouts = vec![Layout::new(segments).map_err(|e| Halt::broken(e.to_string()))?];
    Ok((later, SHIFT as usize))
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    if case.k_heads == 0 {
        return Err(Halt::not_judged("without keys there is no inner product"));
    }
    let (later, before) = moved(case)?;
    let (near, far) = (harness.prepare(case)?, harness.prepare(&later)?);
    same_differences(&near, &far, before)?;
    let (q, k) = Harness::inputs(case, &near);
    let far_inputs = (q.pushed_back(before), k.pushed_back(before));
    let here = harness.run(&near, q, k)?;
    let there = harness.run(&far, far_inputs.0, far_inputs.1)?;
    let (judge, far_judge) = (Judge::new(harness, case, &near)?, Judge::new(harness, &later, &far)?);
    let tokens = judge.tokens();
    let group = (case.q_heads / case.k_heads.max(1)).max(1) as usize;
    let mut measure = Measure::default();
    for i in 0..tokens {
        let j = (7 * i + 3) % tokens;
        for head in 0..case.q_heads as usize {
            let key = case.q_heads as usize + (head / group).min(case.k_heads as usize - 1);
            for pair in 0..judge.truth().pairs {
                let first = dot(&judge, &here, (i, head), (j, key), pair);
                let second = dot(&far_judge, &there, (i + before, head), (j + before, key), pair);
                let (Some(first), Some(second)) = (first, second) else {
                    judge.count_beyond(&mut measure, 1);
                    continue;
                };
                let (error, allowed) = ((first.value - second.value).abs(), first.error + second.error);
                measure.add(error / allowed);
                if error > allowed || error.is_nan() || allowed.is_nan() {
                    let mut failure = Failure::new(format!(
                        "query token {i} and key token {j}, pair {pair}: the inner product changes by {error:e} when all \
                         positions move by {SHIFT}, allowed {allowed:e}"
                    ));
                    failure.details.push(format!("{:e} before, {:e} after", first.value, second.value));
                    return Ok(Verdict::Fail(failure));
                }
            }
        }
    }
    Ok(Verdict::Pass(measure))
}

/// That the scheme itself moves these tokens by one amount on every axis: otherwise nothing follows.
fn same_differences(near: &Prepared, far: &Prepared, before: usize) -> Result<(), Halt> {
    let (Some(near), Some(far)) = (&near.truth, &far.truth) else { return Err(Halt::broken("no tensors")) };
    let moved = near.positions.iter().zip(&far.positions).all(|(near, far)| {
        let pairs = || near[0].iter().zip(&far[0][before..]);
        let by = |(a, b): (&crate::numeric::Dd, &crate::numeric::Dd)| b.plus(-*a).to_f64();
        let first = pairs().next().map(by);
        pairs().all(|p| Some(by(p)) == first)
    });
    if moved { Ok(()) } else { Err(Halt::not_judged("the scheme does not move these tokens by one amount")) }
}

struct Dot {
    value: f64,
    error: f64,
}

/// Inner product of one pair of a query row and a key row, and how far it may be from the exact one.
///
/// With outputs u + du, v + dv and |du| <= E_u: |<u + du, v + dv> - <u, v>| <= sum |u||dv| + |v||du| + |du||dv|, taken at the
/// observed values (which adds |du||dv| once more), plus 2^-51 of the absolute sum for evaluating it in f64. `None` where the contract claims
/// nothing of one of them.
fn dot(judge: &Judge, outputs: &Outputs, query: (usize, usize), key: (usize, usize), pair: usize) -> Option<Dot> {
    let u = judge.observed_with_bounds(outputs, 0, query.0, query.1, pair)?;
    let v = judge.observed_with_bounds(outputs, 0, key.0, key.1, pair)?;
    let mut dot = Dot { value: 0.0, error: 0.0 };
    for ((x, ex), (y, ey)) in u.into_iter().zip(v) {
        dot.value += x * y;
        dot.error += x.abs() * ey + y.abs() * ex + 2.0 * ex * ey + (x * y).abs() * 2f64.powi(-51);
    }
    Some(dot)
}
