//! The control kernels, judged before anything else is believed.

use schemars::JsonSchema;
use serde::Serialize;

use super::context::{Context, Options};
use crate::backend::Backend;
use crate::backend::control::{Control, ControlKind};
use crate::case::{Alias, Level};
use crate::check::{CATALOGUE, Check, Failure, Group, Stop};
use crate::contract::ContractTable;
use crate::numeric::DType;
use crate::rotation::PlanCache;
use crate::spec::model::Pairing;

/// What became of one control kernel.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ControlResult {
    /// Such as `zero`.
    pub kernel: String,
    /// Why it was not judged as it must be; none if all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<ControlError>,
}

/// A control kernel that was not judged as it must be.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ControlError {
    /// Storage type.
    pub dtype: DType,
    /// What happened.
    #[serde(flatten)]
    pub what: ControlOutcome,
}

/// How a control kernel was judged.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum ControlOutcome {
    /// A good kernel failed.
    Failed {
        /// The failure.
        failure: Box<Failure>,
    },
    /// A bad kernel passed.
    Passed {
        /// Cases that passed.
        cases: usize,
        /// Cases that were judged.
        of: usize,
    },
    /// Nothing was concluded.
    NotJudged {
        /// Why not.
        why: String,
    },
}

/// Judges the control kernels with check `accuracy` in every dtype on one scheme: known-good must pass, the
/// others fail.
#[must_use]
pub fn controls(context: &Context, scheme: &str, seed: u64) -> Vec<ControlResult> {
    let Some(accuracy) = CATALOGUE.iter().find(|c| c.id() == "accuracy") else { return Vec::new() };
    // The control kernels keep their own contract.
    let own = ContractTable { overrides: Vec::new(), ..context.contracts.clone() };
    let plain = Context {
        library: context.library,
        contracts: &own,
        plans: PlanCache::new(),
        interrupted: context.interrupted,
    };
    let all = [ControlKind::KnownGood].into_iter().chain(ControlKind::BAD);
    all.map(|kind| {
        let wrong = [DType::F32, DType::F16, DType::BF16].into_iter().find_map(|dtype| {
            let what = one(&plain, *accuracy, scheme, seed, kind, dtype).err()?;
            Some(ControlError { dtype, what })
        });
        ControlResult { kernel: kind.name().to_owned(), wrong }
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
) -> Result<(), ControlOutcome> {
    let nothing = |why: &str| ControlOutcome::NotJudged { why: why.to_owned() };
    let mut control = Control::new(kind);
    let manifest = control.manifest().clone();
    let scheme = context.library.get(scheme).map_err(|e| nothing(&e.to_string()))?.id();
    let options = Options { cases: 2, seed, ..Options::default() };
    let group = Group { scheme, level: Level::Rotate, pairing: Pairing::Half, dtype };
    let generator = context.generator(&group, &manifest, &options).ok_or_else(|| nothing("no level rotate"))?;
    let cases = check.schedule(&generator).cases;
    let (mut failed, mut judged) = (0, 0);
    for planned in cases.iter().take(4) {
        let mut case = planned.case.clone();
        case.alias = Alias::Out;
        if kind == ControlKind::Stale {
            // Its first answer is right; the same shapes with other contents must show it.
            control = Control::new(kind);
            let _ = check.judge(&case, &mut context.harness(&mut control));
            case.seed ^= 0x5a5a;
        }
        match check.judge(&case, &mut context.harness(&mut control)) {
            Ok(_) => judged += 1,
            Err(Stop::Failed(failure)) if kind == ControlKind::KnownGood => {
                return Err(ControlOutcome::Failed { failure });
            }
            Err(Stop::Failed(_)) => (judged, failed) = (judged + 1, failed + 1),
            Err(Stop::NotJudged(why) | Stop::Broken(why)) => return Err(nothing(&why)),
            Err(Stop::Owed(owed)) => return Err(nothing(owed.why)),
            Err(Stop::NotRun(error)) => return Err(nothing(&error.why)),
        }
    }
    match kind {
        _ if judged == 0 => Err(nothing("no case was judged")),
        ControlKind::KnownGood => Ok(()),
        _ if failed == judged => Ok(()),
        _ => Err(ControlOutcome::Passed { cases: judged - failed, of: judged }),
    }
}
