//! `axis-map-probe`: which axis turns which pair, read off the output.

use crate::case::{Case, Consume, Data, Level, PositionSource};
use crate::check::fit::Fit;
use crate::check::generator::{Generator, text};
use crate::check::judge::Judge;
use crate::check::{Check, Docs, Failure, Gap, Halt, Harness, MAP_LEVELS, Measure, Planned, Schedule, Verdict};
use crate::positions::Layout;
use crate::rotation::NO_AXIS;
use crate::spec::model::Scheme;

pub(in crate::check) struct AxisMapProbe;

impl Check for AxisMapProbe {
    fn id(&self) -> &'static str {
        "axis-map-probe"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Each pair turns with the position on the axis that the scheme's axis map gives it, and with no other.",
            formula: "input (1, 0) on every pair; output (m cos(p_k f_i), m sin(p_k f_i)) for k = axis_of_pair[i] on all tokens",
            source: "reports of wrong section layouts: Blaizzy/mlx-vlm PR 576, alibaba/MNN 4120, ggml IMROPE tail; \
                     the sine of a slow pair is small but keeps its relative precision, so every pair is visible",
            catches: "interleaved for blocks, swapped axes, sections off by one, a tail pair on a spare axis, 1-D positions",
            cannot_catch: "whether the map is the scheme's where the suite supplied it (see the line \"not judged\")",
        }
    }

    fn levels(&self) -> &'static [Level] {
        MAP_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = Schedule::default();
        if g.level.consumes(Consume::CosSin) {
            schedule
                .gaps
                .push(Gap { band: "-".into(), why: "the suite supplies cos and sin, so no axis is applied".into() });
            return schedule;
        }
        let mut rng = g.rng(self.id());
        let heads = g.heads();
        let chosen = [heads.first(), heads.last().filter(|_| heads.len() > 1)];
        for preset in chosen.into_iter().flatten() {
            let mut case = g.case(self.id(), vec![text(6)], preset, rng.next_u64());
            case.data = Data::First;
            if g.group.level == Level::Rotate {
                case.place = PositionSource::Random { low: 1, high: 1000.min(g.max_position()) };
            } else if let Ok(layout) = Layout::parse("text:3 video:2x3x4 text:2") {
                case.layouts = vec![layout];
            }
            schedule.cases.push(Planned { band: "-".into(), case });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let scheme = harness.scheme(case)?;
    let (prepared, outputs) = harness.execute(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let axes = scheme.axes.len();
    let mut measure = Measure::default();
    let mut wrong: Vec<(usize, u8, Vec<u8>)> = Vec::new();
    let mut ambiguous = 0usize;
    let heads = if judge.truth().plan.map_heads > 1 { judge.heads() } else { 1 };
    for head in 0..heads {
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
                wrong.push((pair, stated, possible));
            } else if possible.len() > 1 {
                ambiguous += 1;
            }
        }
        if !wrong.is_empty() {
            let mut failure = Failure::new(describe(scheme, &wrong));
            failure.details = runs(scheme, &wrong);
            failure.details.push(format!("seen on {} of {} pairs of head {head}", wrong.len(), judge.truth().pairs));
            return Ok(Verdict::Fail(failure));
        }
    }
    if ambiguous > 0 {
        measure.notes.push(format!("{ambiguous} pairs turn alike on several axes here"));
    }
    Ok(Verdict::Pass(measure))
}

fn axis_name(scheme: &Scheme, axis: u8) -> &str {
    scheme.axes.get(usize::from(axis)).map_or("none", String::as_str)
}

fn found(scheme: &Scheme, axes: &[u8]) -> String {
    match axes {
        [] => "with no axis' position (wrong frequency, sign, pairing or position?)".to_owned(),
        [NO_AXIS] => "not at all".to_owned(),
        _ => format!("with {}", axes.iter().map(|a| axis_name(scheme, *a)).collect::<Vec<_>>().join(" or ")),
    }
}

fn describe(scheme: &Scheme, wrong: &[(usize, u8, Vec<u8>)]) -> String {
    let (pair, stated, axes) = &wrong[0];
    format!("pair {pair} turns {}, the scheme says {}", found(scheme, axes), axis_name(scheme, *stated))
}

/// Neighbouring pairs with the same finding, one line each.
fn runs(scheme: &Scheme, wrong: &[(usize, u8, Vec<u8>)]) -> Vec<String> {
    const MOST: usize = 8;
    let mut lines = Vec::new();
    let mut start = 0;
    for end in 1..=wrong.len() {
        let same = end < wrong.len()
            && wrong[end].0 == wrong[end - 1].0 + 1
            && wrong[end].1 == wrong[start].1
            && wrong[end].2 == wrong[start].2;
        if !same {
            let (first, last) = (wrong[start].0, wrong[end - 1].0);
            let pairs = if first == last { format!("pair {first}") } else { format!("pairs {first} to {last}") };
            let (stated, axes) = (axis_name(scheme, wrong[start].1), found(scheme, &wrong[start].2));
            lines.push(format!("{pairs}: turns {axes}, expected {stated}"));
            start = end;
        }
    }
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}
