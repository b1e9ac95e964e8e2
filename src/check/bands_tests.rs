//! Cases of `accuracy` stay inside a manifest, and go as far as it lets them.

use std::collections::BTreeSet;

use super::bands::BANDS;
use super::catalogue::CATALOGUE;
use super::generator::{Generator, Group};
use super::schedule::{Planned, Schedule};
use crate::backend::manifest::{Integers, LevelManifest};
use crate::backend::{Backend, Manifest, Vocabulary, host::Host};
use crate::case::{Consume, Level, PrepareError, Prepared, prepare};
use crate::numeric::DType;
use crate::rotation::PlanCache;
use crate::spec::Library;
use crate::spec::model::Pairing;

struct BandWorld {
    library: Library,
    plans: PlanCache,
}

impl BandWorld {
    fn new() -> Self {
        BandWorld { library: Library::embedded().expect("embedded specs load"), plans: PlanCache::new() }
    }

    fn with<T>(&self, scheme: &str, level: Level, manifest: &Manifest, work: impl FnOnce(&Generator) -> T) -> T {
        let scheme = self.library.get(scheme).expect("a scheme");
        work(&Generator {
            group: Group { scheme: scheme.id(), level, pairing: Pairing::Half, dtype: DType::F16 },
            scheme,
            library: &self.library,
            plans: &self.plans,
            manifest,
            level: manifest.level(level).expect("the level"),
            cases: 2,
            depth: Default::default(),
            seed: 1,
            parameters: &[],
            cover: &[],
            whole: std::sync::OnceLock::new(),
        })
    }

    fn schedule(&self, check: &str, scheme: &str, level: Level, manifest: &Manifest) -> Schedule {
        let check = CATALOGUE.iter().find(|c| c.id() == check).expect("a check");
        self.with(scheme, level, manifest, |g| check.schedule(g))
    }

    fn prepared(&self, planned: &Planned, manifest: &Manifest) -> Result<Prepared, PrepareError> {
        let case = &planned.case;
        let consumes = &manifest.level(case.level).expect("the level").consumes;
        prepare(case, self.library.get(&case.scheme).expect("a scheme"), &self.plans, consumes, 1)
    }

    /// Smallest and largest position of a case.
    fn ends(&self, planned: &Planned, manifest: &Manifest) -> (f64, f64) {
        let prepared = self.prepared(planned, manifest).unwrap_or_else(|e| panic!("{}: {e}", planned.case));
        let truth = prepared.truth.expect("tensors");
        let positions = || truth.positions.iter().flatten().flatten().map(|p| p.to_f64());
        (positions().fold(f64::INFINITY, f64::min), positions().fold(f64::NEG_INFINITY, f64::max))
    }
}

fn host() -> Manifest {
    Host::new().manifest().clone()
}

/// The embedded kernel's manifest with a level that is given layouts.
fn fused(token_ranges: bool) -> Manifest {
    let mut manifest = host();
    let contracts = manifest.levels[0].1.contracts.clone();
    let level =
        LevelManifest { consumes: vec![Consume::Layout, Consume::InvFreq], schemes: vec!["*".into()], contracts };
    manifest.levels = vec![(Level::Fused, level)];
    manifest.token_ranges = token_ranges;
    manifest
}

fn bands(schedule: &Schedule) -> (BTreeSet<&str>, BTreeSet<&str>) {
    (schedule.cases.iter().map(|p| p.band.as_str()).collect(), schedule.gaps.iter().map(|g| g.band.as_str()).collect())
}

#[test]
fn every_band_has_cases_or_a_reason() {
    let maker = BandWorld::new();
    for scheme in ["rope", "m-rope", "tad-rope", "rope-tie", "videorope@official"] {
        for (level, manifest) in [(Level::Rotate, host()), (Level::Apply, host()), (Level::Fused, fused(true))] {
            let schedule = maker.schedule("accuracy", scheme, level, &manifest);
            let (cases, gaps) = bands(&schedule);
            for band in BANDS {
                assert!(cases.contains(band.name) != gaps.contains(band.name), "{scheme} {level} {}", band.name);
            }
            let unreached: Vec<&str> = gaps.into_iter().collect();
            assert_eq!(
                unreached,
                if level == Level::Fused { vec!["fractional", "negative"] } else { vec![] },
                "{scheme}"
            );
        }
    }
}

#[test]
fn positions_stay_inside_the_manifest_and_reach_its_ends() {
    let maker = BandWorld::new();
    let all = host().position_dtypes;
    for (most, least, types, reached) in [
        (2_147_483_647, -2_147_483_647, all.clone(), 2_147_483_647.0),
        (5000, -77, all.clone(), 5000.0),
        (40, 0, vec![DType::I32], 40.0),
        (2_147_483_647, 0, vec![DType::F32], 2_147_483_520.0),
        (20_000_001, -3, vec![DType::F32, DType::F64], 20_000_001.0),
        (i64::MAX, i64::MIN, vec![DType::I64], (1i64 << 53) as f64),
        (i64::MAX, i64::MIN, vec![DType::I32], 2_147_483_647.0),
    ] {
        let manifest = Manifest { max_position: most, min_position: least, position_dtypes: types.clone(), ..host() };
        for scheme in ["rope", "m-rope", "tad-rope"] {
            let (mut low, mut high) = (0.0f64, 0.0f64);
            for planned in maker.schedule("accuracy", scheme, Level::Rotate, &manifest).cases {
                assert!(types.contains(&planned.case.position_dtype));
                let (first, last) = maker.ends(&planned, &manifest);
                // The uneven batch is as it is; `Harness` does not send it where it is outside.
                if planned.band != "batch" {
                    assert!(first >= least as f64 && last <= most as f64, "{} {}", planned.band, planned.case);
                    (low, high) = (low.min(first), high.max(last));
                }
            }
            assert_eq!(high, reached, "{scheme} {types:?}");
            let deepest = if types == [DType::F32] { -2_147_483_520i64 } else { -2_147_483_647 };
            assert_eq!(low, least.max(deepest) as f64, "{scheme} {types:?}");
        }
    }
}

#[test]
fn the_bands_are_where_they_say() {
    let (maker, manifest) = (BandWorld::new(), host());
    for scheme in ["rope", "vrope"] {
        for planned in maker.schedule("accuracy", scheme, Level::Rotate, &manifest).cases {
            let (low, high) = maker.ends(&planned, &manifest);
            let inside = match planned.band.as_str() {
                "negative" => high < 0.0,
                "max" => low > 2_147_480_000.0,
                "2^24" => low > 16_777_000.0 && high < 16_778_000.0,
                "to-2^31" => low > 16_777_216.0,
                "fractional" => low.fract() != 0.0 && high.fract() != 0.0,
                other => other.split_once("..").is_none_or(|(from, to)| {
                    low >= from.parse().expect("a number") && high <= to.parse().expect("a number")
                }),
            };
            assert!(inside, "{low} to {high}: {} {}", planned.band, planned.case);
        }
    }
}

#[test]
fn a_far_layout_costs_its_window_only() {
    let maker = BandWorld::new();
    let manifest = fused(true);
    for (scheme, reached) in [("rope", 2_147_483_647.0), ("m-rope", 2_147_483_647.0), ("tad-rope", 2_147_483_646.0)] {
        let schedule = maker.schedule("accuracy", scheme, Level::Fused, &manifest);
        for planned in schedule.cases.iter().filter(|p| p.band != "16x8x8") {
            assert!(planned.case.tokens() < 600, "{}", planned.case);
        }
        let ends = schedule.cases.iter().filter(|p| p.band == "max").map(|p| maker.ends(p, &manifest).1);
        assert_eq!(ends.reduce(f64::max), Some(reached), "{scheme}");
    }
    let short = fused(false);
    let schedule = maker.schedule("accuracy", "rope", Level::Fused, &short);
    let (_, gaps) = bands(&schedule);
    assert!(gaps.contains("max") && gaps.contains("2^24") && gaps.contains("32768..131071"), "{gaps:?}");
    assert!(schedule.cases.iter().all(|p| p.case.window.is_none() && p.case.tokens() <= 8192));
    let near = Manifest { max_position: 4095, ..fused(false) };
    let schedule = maker.schedule("accuracy", "rope", Level::Fused, &near);
    let last = schedule.cases.iter().map(|p| maker.ends(p, &near).1).reduce(f64::max);
    assert_eq!(last, Some(4095.0));
}

/// The parameters of a model's heads say nothing of other ones: 20 pairs of an axis do not fit in heads of 32 channels.
#[test]
fn parameters_of_heads_go_with_them() {
    let world = BandWorld::new();
    let mut cached = host();
    cached.levels[0].1.consumes = vec![Consume::CosSinCache];
    for (level, manifest) in [(Level::Fused, fused(false)), (Level::Rotate, cached)] {
        for scheme in world.library.schemes().map(|scheme| scheme.id()).collect::<Vec<_>>() {
            for planned in world.schedule("accuracy", &scheme, level, &manifest).cases {
                if let Err(PrepareError::Wrong(why)) = world.prepared(&planned, &manifest) {
                    panic!("{}: {why}", planned.case);
                }
            }
        }
    }
}

#[test]
fn every_preset_is_used_and_there_are_few() {
    let (maker, manifest) = (BandWorld::new(), host());
    let seen = |level| {
        let presets = maker.with("rope", level, &manifest, |g| g.heads());
        let schedule = maker.schedule("accuracy", "rope", level, &manifest);
        for preset in &presets {
            let used = |p: &&Planned| {
                let case = &p.case;
                (case.head_dim, case.rotary, case.q_heads, case.k_heads)
                    == (preset.head_dim, preset.rotary, preset.q_heads, preset.k_heads)
            };
            assert!(schedule.cases.iter().any(|p| used(&p)), "{preset:?}");
        }
        presets
    };
    let presets = seen(Level::Rotate);
    assert!(presets.len() <= 12);
    let widths: BTreeSet<u32> = presets.iter().map(|p| p.rotary.map_or(p.head_dim, |(w, _)| w)).collect();
    assert_eq!(widths.into_iter().collect::<Vec<_>>(), [16, 32, 48, 64, 80, 96, 120, 128, 192, 256]);
    let of = |p: &super::heads::HeadPreset| p.parameters.iter().find(|(n, _)| n == "base").map(|(_, v)| v.clone());
    let bases: BTreeSet<String> = presets.iter().filter_map(of).map(|v| v.to_string()).collect();
    assert_eq!(bases.len(), 5, "{bases:?}");
    assert!(presets.iter().any(|p| p.k_heads == 0) && presets.iter().any(|p| p.q_heads % 2 == 1));
    assert!(presets.iter().any(|p| p.k_heads == 1 && p.q_heads > 1), "one key head for all");
    seen(Level::Apply);
}

#[test]
fn presets_fit_a_narrow_manifest() {
    let maker = BandWorld::new();
    let narrow = Manifest {
        head_dims: Integers::List(vec![64, 128]),
        q_heads: Integers::List(vec![8]),
        k_heads: Integers::List(vec![1, 8]),
        attention_scaling: false,
        directions: vec![1],
        ..host()
    };
    let widths = |manifest: &Manifest| -> BTreeSet<u32> {
        let presets = maker.with("rope", Level::Rotate, manifest, |g| g.heads());
        assert!(presets.iter().all(|p| p.q_heads == 8 && (p.k_heads == 1 || p.k_heads == 8)), "{presets:?}");
        presets.iter().map(|p| p.rotary.map_or(p.head_dim, |(w, _)| w)).collect()
    };
    // Widths inside of a head where that is allowed, whole heads alone where it is not.
    assert_eq!(widths(&narrow).into_iter().collect::<Vec<_>>(), [16, 32, 48, 64, 80, 96, 120, 128]);
    let whole = Manifest { partial_rotary: false, ..narrow.clone() };
    assert_eq!(widths(&whole).into_iter().collect::<Vec<_>>(), [64, 128]);
    let schedule = maker.schedule("accuracy", "rope", Level::Rotate, &narrow);
    assert!(schedule.cases.iter().all(|p| p.case.scaling.is_none() && p.case.direction == 1));
}

#[test]
fn the_scaling_of_a_case_is_in_the_truth_and_in_the_call() {
    let (maker, manifest) = (BandWorld::new(), host());
    let schedule = maker.schedule("accuracy", "rope", Level::Rotate, &manifest);
    let scaled = schedule.cases.iter().find(|p| p.case.scaling.is_some()).expect("some are scaled");
    let prepared = maker.prepared(scaled, &manifest).expect("it can be made");
    let crate::case::call::Call::Rotate { plan, .. } = &prepared.call else { panic!("level rotate") };
    assert_eq!(Some(plan.attention_scaling), scaled.case.scaling);
    assert_eq!(prepared.truth.map(|t| t.plan.attention_scaling), scaled.case.scaling);
}

#[test]
fn the_smallest_position_has_a_default() {
    let text = |consumes: &str, more: &str| {
        format!(
            r#"{{"name": "x", "version": "1", "levels": {{"rotate": {{"consumes": ["positions"{consumes}],
            "schemes": ["*"], "contract": {{"class": "fused", "frequencies": "table"}}}}}}, "dtypes": ["f32"],
            "position_dtypes": ["i64"], "head_dims": 64, "q_heads": 1, "k_heads": 1, "max_position": 99{more}}}"#
        )
    };
    let (schemes, contracts) = (BandWorld::new().library, crate::contract::contracts().expect("no mistakes"));
    let names = Vocabulary { schemes: &schemes, contracts: &contracts };
    let least = |consumes, more| Manifest::parse(&text(consumes, more), names).map(|m| m.min_position);
    assert_eq!(least("", ""), Ok(-99));
    assert_eq!(least(r#", "cos_sin_cache""#, ""), Ok(0));
    assert_eq!(least(r#", "cos_sin_cache""#, r#", "min_position": -5"#), Ok(-5));
    assert!(least("", r#", "min_position": 1"#).is_err_and(|e| e.to_string().contains("min_position")));
}

#[test]
fn tad_rope_steps_by_two() {
    let (maker, manifest) = (BandWorld::new(), host());
    assert_eq!(maker.with("tad-rope", Level::Rotate, &manifest, |g| g.text_step()), 2);
    assert_eq!(maker.with("rope", Level::Rotate, &manifest, |g| g.text_step()), 1);
}
