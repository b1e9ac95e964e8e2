//! Special values: honest kernels keep NaN in its pair, subnormals and the ends of the range; each check fails its defect.

use super::bent::{Bent, each_output, each_row, judged, verdict};
use super::laws::{TYPES, honest, kills};
use crate::case::{Consume, Level};
use crate::check::Stop;
use crate::numeric::DType;

const SPECIAL: [&str; 3] = ["nan-stays-in-its-pair", "subnormals", "overflow"];

#[test]
fn honest_kernels_take_special_values_on_every_level() {
    for scheme in ["m-rope", "vrope", "videorope@paper", "rope@yarn"] {
        honest(&SPECIAL, scheme);
    }
}

/// A sum over a head that multiplies what it does not need by zero.
#[test]
fn a_leaking_nan_is_seen() {
    kills("nan-stays-in-its-pair", "m-rope", "NaN and infinities", || {
        Bent::after(|call, memory| {
            let Some(qk) = call.qk() else { return };
            each_row(&qk.q_out, memory, |_, row| {
                let nothing: f64 = row.iter().map(|v| 0.0 * v).sum();
                row.iter_mut().for_each(|v| *v += nothing);
            });
        })
    });
}

/// A vector of four lanes of which one decides for all.
#[test]
fn a_nan_that_reaches_its_neighbours_is_seen() {
    kills("nan-stays-in-its-pair", "vrope", "", || {
        Bent::after(|call, memory| {
            let Some(qk) = call.qk() else { return };
            each_row(&qk.q_out, memory, |_, row| {
                for lanes in row.chunks_exact_mut(4) {
                    if lanes.iter().any(|v| v.is_nan()) {
                        lanes.fill(f64::NAN);
                    }
                }
            });
        })
    });
}

/// Padding that is cleaned on the way, in the whole pair or only where it is.
#[test]
fn a_nan_or_an_infinity_that_becomes_a_number_is_seen() {
    type IsCleaned = fn(f64) -> bool;
    let cleaned: [(IsCleaned, &str); 2] = [(f64::is_nan, "holds NaN"), (f64::is_infinite, "infinite or NaN")];
    for (is_cleaned, evidence) in cleaned {
        kills("nan-stays-in-its-pair", "m-rope", evidence, || {
            Bent::before(move |call, memory| {
                let Some(qk) = call.qk() else { return };
                for tensor in [Some(&qk.q), qk.k.as_ref()].into_iter().flatten() {
                    each_row(tensor, memory, |_, row| {
                        row.iter_mut().filter(|v| is_cleaned(**v)).for_each(|v| *v = 0.0);
                    });
                }
            })
        });
    }
}

#[test]
fn flushing_is_seen_unless_it_is_declared() {
    let flushing = || {
        Bent::after(|call, memory| {
            let least = call.qk().expect("tensors").q.dtype.min_normal();
            each_output(call, memory, |v| if v.abs() < least { 0.0 } else { v });
        })
    };
    kills("subnormals", "m-rope", "keeps subnormals", flushing);
    for dtype in TYPES {
        let mut declared = flushing().declaring(|m| {
            for (_, level) in &mut m.levels {
                level.contracts.iter_mut().for_each(|(_, contract)| contract.class = "fast".into());
            }
        });
        let found = judged("subnormals", "m-rope", Level::Rotate, dtype, &mut declared);
        assert!(found.failed == 0 && found.passed > 0, "{dtype}: {}", found.why);
    }
}

#[test]
fn saturation_and_invented_infinities_are_seen() {
    kills("overflow", "m-rope", "largest number", || {
        Bent::after(|call, memory| {
            let most = call.qk().expect("tensors").q.dtype.max_finite();
            each_output(call, memory, |v| if v.is_infinite() { most.copysign(v) } else { v });
        })
    });
    kills("overflow", "m-rope", "infinite", || {
        Bent::after(|call, memory| {
            let most = call.qk().expect("tensors").q.dtype.max_finite();
            each_output(call, memory, |v| if v.abs() > most / 4.0 { v * f64::INFINITY } else { v });
        })
    });
}

/// Both kinds of elements are there: some that honestly overflow, and some that are judged.
#[test]
fn overflow_reaches_the_end_of_the_range() {
    for dtype in TYPES {
        let found = judged("overflow", "m-rope", Level::Rotate, dtype, &mut Bent::straight());
        assert!(found.range_not_judged > 20 && found.elements > found.range_not_judged, "{dtype}: {found:?}");
    }
}

/// Where the suite hands over cosines and sines there is no axis to judge, and that is said.
#[test]
fn axes_are_not_judged_where_trig_is_given() {
    let mut given = Bent::straight().declaring(|m| {
        for (level, declared) in &mut m.levels {
            if *level == Level::Rotate {
                declared.consumes = vec![Consume::CosSin];
            }
        }
    });
    for id in ["axis-locality", "axis-sensitivity"] {
        let found = judged(id, "m-rope", Level::Rotate, DType::F32, &mut given);
        assert_eq!((found.passed, found.failed, found.gaps), (0, 0, 1), "{id}");
    }
}

/// Found by fuzzing manifests: layouts of checks have as many tokens as they like, the manifest has the last word.
#[test]
fn no_call_has_more_tokens_than_the_manifest_allows() {
    for id in ["superposition", "accuracy", "inverse", "in-place", "composition"] {
        let narrow =
            Bent::before(|call, _| assert!(call.qk().is_none_or(|qk| qk.tokens <= 3), "{} tokens", qk_tokens(call)));
        let found = judged(id, "m-rope", Level::Rotate, DType::F32, &mut narrow.declaring(|m| m.max_tokens = 3));
        assert_eq!(found.failed, 0, "{id}: {}", found.why);
        assert!(found.not_judged.iter().any(|why| why.contains("max_tokens")), "{id}: {:?}", found.not_judged);
    }
}

fn qk_tokens(call: &crate::case::call::Call) -> usize {
    call.qk().map_or(0, |qk| qk.tokens)
}

/// Found by fuzzing: inputs at the end of the range, whose sum overflows although both halves of it do not.
#[test]
fn superposition_grants_honest_overflow() {
    for (dtype, seed) in [("f32", "7373"), ("f16", "1"), ("bf16", "2")] {
        let line = format!(
            "superposition,scheme=rope@default,level=rotate,dtype={dtype},pairing=half,layout=text:9//text:8+text:1//text:9,\
             span=-2140114060..1936946035,positions=f32,heads=6/1,head-dim=2,direction=-1,data=overflow,seed={seed}"
        );
        match verdict(&line, &mut Bent::straight()) {
            Ok(measure) => assert!(measure.range_not_judged > 0, "{dtype}: nothing overflowed"),
            other => panic!("{dtype}: {other:?}"),
        }
        // A NaN is granted to nobody.
        let mut invents =
            Bent::after(|call, memory| each_output(call, memory, |v| if v.abs() < 1.0 { v } else { f64::NAN }));
        assert!(matches!(verdict(&line, &mut invents), Err(Stop::Failed(_))), "{dtype}");
    }
}
