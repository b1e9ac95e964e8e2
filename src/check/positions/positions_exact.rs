//! `positions-exact`: positions and what text goes on with are the scheme's, exactly.

use super::layout_sweep;
use super::measured::{measure, place_on};
use crate::case::{Alias, CallDimensions, Case, Level, holds};
use crate::check::accuracy::uneven_rows;
use crate::check::bands::far;
use crate::check::cover::{COVER, cases};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{Authority, Cause, Failure, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::heads::HeadPreset;
use crate::check::measure::Measure;
use crate::check::schedule::{NO_BAND, Schedule, Scheduler, layouts};
use crate::numeric::{DType, Number};

pub(in crate::check) struct PositionsExact;

/// Layouts that every backend is asked about, beside random ones: each is small and needs another clause of
/// the rules.
const LAYOUTS: [&str; 6] = [
    "text:5",
    "text:3 video:3x2x2 text:5",
    "text:4 video:2x3x5 text:2",
    "text:1 video:4x1x1 text:3",
    "text:2 image:3x4 text:3",
    "text:3 video:2x3x2@0.5s text:1 image:2x2 video:2x1x3 text:2",
];

impl Check for PositionsExact {
    fn id(&self) -> &'static str {
        "positions-exact"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Every token's position on every axis, and the position that text goes on with, are \
                        the scheme's.",
            formula: "p_k(token) = formula of axis k, as an exact rational (rounded once where the type is a \
                      float)",
            source: "the scheme's own sources; golden/official_positions.json",
            catches: "frame advance, resumption of text, swapped axes, raster order, restarts at segments, \
                      lost seconds",
            cannot_catch: "on level fused, positions that the storage type cannot tell apart (said as not \
                           judged)",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &[Level::Positions, Level::Fused]
    }

    fn covers(&self, level: Level) -> bool {
        level == Level::Positions
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        let heads = s.heads();
        let on_positions = g.group.level == Level::Positions;
        let mut asked = layouts(&LAYOUTS);
        asked.extend((0..4 * g.cases.max(1)).map(|_| g.layout(&mut s.rng)));
        for (turn, (layout, preset)) in asked.into_iter().zip(heads.iter().cycle()).enumerate() {
            let tokens = layout.tokens();
            let mut case = s.case(vec![layout], preset);
            if on_positions {
                g.vary(&mut case, 0, &mut s.rng);
                (case.direction, case.alias) = (1, Alias::Out);
                if g.manifest.token_ranges && s.rng.one_in(3) {
                    let start = s.rng.below(tokens);
                    case.window = Some((start, 1 + s.rng.below(tokens - start)));
                }
            } else {
                case.direction = if g.manifest.directions.contains(&1) { 1 } else { -1 };
            }
            g.vary_parameters(&mut case, turn);
            s.plan(NO_BAND, case);
        }
        for tail in ["text:2", "video:2x3x2 text:3"].into_iter().filter(|_| on_positions) {
            match far(g, tail) {
                Ok((layout, start)) => {
                    let count = layout.tokens() - start;
                    let mut case = s.case(vec![layout], &HeadPreset::NONE);
                    (case.direction, case.alias) = (1, Alias::Out);
                    case.window = g.manifest.token_ranges.then_some((start, count));
                    let most = g.limits().1;
                    if let Some(dtype) = g.position_types().into_iter().find(|d| holds(*d, most)) {
                        case.position_dtype = dtype;
                    }
                    s.plan("max", case);
                }
                Err(why) => s.gap("max", why),
            }
        }
        if let (true, Some(preset)) = (g.manifest.batch_layouts, heads.first()) {
            let case = s.case(uneven_rows(), preset);
            s.plan("batch", case);
        }
        if on_positions {
            layout_sweep::plan(&mut s);
            for case in cases(g, self.id()) {
                s.plan(COVER, case);
            }
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

/// The number as a type holds it: floats round once.
pub(in crate::check) fn held(number: &Number, level: Level, dtype: DType) -> Number {
    if level == Level::Positions && dtype.is_float() && number.is_exact() {
        Number::from_f64(dtype.round(number.to_f64())).unwrap_or_else(|_| number.clone())
    } else {
        number.clone()
    }
}

/// Judges every position of a case, and where text goes on.
///
/// # Errors
/// [`Stop::Failed`] at the first position that is not the scheme's.
pub(in crate::check) fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let axes = &harness.scheme(case)?.axes;
    let (rows, expected) = measure(case, harness)?;
    let mut measure = Measure::default();
    for (row, (measured, stated)) in rows.iter().zip(&expected).enumerate() {
        let mut compare = |token: Option<u64>, axis: &str, number: &Number, found: Option<&Number>| {
            let wanted = held(number, case.level, case.position_dtype);
            measure.elements += 1;
            measure.observations += 1;
            // On level fused `accuracy` says how far the run went.
            if case.level == Level::Positions {
                measure.largest = measure.largest.max(Some(wanted.to_f64().floor() as i64));
            }
            if found == Some(&wanted) {
                return Ok(());
            }
            let (expected, observed) = (wanted.to_string(), found.map(Number::to_string));
            let cause = Cause::WrongPosition { against: Authority::Scheme, expected, observed };
            Err(Failure::at(place_on(case, row, token, axis), cause))
        };
        for token in stated.window() {
            let index = usize::try_from(token - stated.window().start).unwrap_or(0);
            for (axis, name) in axes.iter().enumerate() {
                let number = stated.get(axis, token).ok_or_else(|| Stop::broken("a token has no position"))?;
                compare(Some(token), name, &number, measured.columns[axis].get(index).as_ref())?;
            }
        }
        if let Some(next) = &measured.next
            && stated.window().end == stated.layout().tokens()
        {
            for (axis, name) in axes.iter().enumerate() {
                compare(None, name, stated.next().on(axis).unwrap_or(&Number::ZERO), next.get(axis))?;
            }
        }
    }
    if harness.records && case.level == Level::Positions {
        measure.calls.push(CallDimensions::of_positions(case, &expected));
    }
    Ok(measure)
}
