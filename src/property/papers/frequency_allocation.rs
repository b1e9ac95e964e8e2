//! Frequency allocation: time gets the slow pairs.

use crate::rotation::PlanCache;
use crate::rotation::{HeadShape, NO_AXIS, PlanError, RotationPlan};
use crate::spec::HeadError;

use super::subject::{Role, Subject};
use super::{Decision, PropertyError};

/// Head widths that are tried; those that the scheme is not defined for are left out.
const HEAD_DIMS: [u32; 6] = [128, 64, 80, 96, 160, 256];

/// There is a temporal axis, there are other pairs, and each temporal pair is slower than every other pair.
pub(super) fn decide(subject: &Subject<'_>) -> Result<Decision, PropertyError> {
    let temporal = subject.axes(Role::Temporal);
    if temporal.is_empty() {
        let spatial = subject.axes(Role::Spatial);
        let witness = spatial.first().and_then(|&axis| subject.shown_by(axis)).cloned();
        let evidence = match subject.names(&spatial) {
            names if names.is_empty() => "no axis varies between frames".to_owned(),
            names => format!("there is no temporal axis; inside a frame vary: {names}"),
        };
        return Ok(Decision { holds: false, witness, evidence });
    }
    let plans = PlanCache::new();
    let mut tried = Vec::new();
    let mut refused: Option<PlanError> = None;
    for head_dim in HEAD_DIMS {
        let plan = match plans.plan(subject.scheme, subject.parameters, HeadShape::of_dim(head_dim)) {
            Ok(plan) => plan,
            Err(error @ PlanError { error: HeadError::Formula { .. }, .. }) => return Err(error.into()),
            Err(error) => {
                refused.get_or_insert(error);
                continue;
            }
        };
        if let Some(evidence) = problem(subject, &plan, &temporal) {
            let witness = temporal.first().and_then(|&axis| subject.shown_by(axis)).cloned();
            return Ok(Decision { holds: false, witness, evidence });
        }
        tried.push(head_dim.to_string());
    }
    match refused {
        Some(error) if tried.is_empty() => Err(error.into()),
        _ => {
            let axes = subject.names(&temporal);
            Ok(Decision::holds(format!("pairs of {axes} are the slowest at head_dim {}", tried.join(", "))))
        }
    }
}

/// A pair that rotates: its index, axis and frequency.
#[derive(Clone, Copy)]
struct FrequencyPair {
    index: usize,
    axis: usize,
    frequency: f64,
}

fn problem(subject: &Subject<'_>, plan: &RotationPlan, temporal: &[usize]) -> Option<String> {
    let pairs = plan.axis_of_pair.iter().zip(&plan.inv_freq).enumerate();
    // A pair without an axis, or with a frequency of 0, tells nothing apart.
    let turning = pairs.filter(|(_, (axis, frequency))| **axis != NO_AXIS && **frequency > 0.0);
    let turning = turning.map(|(at, (axis, frequency))| {
        let index = at % plan.pairs as usize;
        FrequencyPair { index, axis: usize::from(*axis), frequency: *frequency }
    });
    let (time, rest): (Vec<FrequencyPair>, Vec<FrequencyPair>) =
        turning.partition(|pair| temporal.contains(&pair.axis));
    let head_dim = plan.shape.head_dim;
    let fastest = time.iter().copied().reduce(|a, b| if b.frequency > a.frequency { b } else { a });
    let slowest = rest.iter().copied().reduce(|a, b| if b.frequency < a.frequency { b } else { a });
    let (Some(fastest), Some(slowest)) = (fastest, slowest) else {
        let which = if time.is_empty() { "no pair rotates" } else { "every pair rotates" };
        return Some(format!("at head_dim {head_dim} {which} with {}", subject.names(temporal)));
    };
    (fastest.frequency >= slowest.frequency).then(|| {
        format!(
            "at head_dim {head_dim} pair {} of axis {} turns at {:e}, no slower than pair {} of axis {} at {:e}",
            fastest.index,
            subject.names(&[fastest.axis]),
            fastest.frequency,
            slowest.index,
            subject.names(&[slowest.axis]),
            slowest.frequency
        )
    })
}
