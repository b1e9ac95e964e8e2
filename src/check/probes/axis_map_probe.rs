//! `axis-map-probe`: which axis turns which pair, read off the output.

use super::other_turn::{numbers, other_turn};
use super::pair_of_head::pair_of_head;
use crate::case::{Case, Consume, Data, Level, PositionSource};
use crate::check::definition::{Check, Docs, MAP_LEVELS};
use crate::check::failure::{Cause, Failure, Fitting, OtherTurn, Stop, WrongAxis};
use crate::check::generator::{Generator, text};
use crate::check::harness::Harness;
use crate::check::judge::{Fit, Judge};
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::positions::Layout;
use crate::rotation::NO_AXIS;

pub(in crate::check) struct AxisMapProbe;

impl Check for AxisMapProbe {
    fn id(&self) -> &'static str {
        "axis-map-probe"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Each pair turns with the position on the axis that the scheme's axis map gives it, \
                        and with no other.",
            formula: "input (1, 0) on every pair; output (m cos(p_k f_i), m sin(p_k f_i)) for k = \
                      axis_of_pair[i] on all tokens",
            source: "reports of wrong section layouts: Blaizzy/mlx-vlm PR 576, alibaba/MNN 4120, ggml IMROPE \
                     tail; the sine of a slow pair is small but keeps its relative precision, so every pair \
                     is visible",
            catches: "interleaved for blocks, swapped axes, sections off by one, a tail pair on a spare \
                      axis, 1-D positions",
            cannot_catch: "whether the map is the scheme's where the suite supplied it (see the line \"not \
                           judged\")",
        }
    }

    fn levels(&self) -> &'static [Level] {
        MAP_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if g.level.consumes(Consume::CosSin) {
            return Schedule::nothing("the suite supplies cos and sin, so no axis is applied");
        }
        let mut s = Scheduler::new(g, self.id());
        for preset in s.probed() {
            s.add(vec![text(6)], &preset, |case| {
                case.data = Data::First;
                if g.group.level == Level::Rotate {
                    case.place = PositionSource::Random { low: 1, high: 1000.min(g.max_position()) };
                } else if let Ok(layout) = Layout::parse("text:3 video:2x3x4 text:2") {
                    case.layouts = vec![layout];
                }
            });
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let scheme = harness.scheme(case)?;
    let (prepared, outputs) = harness.execute(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let axes = scheme.axes.len();
    let mut measure = Measure::default();
    let mut ambiguous = 0usize;
    let heads = if judge.truth().plan.map_heads > 1 { judge.heads() } else { 1 };
    for head in 0..heads {
        let (mut runs, mut wrong) = (Vec::new(), 0usize);
        for pair in 0..judge.truth().pairs {
            let stated = judge.axis(head, pair);
            let fits = |axis: u8| judge.fits_everywhere(&outputs, head, pair, Some(axis), None);
            let candidates = (0..axes).filter_map(|a| u8::try_from(a).ok()).chain([NO_AXIS]);
            let of_stated = fits(stated);
            judge.count_beyond(&mut measure, judge.unclaimed(head, pair));
            if of_stated == Fit::NothingClaimed {
                continue;
            }
            // An axis that is nowhere refuted may be the one.
            let possible: Vec<u8> = candidates.filter(|a| fits(*a) != Fit::No).collect();
            measure.elements += 1;
            if of_stated == Fit::No {
                wrong += 1;
                numbers(&judge, &outputs, head, pair, &mut measure)?;
                let name = |axis: u8| scheme.axes.get(usize::from(axis)).cloned();
                let turn = possible.is_empty().then(|| other_turn(&judge, &outputs, axes, head, pair)).flatten();
                let found = turn.and_then(|turn| {
                    let OtherTurn { axis, further, backwards, shift, length } = turn;
                    Some(OtherTurn { axis: name(axis)?, further, backwards, shift, length })
                });
                let fits = possible.into_iter().map(name).collect();
                add(&mut runs, Fitting { first: pair, last: pair, stated: name(stated), fits, found });
            } else if possible.len() > 1 {
                ambiguous += 1;
            }
        }
        if let Some(first) = runs.first() {
            let place = pair_of_head(&judge, head, first.first);
            let cause = Cause::WrongAxis(Box::new(WrongAxis { runs, head, wrong, of_pairs: judge.truth().pairs }));
            return Err(Failure::at(place, cause).into());
        }
    }
    measure.observations = judge.observed_in(&outputs);
    if ambiguous > 0 {
        measure.note(format!("{ambiguous} pairs turn alike on several axes here"));
    }
    Ok(measure)
}

/// Adds a pair to the run of its neighbour, if both have one result, or begins another run.
fn add(runs: &mut Vec<Fitting>, pair: Fitting) {
    match runs.last_mut() {
        Some(run)
            if run.last + 1 == pair.first
                && (&run.stated, &run.fits, &run.found) == (&pair.stated, &pair.fits, &pair.found) =>
        {
            run.last = pair.last;
        }
        _ => runs.push(pair),
    }
}
