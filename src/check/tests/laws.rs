//! The group laws and the metamorphic checks: honest kernels pass them, and each fails a kernel that breaks it.

use super::bent::{Bent, BentFound, each_output, each_position, judged, plan_of, verdict};
use crate::case::Level;
use crate::case::call::Call;
use crate::check::Stop;
use crate::numeric::DType;
use crate::report::words;

pub(super) const TYPES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];
pub(super) const LAWS: [&str; 7] =
    ["composition", "inverse", "pair-norm", "identity-at-zero", "linearity", "axis-locality", "axis-sensitivity"];

/// Every case on level rotate passes as it is, and some case fails with the defect, in every type; `says` is in the failure.
pub(super) fn kills(id: &str, scheme: &str, says: &str, bent: impl Fn() -> Bent) {
    for dtype in TYPES {
        let honest = judged(id, scheme, Level::Rotate, dtype, &mut Bent::straight());
        assert!(honest.failed == 0 && honest.passed > 0, "{id} {scheme} {dtype}: {}", honest.why);
        let found = judged(id, scheme, Level::Rotate, dtype, &mut bent());
        assert!(found.failed > 0, "{id} {scheme} {dtype} does not see its defect");
        assert!(found.why.contains(says), "{id} {dtype}: {}", found.why);
    }
}

/// Honest on every level that the check has. (Honest kernels of other classes run through all checks in tests/laws/emulated.rs.)
pub(super) fn honest(ids: &[&str], scheme: &str) {
    for id in ids {
        let check = super::CATALOGUE.iter().find(|c| c.id() == *id).expect("in the catalogue");
        for level in check.levels() {
            for dtype in TYPES {
                let found = judged(id, scheme, *level, dtype, &mut Bent::straight());
                assert_eq!(found.failed, 0, "{id} {scheme} {level} {dtype}: {}", found.why);
                assert!(found.passed > 0 || found.gaps > 0, "{id} {scheme} {level} {dtype}: {:?}", found.not_judged);
            }
        }
    }
}

#[test]
fn honest_kernels_keep_the_laws_on_every_level() {
    for scheme in ["m-rope", "vrope", "rope", "videorope@paper", "rope-tie", "rope@yarn"] {
        honest(&LAWS, scheme);
    }
}

#[test]
fn composition_sees_positions_kept_from_the_call_before() {
    kills("composition", "m-rope", "second of two calls", || {
        let mut kept: Option<(usize, Vec<u8>)> = None;
        Bent::before(move |call, memory| {
            let Call::Rotate { positions, qk, scheme, .. } = call else { return };
            let bytes = positions.dtype.size() * positions.stride[0] * scheme.axes.len();
            let here = &mut memory[positions.offset..][..bytes];
            // As a table would be that is made anew only when the number of tokens changes.
            match &kept {
                Some((tokens, old)) if *tokens == qk.tokens => here.copy_from_slice(old),
                _ => kept = Some((qk.tokens, here.to_vec())),
            }
        })
    });
}

#[test]
fn inverse_sees_a_backward_pass_that_turns_forward() {
    kills("inverse", "m-rope", "turned back", || Bent::before(|call, _| plan_of(call).direction = 1));
}

#[test]
fn inverse_is_not_judged_where_there_is_one_direction() {
    let mut one_way = Bent::straight().declaring(|m| m.directions = vec![1]);
    let found = judged("inverse", "m-rope", Level::Rotate, DType::F32, &mut one_way);
    assert_eq!((found.passed, found.failed, found.gaps), (0, 0, 1));
}

#[test]
fn pair_norm_sees_outputs_that_shrink() {
    kills("pair-norm", "m-rope", "squared length", || {
        Bent::after(|call, memory| each_output(call, memory, |v| 0.97 * v))
    });
}

/// Sines and cosines of large angles that are no pair: what a range reduction leaves that was made for small ones. Accuracy
/// takes it for an angle that has no precision left.
#[test]
fn pair_norm_sees_far_out_what_accuracy_cannot() {
    let bad_reduction = || {
        Bent::after(|call, memory| {
            let Some(qk) = call.qk() else { return };
            super::bent::each_row(&qk.q_out, memory, |_, row| row[1] *= 0.9);
        })
    };
    for dtype in TYPES {
        let line = |check: &str| {
            format!(
                "{check},scheme=m-rope,level=rotate,dtype={dtype},pairing=half,layout=text:6,\
                 random=1000000000..2000000000,positions=i64,heads=3/1,head-dim=32,memory=packed,alias=out,data=uniform,\
                 seed=7"
            )
        };
        let norm = verdict(&line("pair-norm"), &mut bad_reduction());
        assert!(
            matches!(&norm, Err(Stop::Failed(f)) if words::message(f)[1].contains("without any error of the angle")),
            "{norm:?}"
        );
        assert!(verdict(&line("accuracy"), &mut bad_reduction()).is_ok(), "{dtype}");
        assert!(verdict(&line("pair-norm"), &mut Bent::straight()).is_ok(), "{dtype}");
    }
}

#[test]
fn identity_at_zero_sees_positions_that_start_at_one() {
    kills("identity-at-zero", "vrope", "position 0 must give back", || {
        Bent::before(|call, memory| each_position(call, memory, |axis, old| old[axis] + 1.0))
    });
}

/// One unit in the last place is within every bound and still wrong here.
#[test]
fn identity_at_zero_is_exact() {
    let last_place = || {
        Bent::after(|call, memory| {
            let dtype = call.qk().expect("tensors").q.dtype;
            each_output(call, memory, |v| v + 2.0 * dtype.half_ulp(v) * f64::from(u8::from(v.abs() > 1.0)));
        })
    };
    kills("identity-at-zero", "m-rope", "nothing to round", last_place);
}

#[test]
fn linearity_sees_fixed_point_and_clipping() {
    kills("linearity", "m-rope", "inputs times", || {
        Bent::after(|call, memory| each_output(call, memory, |v| (v * 16.0).round() / 16.0))
    });
    kills("linearity", "m-rope", "inputs times", || {
        Bent::after(|call, memory| each_output(call, memory, |v| v.clamp(-5.0, 5.0)))
    });
}

#[test]
fn linearity_does_not_judge_bits_that_change_by_themselves() {
    let mut calls = 0u64;
    let mut restless = Bent::after(move |call, memory| {
        calls += 1;
        let dtype = call.qk().expect("tensors").q.dtype;
        let step = f64::from(u8::from(calls.is_multiple_of(2)));
        each_output(call, memory, |v| v + 2.0 * step * dtype.half_ulp(v));
    });
    let BentFound { passed, failed, not_judged, .. } =
        judged("linearity", "rope", Level::Rotate, DType::F32, &mut restless);
    assert_eq!((passed, failed, not_judged.len()), (0, 0, 2));
}

#[test]
fn axes_that_leak_or_are_mixed_up_are_seen() {
    let leaks = || {
        Bent::before(|call, memory| {
            each_position(call, memory, |axis, old| old[axis] + if axis == 0 { 0.0 } else { old[0] });
        })
    };
    let swapped = || {
        Bent::before(|call, memory| {
            each_position(call, memory, |axis, old| old[[0, 2, 1][axis]]);
        })
    };
    let first_for_all = || Bent::before(|call, memory| each_position(call, memory, |_, old| old[0]));
    kills("axis-locality", "m-rope", "positions of other axes", leaks);
    kills("axis-locality", "m-rope", "positions of other axes", swapped);
    kills("axis-sensitivity", "m-rope", "must change by", swapped);
    kills("axis-sensitivity", "m-rope", "must change by", first_for_all);
}

#[test]
fn axes_are_compared_on_fused_too() {
    let swapped = || Bent::before(|call, memory| each_position(call, memory, |axis, old| old[[0, 2, 1][axis]]));
    for dtype in TYPES {
        for id in ["axis-locality", "axis-sensitivity"] {
            let found = judged(id, "m-rope", Level::Fused, dtype, &mut swapped());
            assert!(found.failed > 0, "{id} {dtype}: {:?}", found.not_judged);
        }
    }
}
