//! `start-shift`: more text in front moves every later position as the scheme says.

use super::measured::{disagree, measure, place_on};
use crate::case::{Case, Data, Level, PositionSource};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{Cause, Failure, Law, PositionRelation, Scalar, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::{Element, Judge};
use crate::check::laws::pairs::{PairPlace, TokenBounds};
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::check::slices::{one_plan, pushed_back};
use crate::numeric::{DType, Dd, Number, sincos};
use crate::rotation::reference::factor_error;

pub(in crate::check) struct StartShift;

/// By how many tokens the first text grows.
const MORE: u32 = 29;

impl Check for StartShift {
    fn id(&self) -> &'static str {
        "start-shift"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A longer first text moves every later position by what the scheme says, on every \
                        axis.",
            formula: "p'(t + n) - p(t) = the same difference of the scheme's positions; outputs: R(p' - p) y \
                      = y' within the bounds of y and y'",
            source: "huggingface/transformers 36009 and the like: an offset kept from another prompt; the \
                     scheme's formulas",
            catches: "segments that restart at 0, an offset that is kept, added twice or cut off, a start \
                      that is lost",
            cannot_catch: "a constant error of all positions, which positions-exact sees; on level fused, \
                           differences that the storage type cannot show on slow pairs",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &[Level::Positions, Level::Fused]
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if g.max_position() < 2 * i64::from(MORE) || g.manifest.max_tokens < 2 * i64::from(MORE) {
            return Schedule::nothing("the manifest's limits leave no room for a longer text");
        }
        let mut s = Scheduler::new(g, self.id());
        s.each_layout(&["text:2 video:2x2x3 text:2", "image:2x3 text:1", "text:1 video:2x5x6 text:2"], |case| {
            case.data = Data::First
        });
        if g.group.level == Level::Positions {
            s.each_offered(&[
                "text:2 video:9x6x11 text:20 image:16x7 text:3",
                "video:5x7x4 text:1 image:4x9 video:12x5x5",
            ]);
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        match case.level {
            Level::Positions => on_positions(case, harness),
            _ => on_outputs(case, harness),
        }
    }
}

fn later(case: &Case) -> Result<Case, Stop> {
    if case.window.is_some() || case.place != (PositionSource::Layout { shift: 0 }) {
        return Err(Stop::not_judged("this check needs all tokens, where the layout puts them"));
    }
    let layouts = case.layouts.iter().map(|l| pushed_back(l, MORE)).collect::<Result<_, _>>()?;
    Ok(Case { layouts, ..case.clone() })
}

/// How far a number that a backend wrote may be from the exact one: nothing, unless the type had to round.
pub(in crate::check) fn rounding(dtype: DType, exact: &Number) -> f64 {
    let value = exact.to_f64();
    let held = dtype.is_float() && dtype.holds(value) && Number::from_f64(value).is_ok_and(|n| n == *exact);
    // Twice the half ulp at the exact number covers a backend that is off by a little and rounds in the next
    // binade.
    if !dtype.is_float() || held { 0.0 } else { 2.0 * dtype.half_ulp(value) }
}

/// Two numbers of a backend against two of the scheme: the steps from one to the other must be the same. The
/// step found.
pub(in crate::check) fn same_step(dtype: DType, found: [&Number; 2], stated: [&Number; 2]) -> Result<(), [Number; 2]> {
    let step = |[from, to]: [&Number; 2]| to.sub(from).unwrap_or(Number::ZERO);
    let (is, should) = (step(found), step(stated));
    let allowed = rounding(dtype, stated[0]) + rounding(dtype, stated[1]);
    let error = is.sub(&should).map_or(f64::INFINITY, |e| e.to_f64().abs());
    if is == should || error <= allowed { Ok(()) } else { Err([is, should]) }
}

fn on_positions(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let far = later(case)?;
    let axes = &harness.scheme(case)?.axes;
    let (near_rows, near_stated) = measure(case, harness)?;
    let (far_rows, far_stated) = measure(&far, harness)?;
    let mut measured = Measure::default();
    let missing = || Stop::broken("a token has no position");
    for row in 0..case.batch() {
        let (near, far) = (&near_rows[row], &far_rows[row]);
        for (axis, name) in axes.iter().enumerate() {
            let compare = |token: Option<u64>, found: [&Number; 2], stated: [&Number; 2]| {
                same_step(case.position_dtype, found, stated).map_err(|[is, should]| {
                    let place = place_on(case, row, token, name);
                    disagree(place, PositionRelation::StartShift { more: MORE }, &should, &is)
                })
            };
            for token in near_stated[row].window() {
                let index = usize::try_from(token).unwrap_or(usize::MAX);
                let later = token + u64::from(MORE);
                let found = [near.columns[axis].get(index), far.columns[axis].get(index + MORE as usize)];
                let stated = [near_stated[row].get(axis, token), far_stated[row].get(axis, later)];
                let ([Some(a), Some(b)], [Some(c), Some(d)]) = (found, stated) else { return Err(missing()) };
                measured.elements += 1;
                compare(Some(token), [&a, &b], [&c, &d])?;
            }
            if let (Some(a), Some(b)) = (&near.next, &far.next) {
                let stated = (near_stated[row].next().on(axis), far_stated[row].next().on(axis));
                let (Some(c), Some(d)) = stated else { return Err(missing()) };
                measured.elements += 1;
                compare(None, [&a[axis], &b[axis]], [c, d])?;
            }
        }
    }
    Ok(measured)
}

/// On outputs: y at the near position, turned on by the difference of the scheme's positions, is y' at the
/// far one. Turning is by exact factors, so what y errs by is turned as well: |cos| E(y1) + |sin| E(y2).
fn on_outputs(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let far = later(case)?;
    let (near_prepared, far_prepared) = (harness.prepare(case)?, harness.prepare(&far)?);
    one_plan(&near_prepared, &far_prepared)?;
    let (near_judge, far_judge) =
        (Judge::new(harness, case, &near_prepared)?, Judge::new(harness, &far, &far_prepared)?);
    let (q, k) = Harness::inputs(case, &near_prepared);
    let (far_q, far_k) = (q.pushed_back(MORE as usize), k.pushed_back(MORE as usize));
    let near_out = harness.run(&near_prepared, q, k)?;
    let far_out = harness.run(&far_prepared, far_q, far_k)?;
    let mut measured = Measure::default();
    let (mut near_bounds, mut far_bounds) = (TokenBounds::default(), TokenBounds::default());
    for (row, token) in (0..case.batch()).flat_map(|b| (0..near_judge.tokens()).map(move |t| (b, t))) {
        let later = token + MORE as usize;
        for head in 0..near_judge.heads() {
            for pair in 0..near_judge.truth().pairs {
                let axis = near_judge.axis(head, pair);
                let step = far_judge.position(axis, row, later).plus(-near_judge.position(axis, row, token));
                let frequency = near_judge.frequency(head, pair);
                let at = PairPlace { row, token, head, pair };
                let bound = &near_bounds.of(&near_judge, (row, token, head))[pair];
                let here = near_judge.with_allowances(&near_out, at, bound);
                let bound = &far_bounds.of(&far_judge, (row, later, head))[pair];
                let there = far_judge.with_allowances(&far_out, PairPlace { token: later, ..at }, bound);
                // Beyond the contract's angle limit nothing is claimed.
                let (Some([(a, ea), (b, eb)]), Some(there)) = (here, there) else { continue };
                let (cos, sin) = factors(step, frequency, near_judge.truth().direction);
                // The factors' own error, and four roundings of the products and sums below.
                let own = 4.0 * factor_error(1.0, 1.0, step.hi * frequency) * (a.abs() + b.abs());
                let (first, second) = near_judge.channels(pair);
                let here = [(first, a, ea, -b, eb), (second, b, eb, a, ea)];
                for ((found, e), (channel, x, ex, y, ey)) in there.into_iter().zip(here) {
                    let expected = x * cos + y * sin;
                    let (error, allowed) = ((found - expected).abs(), e + cos.abs() * ex + sin.abs() * ey + own);
                    measured.add(error / allowed);
                    if error > allowed || error.is_nan() || allowed.is_nan() {
                        let cause = Cause::LawBroken {
                            law: Box::new(Law::TurnedOn { more: MORE, step: Scalar(step.to_f64()) }),
                            expected: Scalar(expected),
                            observed: Scalar(found),
                            error: Scalar(error),
                            allowed: Scalar(allowed),
                        };
                        let place = near_judge.place(Element { row, token, head, channel });
                        return Err(Failure::at(place, cause).into());
                    }
                }
            }
        }
    }
    Ok(measured)
}

fn factors(step: Dd, frequency: f64, direction: f64) -> (f64, f64) {
    let exact = sincos(step, frequency);
    (exact.cos, direction * exact.sin)
}
