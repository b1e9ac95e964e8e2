//! `positions-exact`: positions and what text goes on with are the scheme's, exactly.

use super::measured::measure;
use crate::case::{Case, Level};
use crate::check::bands::{far, holds};
use crate::check::explain::token_name;
use crate::check::generator::Generator;
use crate::check::{Check, Docs, Failure, Gap, Halt, Harness, Measure, Planned, Schedule, Verdict};
use crate::numeric::{DType, Number};
use crate::positions::{Layout, Positions};
use crate::spec::model::Scheme;

pub(in crate::check) struct PositionsExact;

/// Layouts that every backend is asked about, beside random ones: each is small and needs another clause of the rules.
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
            statement: "Every token's position on every axis, and the position that text goes on with, are the scheme's.",
            formula: "p_k(token) = formula of axis k, as an exact rational (rounded once where the type is a float)",
            source: "the scheme's own sources; golden/official_positions.json",
            catches: "frame advance, resumption of text, swapped axes, raster order, restarts at segments, lost seconds",
            cannot_catch: "on level fused, positions that the storage type cannot tell apart (said as not judged)",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &[Level::Positions, Level::Fused]
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = Schedule::default();
        let heads = g.heads();
        let fallback = crate::check::generator::HeadPreset {
            q_heads: 1,
            k_heads: 0,
            head_dim: 2,
            rotary: None,
            parameters: Vec::new(),
        };
        let mut rng = g.rng(self.id());
        let fixed = LAYOUTS.iter().filter_map(|l| Layout::parse(l).ok()).collect::<Vec<_>>();
        let random = (0..4 * g.cases.max(1)).map(|_| g.layout(&mut rng)).collect::<Vec<_>>();
        for (index, layout) in fixed.into_iter().chain(random).enumerate() {
            let preset = match g.group.level {
                Level::Positions => &fallback,
                _ => match heads.get(index % heads.len().max(1)) {
                    Some(preset) => preset,
                    None => continue,
                },
            };
            let tokens = layout.tokens();
            let mut case = g.case(self.id(), vec![layout], preset, rng.next_u64());
            if g.group.level == Level::Positions {
                g.vary(&mut case, 0, &mut rng);
                (case.direction, case.alias) = (1, crate::case::Alias::Out);
                if g.manifest.token_ranges && rng.one_in(3) {
                    let start = rng.below(tokens);
                    case.window = Some((start, 1 + rng.below(tokens - start)));
                }
            } else {
                case.direction = if g.manifest.directions.contains(&1) { 1 } else { -1 };
            }
            schedule.cases.push(Planned { band: "-".into(), case });
        }
        if g.group.level == Level::Positions {
            for tail in ["text:2", "video:2x3x2 text:3"] {
                match far(g, tail) {
                    Ok((layout, start)) => {
                        let count = layout.tokens() - start;
                        let mut case = g.case(self.id(), vec![layout], &fallback, rng.next_u64());
                        (case.direction, case.alias) = (1, crate::case::Alias::Out);
                        case.window = g.manifest.token_ranges.then_some((start, count));
                        let most = g.limits().1;
                        if let Some(dtype) = g.position_types().into_iter().find(|d| holds(*d, most)) {
                            case.position_dtype = dtype;
                        }
                        schedule.cases.push(Planned { band: "max".into(), case });
                    }
                    Err(why) => schedule.gaps.push(Gap { band: "max".into(), why }),
                }
            }
            schedule.gaps.dedup();
        }
        let preset = if g.group.level == Level::Positions { Some(&fallback) } else { heads.first() };
        if let (true, Some(preset)) = (g.manifest.batch_layouts, preset) {
            let case = g.case(self.id(), crate::check::accuracy::uneven_rows(), preset, rng.next_u64());
            schedule.cases.push(Planned { band: "batch".into(), case });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
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

pub(in crate::check) fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let scheme = harness.scheme(case)?;
    let (rows, expected) = measure(case, harness)?;
    let mut measure = Measure::default();
    for (row, (measured, stated)) in rows.iter().zip(&expected).enumerate() {
        for token in stated.window() {
            for (axis, name) in scheme.axes.iter().enumerate() {
                let number = stated.get(axis, token).ok_or_else(|| Halt::broken("a token has no position"))?;
                let wanted = held(&number, case.level, case.position_dtype);
                let found = measured.columns[axis].get(usize::try_from(token - stated.window().start).unwrap_or(0));
                reached(&mut measure, case.level, &wanted);
                if found.as_ref() != Some(&wanted) {
                    let found = found.map_or("nothing".to_owned(), |n| n.to_string());
                    return Ok(Verdict::Fail(wrong(case, scheme, row, token, name, &found, &wanted)));
                }
            }
        }
        if let Some(next) = &measured.next
            && stated.window().end == stated.layout().tokens()
        {
            for (axis, name) in scheme.axes.iter().enumerate() {
                let number = stated.next().on(axis).cloned().unwrap_or(Number::ZERO);
                let wanted = held(&number, case.level, case.position_dtype);
                reached(&mut measure, case.level, &wanted);
                if next[axis] != wanted {
                    return Ok(Verdict::Fail(wrong_next(case, stated, name, &next[axis], &wanted)));
                }
            }
        }
    }
    Ok(Verdict::Pass(measure))
}

/// Counts a position. On level fused `accuracy` says how far the run went.
fn reached(measure: &mut Measure, level: Level, position: &Number) {
    measure.elements += 1;
    if level == Level::Positions {
        measure.largest = measure.largest.max(Some(position.to_f64().floor() as i64));
    }
}

fn wrong(
    case: &Case,
    scheme: &Scheme,
    row: usize,
    token: u64,
    axis: &str,
    found: &str,
    wanted: &Number,
) -> Box<Failure> {
    let layout = &case.layouts[row];
    let place = token_name(layout, token, case.batch() > 1, row);
    let mut failure = Failure::new(format!("{place}: position on axis {axis} is {found}, the scheme says {wanted}"));
    failure.details.push(format!("layout {layout}, scheme {}", scheme.id()));
    failure
}

fn wrong_next(case: &Case, stated: &Positions, axis: &str, found: &Number, wanted: &Number) -> Box<Failure> {
    let mut failure = Failure::new(format!("text goes on at {found} on axis {axis}, the scheme says {wanted}"));
    failure.details.push(format!(
        "layout {}, {} tokens, seed {:x}",
        stated.layout(),
        stated.layout().tokens(),
        case.seed
    ));
    failure
}
