//! `position-beyond-limit`: a position above the manifest's limit is computed rightly or refused.

use super::common::{blame, few, sound};
use crate::backend::Answer;
use crate::case::{Case, Consume, Level, PositionSource};
use crate::check::definition::{Check, Docs, MAP_LEVELS};
use crate::check::failure::{Circumstance, Stop};
use crate::check::generator::{Generator, text};
use crate::check::harness::{Harness, Outputs};
use crate::check::measure::Measure;
use crate::check::schedule::{NO_BAND, Schedule, Scheduler};
use crate::numeric::DType;
use crate::positions::{Layout, Segment};

pub(in crate::check) struct PositionBeyondLimit;

/// Tokens that lie beyond the limit.
const TOKENS: u32 = 6;

impl Check for PositionBeyondLimit {
    fn id(&self) -> &'static str {
        "position-beyond-limit"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A position above max_position is computed rightly, or refused; it never crashes and \
                        never gives a wrong result with status OK.",
            formula: "max_position < p <= max_position + 64: |y' - y| <= E, or status UNSUPPORTED or \
                      BAD_ARGUMENT",
            source: "vllm-project/vllm 9965 and PR 47407, sgl-project/sglang PR 10788: caches read past the \
                     last row",
            catches: "tables read out of bounds, clamped and wrapped positions",
            cannot_catch: "pairs so fast that the bound of this position allows every angle; limits that no \
                           offered type of positions can exceed",
        }
    }

    fn levels(&self) -> &'static [Level] {
        MAP_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        let (Some(heads), Some(wide)) = (s.small(), s.wide()) else { return s.finish() };
        let limit = g.max_position();
        let beyond = limit.saturating_add(64);
        let mut case = s.case(vec![text(TOKENS)], &heads);
        if g.group.level == Level::Rotate {
            if !g.level.consumes(Consume::Positions) || g.level.consumes(Consume::CosSinCache) {
                return Schedule::nothing("the suite supplies cos and sin for every position it asks for");
            }
            // Positions are handed over as integers here, whatever the scheme's are.
            let holds = |d: &DType| match d {
                DType::I32 => i32::try_from(beyond).is_ok(),
                DType::F32 => beyond <= 1 << 24,
                _ => beyond <= 1 << 53,
            };
            let Some(dtype) = g.manifest.position_dtypes.iter().copied().find(holds) else {
                return Schedule::nothing(format!(
                    "no offered type of positions holds more than max_position, {limit}"
                ));
            };
            case.position_dtype = dtype;
            case.place = PositionSource::Random { low: limit + 1, high: beyond };
        } else {
            let length = u32::try_from(limit + 1 + i64::from(TOKENS)).ok();
            let Some(length) = length.filter(|n| i64::from(*n) <= g.manifest.max_tokens && g.manifest.token_ranges)
            else {
                return Schedule::nothing("the sequence would have more tokens than the manifest takes");
            };
            let Ok(layout) = Layout::new(vec![Segment::Text(length)]) else {
                return Schedule::nothing(format!("no layout has {length} tokens of text"));
            };
            case.layouts = vec![layout];
            case.window = Some((u64::from(length - TOKENS), u64::from(TOKENS)));
        }
        let Case { position_dtype, place, window, layouts, .. } = case.clone();
        let wide = s.case(layouts, &wide);
        s.plan(NO_BAND, case);
        s.plan(NO_BAND, Case { position_dtype, place, window, ..wide });
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

/// Whether some token of a case lies beyond the limit.
fn exceeds(case: &Case, limit: i64) -> bool {
    match case.place {
        PositionSource::Random { high, .. }
        | PositionSource::Octaves { high, .. }
        | PositionSource::Span { high, .. }
        | PositionSource::Fractions { high, .. }
        | PositionSource::QuarterTurns { high, .. } => high > limit,
        PositionSource::Layout { .. } => {
            let tokens = case.layouts.first().map_or(0, Layout::tokens);
            i64::try_from(tokens).is_ok_and(|n| n > limit)
        }
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let limit = harness.backend.manifest().max_position;
    if !exceeds(case, limit) {
        return Err(Stop::not_judged("no position of this case is beyond the limit"));
    }
    sound(harness, &few(case))?;
    let prepared = harness.prepare_anywhere(case)?;
    let (q, k) = Harness::inputs(case, &prepared);
    match harness.answer(&prepared, &q, &k)? {
        Answer::Ok => {}
        Answer::Unsupported(_) | Answer::BadArgument(_) => {
            let mut measure = Measure::of(1);
            measure.note("positions beyond the limit are refused".to_owned());
            return Ok(measure);
        }
        outcome => return Err(harness.failed(&prepared, &outcome)),
    }
    let (q_out, k_out) = prepared.read(harness.backend.memory());
    let outputs = Outputs { q, k, q_out, k_out };
    blame(harness, case, &prepared, &outputs, Circumstance::BeyondMaxPosition { max_position: limit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BackendFactory as _;
    use crate::backend::emulated::{EmulatedFactory, Emulation, Shared};
    use crate::check::generator::Group;
    use crate::contract::contracts;
    use crate::numeric::DType;
    use crate::rotation::PlanCache;
    use crate::spec::Library;
    use crate::spec::model::Pairing;
    use std::sync::Arc;

    /// The largest position and a manifest without a limit on tokens ask for more than a layout can have.
    /// Found by fuzzing: it became a case without a layout.
    #[test]
    fn what_no_layout_can_hold_is_no_case() {
        let library = Arc::new(Library::embedded().expect("the specs load"));
        let contracts = contracts().expect("the contracts load");
        let mut emulation = Emulation::honest(&contracts, "fused", "table").expect("a contract");
        (emulation.manifest.max_tokens, emulation.manifest.token_ranges) = (i64::MAX, true);
        let factory = EmulatedFactory::new(emulation, Arc::new(Shared::new(Arc::clone(&library))));
        let backend = factory.start().expect("it starts");
        let manifest = backend.manifest();
        let scheme = library.get("rope").expect("a scheme");
        for (limit, cases) in [(i64::from(i32::MAX), 0), (1 << 20, 2)] {
            let manifest = crate::backend::Manifest { max_position: limit, ..manifest.clone() };
            let generator = Generator {
                group: Group { scheme: scheme.id(), level: Level::Fused, pairing: Pairing::Half, dtype: DType::F32 },
                scheme,
                library: &library,
                plans: &PlanCache::new(),
                level: manifest.level(Level::Fused).expect("the level"),
                manifest: &manifest,
                cases: 1,
                depth: Default::default(),
                seed: 1,
                parameters: &[],
                cover: &[],
                whole: std::sync::OnceLock::new(),
            };
            let schedule = PositionBeyondLimit.schedule(&generator);
            assert_eq!(
                (schedule.cases.len(), schedule.gaps.len()),
                (cases, usize::from(cases == 0)),
                "{limit}: {:?}",
                schedule.gaps
            );
            assert!(schedule.cases.iter().all(|p| p.case.tokens() > 0 && !p.case.layouts[0].segments().is_empty()));
        }
    }
}
