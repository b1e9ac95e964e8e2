//! The control kernels, judged before anything else is believed.

use serde::Serialize;

use crate::backend::Backend;
use crate::backend::control::{Control, ControlKind};
use crate::case::Level;
use crate::check::{CATALOGUE, Check, Generator, Group, Verdict};
use crate::numeric::DType;
use crate::spec::model::Pairing;

use super::Context;

/// What became of one control kernel.
#[derive(Debug, Clone, Serialize)]
pub struct ControlResult {
    /// Such as `zero`.
    pub kernel: String,
    /// Whether it was judged as it must be.
    pub ok: bool,
    /// What happened, where it was not.
    pub why: String,
}

/// Judges the control kernels with check `accuracy` in every dtype on one scheme: known-good must pass, the others fail.
#[must_use]
pub fn controls(context: &Context, scheme: &str, seed: u64) -> Vec<ControlResult> {
    let Some(accuracy) = CATALOGUE.iter().find(|c| c.id() == "accuracy") else { return Vec::new() };
    let all = [ControlKind::KnownGood].into_iter().chain(ControlKind::BAD);
    all.map(|kind| {
        let mut result = ControlResult { kernel: kind.name().to_owned(), ok: true, why: String::new() };
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            if let Err(why) = one(context, *accuracy, scheme, seed, kind, dtype) {
                result = ControlResult { ok: false, why: format!("{}: {why}", dtype.name()), ..result };
            }
        }
        result
    })
    .collect()
}

fn one(
    context: &Context,
    check: &dyn Check,
    scheme: &str,
    seed: u64,
    kind: ControlKind,
    dtype: DType,
) -> Result<(), String> {
    let mut control = Control::new(kind);
    let manifest = control.manifest().clone();
    let scheme = context.library.get(scheme).map_err(|e| e.to_string())?;
    let level = manifest.level(Level::Rotate).ok_or("no level rotate")?;
    let generator = Generator {
        group: Group { scheme: scheme.id(), level: Level::Rotate, pairing: Pairing::Half, dtype },
        scheme,
        library: context.library,
        plans: &context.plans,
        manifest: &manifest,
        level,
        cases: 2,
        seed,
        parameters: &[],
    };
    let cases = check.schedule(&generator).cases;
    let mut failed = 0;
    let mut judged = 0;
    for planned in cases.iter().take(4) {
        let mut case = planned.case.clone();
        case.alias = crate::case::Alias::Out;
        if kind == ControlKind::Stale {
            // Its first answer is right; the same shapes with other contents must show it.
            control = Control::new(kind);
            let _ = check.judge(&case, &mut context.harness(&mut control));
            case.seed ^= 0x5a5a;
        }
        match check.judge(&case, &mut context.harness(&mut control)) {
            Verdict::Pass(_) => judged += 1,
            Verdict::Fail(failure) if kind == ControlKind::KnownGood => return Err(failure.summary),
            Verdict::Fail(_) => (judged, failed) = (judged + 1, failed + 1),
            Verdict::NotJudged(why) | Verdict::Broken(why) => return Err(why),
        }
    }
    match kind {
        _ if judged == 0 => Err("no case was judged".into()),
        ControlKind::KnownGood => Ok(()),
        _ if failed == judged => Ok(()),
        _ => Err(format!("passed {} of {judged} cases", judged - failed)),
    }
}
