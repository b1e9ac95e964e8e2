//! Temporal scaling: the distance between frames can be set without touching the distances inside a frame.

use crate::numeric::Number;
use crate::positions::sweep::Extent;
use crate::spec::Parameters;
use crate::spec::expr::{Expr, Name};
use crate::spec::model::{Scheme, Step};

use super::subject::{Subject, Video, videos};
use super::{Decision, PropertyError};

/// A declared parameter changes the step between frames and not the steps between cells of a frame.
pub(super) fn decide(subject: &Subject<'_>) -> Result<Decision, PropertyError> {
    let scheme = subject.scheme;
    // Several parameters are tried at several values: fewer grids are enough.
    let extent = if subject.extent == Extent::Full { Extent::Thin } else { subject.extent };
    let before = videos(scheme, subject.parameters, extent)?;
    let mut tried = Vec::new();
    for (index, parameter) in scheme.parameters.iter().enumerate() {
        let Some(value) = subject.parameters.by_index(index) else { continue };
        if !uses(scheme, Name::Param(index)) {
            continue;
        }
        for other in others(value)? {
            if parameter.check(&other).is_err() {
                continue;
            }
            let set = [(parameter.name.clone(), other.clone())];
            let changed: Parameters = subject.parameters.and(scheme, &set)?;
            let after = videos(scheme, &changed, extent)?;
            if let Some(moved) = scales(&before, &after)? {
                let name = &parameter.name;
                let evidence = format!("with {name} = {other} instead of {value} {moved}; steps inside a frame stay");
                return Ok(Decision::holds(evidence));
            }
        }
        tried.push(parameter.name.as_str());
    }
    let evidence = if tried.is_empty() {
        "no parameter enters the positions of a video".to_owned()
    } else {
        format!("no parameter changes the steps between frames alone (tried {})", tried.join(", "))
    };
    Ok(Decision { holds: false, witness: None, evidence })
}

/// Values to compare with.
fn others(value: &Number) -> Result<[Number; 3], PropertyError> {
    let two = Number::from_i64(2);
    Ok([value.add(&Number::ONE)?, value.mul(&two)?, value.div(&two)?])
}

/// Whether the rule for videos looks at a name.
fn uses(scheme: &Scheme, name: Name) -> bool {
    let rule = &scheme.video;
    let step = match &rule.step {
        Step::Advance(formulas) | Step::Next(formulas) => formulas,
    };
    let formulas = rule.lets.iter().map(|one| &one.formula).chain(&rule.axes).chain(step);
    formulas.into_iter().any(|formula: &Expr| formula.uses(name))
}

/// If only steps between frames differ: which one did first.
fn scales(before: &[Video], after: &[Video]) -> Result<Option<String>, PropertyError> {
    let mut moved = None;
    for (before, after) in before.iter().zip(after) {
        for cell in before.cells() {
            for (direction, size) in before.grid.iter().enumerate() {
                let mut neighbour = cell;
                neighbour[direction] += 1;
                if neighbour[direction] >= *size {
                    continue;
                }
                let (old, new) = (step(before, cell, neighbour)?, step(after, cell, neighbour)?);
                for (old, new) in old.iter().zip(&new) {
                    if old.compare(new).is_eq() {
                        continue;
                    }
                    if direction > 0 {
                        return Ok(None);
                    }
                    if moved.is_none() {
                        moved =
                            Some(format!("a step between frames of `{}` is {new} instead of {old}", before.layout()));
                    }
                }
            }
        }
    }
    Ok(moved)
}

fn step(video: &Video, from: [u32; 3], to: [u32; 3]) -> Result<Vec<Number>, PropertyError> {
    let (from, to) = (video.cell(from), video.cell(to));
    to.iter().zip(&from).map(|(to, from)| Ok(to.sub(from)?)).collect()
}
