//! Positions of a backend: asked for on level positions, read off the output on level fused.

use std::collections::HashMap;

use crate::case::call::{Call, PositionView};
use crate::case::{Case, Data, Level, Tensor};
use crate::check::failure::{AxisAt, Cause, Failure, Place, PositionRelation, Scalar, Stop};
use crate::check::harness::Harness;
use crate::check::judge::{Fit, Judge};
use crate::contract::PairBound;
use crate::numeric::{DType, Dd, Number};
use crate::positions::{Column, Positions};
use crate::rotation::NO_AXIS;
use crate::spec::model::Scheme;

/// Positions per axis, and what text goes on with, of one batch row.
pub(in crate::check) struct Measured {
    /// Axis by axis.
    pub(in crate::check) columns: Vec<Column>,
    /// Per axis, where the level says it.
    pub(in crate::check) next: Option<Vec<Number>>,
}

/// Positions of every batch row of a case, with those of the scheme.
pub(in crate::check) fn measure(case: &Case, harness: &mut Harness) -> Result<(Vec<Measured>, Vec<Positions>), Stop> {
    match case.level {
        Level::Positions => asked(case, harness),
        _ => decoded(case, harness),
    }
}

/// A token on an axis; no token is the text after the layout.
pub(in crate::check) fn place_on(case: &Case, row: usize, token: Option<u64>, axis: &str) -> Place {
    let place = match token {
        Some(token) => Place::token_of_row(&case.layouts, row, token),
        None => Place { row: (case.batch() > 1).then_some(row), ..Place::default() },
    };
    Place { axis: Some(AxisAt::named(axis)), ..place }
}

/// Positions of two calls that do not fit each other.
pub(super) fn disagree(at: Place, relation: PositionRelation, expected: &Number, observed: &Number) -> Stop {
    let (expected, observed) = (expected.to_string(), observed.to_string());
    Failure::at(at, Cause::PositionsDisagree { relation, expected, observed }).into()
}

/// Whether tokens `start..` that were asked for apart are where they are in the whole rows, and how many were compared.
pub(super) fn part_of_whole(
    case: &Case,
    axes: &[String],
    [whole, part]: [&[Measured]; 2],
    start: u64,
    count: u64,
) -> Result<u64, Stop> {
    let relation = PositionRelation::Chunk { start, end: start + count };
    let mut compared = 0;
    for (row, (whole, part)) in whole.iter().zip(part).enumerate() {
        for (axis, name) in axes.iter().enumerate() {
            let agree = |token: Option<u64>, wanted: &Number, found: &Number| {
                let disagree = || disagree(place_on(case, row, token, name), relation.clone(), wanted, found);
                if found == wanted { Ok(()) } else { Err(disagree()) }
            };
            for token in start..start + count {
                let at = |token: u64| usize::try_from(token).unwrap_or(usize::MAX);
                let both = (whole.columns[axis].get(at(token)), part.columns[axis].get(at(token - start)));
                let (Some(wanted), Some(found)) = both else {
                    return Err(Stop::broken("a token has no position"));
                };
                compared += 1;
                agree(Some(token), &wanted, &found)?;
            }
            // It belongs to the whole row, whichever tokens are asked for.
            if let (Some(wanted), Some(found)) = (&whole.next, &part.next) {
                agree(None, &wanted[axis], &found[axis])?;
            }
        }
    }
    Ok(compared)
}

/// The position at a place of a view.
///
/// # Errors
/// What lies there, if it is no position.
fn number_at(memory: &[u8], view: &PositionView, at: (usize, usize, usize)) -> Result<Number, Scalar> {
    let offset = view.at(at.0, at.1, at.2);
    let bytes = &memory[offset..offset + view.dtype.size()];
    match view.dtype {
        DType::I32 => Ok(Number::from_i64(i64::from(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])))),
        DType::I64 => {
            let mut long = [0u8; 8];
            long.copy_from_slice(bytes);
            Ok(Number::from_i64(i64::from_le_bytes(long)))
        }
        float => {
            let value = float.decode_at(bytes, 0);
            Number::from_f64(value).map_err(|_| Scalar(value))
        }
    }
}

fn asked(case: &Case, harness: &mut Harness) -> Result<(Vec<Measured>, Vec<Positions>), Stop> {
    let prepared = harness.prepare(case)?;
    let scheme = harness.scheme(case)?;
    harness.call(&prepared, &Tensor::default(), &Tensor::default())?;
    let Call::Positions { out, next, token_count, .. } = &prepared.call else {
        return Err(Stop::broken("not a call of level positions"));
    };
    let memory = harness.backend.memory();
    let start = case.window.map_or(0, |(start, _)| start);
    let mut rows = Vec::new();
    for row in 0..case.batch() {
        let mut columns = Vec::new();
        let mut after = Vec::new();
        for (axis, name) in scheme.axes.iter().enumerate() {
            let read = |view: &PositionView, index: usize, token: Option<u64>| {
                let unreadable =
                    |observed| Failure::at(place_on(case, row, token, name), Cause::NoPosition { observed });
                number_at(memory, view, (axis, row, index)).map_err(unreadable)
            };
            let mut column = Column::with_capacity(*token_count);
            for index in 0..*token_count {
                column.push(read(out, index, Some(start + index as u64))?);
            }
            columns.push(column);
            after.push(read(next, 0, None)?);
        }
        rows.push(Measured { columns, next: Some(after) });
    }
    Ok((rows, prepared.positions))
}

/// Reads positions off one-hot outputs: on each axis the number, of those near the scheme's, whose angles fit
/// all pairs.
fn decoded(case: &Case, harness: &mut Harness) -> Result<(Vec<Measured>, Vec<Positions>), Stop> {
    let case = Harness::with_data(case, Data::First);
    let scheme = harness.scheme(&case)?;
    let (prepared, outputs) = harness.execute(&case)?;
    let judge = Judge::new(harness, &case, &prepared)?;
    if judge.truth().plan.map_heads > 1 {
        return Err(Stop::not_judged("positions cannot be read off where the axis map differs per head"));
    }
    for (axis, name) in scheme.axes.iter().enumerate() {
        if (0..judge.truth().pairs).all(|i| usize::from(judge.axis(0, i)) != axis) {
            return Err(Stop::not_judged(format!("no pair turns with axis {name} at this head_dim")));
        }
    }
    let mut rows = Vec::new();
    for row in 0..case.batch() {
        let expected = &prepared.positions[row];
        let candidates = candidates(expected, scheme, case.tokens());
        let mut columns = Vec::new();
        for (axis, name) in scheme.axes.iter().enumerate() {
            let pairs: Vec<usize> =
                (0..judge.truth().pairs).filter(|i| usize::from(judge.axis(0, *i)) == axis).collect();
            let mut column = Column::with_capacity(judge.tokens());
            // Bounds by pair and candidate, the same for every token.
            let mut bounds: HashMap<(usize, usize), PairBound> = HashMap::new();
            for token in 0..judge.tokens() {
                // Where nothing is claimed, no number is refuted.
                let mut fits = |at: usize, position: Dd| {
                    pairs.iter().all(|pair| {
                        let bound = bounds.entry((*pair, at)).or_insert_with(|| judge.bound_at(0, *pair, position));
                        judge.fits_at(&outputs, (row, token, 0, *pair), bound) != Fit::No
                    })
                };
                let stated = expected.get(axis, expected.window().start + token as u64).unwrap_or(Number::ZERO);
                let mut found: Vec<&(Number, Dd)> = Vec::new();
                found.extend(candidates.iter().enumerate().filter(|(at, (_, p))| fits(*at, *p)).map(|(_, one)| one));
                if found.is_empty() {
                    let place = Place { axis: Some(AxisAt::named(name)), ..judge.token_place(row, token) };
                    return Err(Failure::at(place, Cause::NoPositionFits { expected: stated.to_string() }).into());
                }
                if found.len() > 1 {
                    return Err(Stop::not_judged(format!(
                        "in {} the pairs of axis {name} cannot tell position {} from {}",
                        case.dtype.name(),
                        found[0].0,
                        found[1].0
                    )));
                }
                column.push(found.swap_remove(0).0.clone());
            }
            columns.push(column);
        }
        rows.push(Measured { columns, next: None });
    }
    Ok((rows, prepared.positions))
}

/// Positions that are tried: those of the scheme, all whole numbers around them, and as far off in its own
/// fractions.
fn candidates(expected: &Positions, scheme: &Scheme, tokens: u64) -> Vec<(Number, Dd)> {
    const MARGIN: i64 = 40;
    let mut numbers: Vec<Number> = Vec::new();
    let (mut low, mut high) = (0i64, 0i64);
    for axis in 0..scheme.axes.len() {
        for token in expected.window().take(usize::try_from(tokens).unwrap_or(usize::MAX)) {
            let Some(number) = expected.get(axis, token) else { continue };
            let near = number.to_f64();
            low = low.min(near.floor() as i64);
            high = high.max(near.ceil() as i64);
            if !number.is_integer() && !numbers.contains(&number) {
                for step in -2..=2 {
                    if let Ok(neighbour) = number.add(&Number::from_i64(step))
                        && !numbers.contains(&neighbour)
                    {
                        numbers.push(neighbour);
                    }
                }
            }
        }
    }
    numbers.extend((low - MARGIN..=high + MARGIN).map(Number::from_i64));
    let mut all: Vec<(Number, Dd)> = numbers.into_iter().map(|n| (n.clone(), n.to_dd())).collect();
    all.sort_by(|a, b| a.1.hi.total_cmp(&b.1.hi));
    debug_assert!(NO_AXIS as usize >= scheme.axes.len());
    all
}
