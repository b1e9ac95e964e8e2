//! Checks that need numbers: the axis map covers every pair at every width it is said to be defined for, each axis
//! rotates something, and frequencies have values.

use crate::spec::diagnostic::{Location, Sink, SpecError};
use crate::spec::heads::{HeadError, HeadShape, HeadSizes, NO_AXIS, rotary_dim};
use crate::spec::model::{AxisMap, PairRun, Scheme};
use crate::spec::parameters::Parameters;

/// Largest head width and number of pairs that are tried.
const MAX_HEAD_DIM: u32 = 1024;
const MAX_PAIRS: usize = 128;
/// Numbers of key/value heads that are tried for a map per head.
const MAX_HEADS: u32 = 64;

/// Where the parts of a scheme stand.
pub(super) struct SchemePlaces {
    pub axes: Location,
    pub axis_map: Location,
    pub frequencies: Location,
    pub parameters: Location,
    pub rotary_dim: Location,
    pub attention_scaling: Location,
    pub pairs: Location,
}

/// Runs all checks of this module.
pub(super) fn check(scheme: &Scheme, unrotated: &[usize], places: &SchemePlaces, sink: &mut Sink) {
    let parameters =
        Parameters::defaults(scheme).map_err(|error| SpecError::new(&places.parameters, error.to_string()));
    let Some(parameters) = sink.take(parameters) else { return };
    let Some(all) = sink.take(reachable(scheme, &parameters, places)) else { return };
    let mut rotated = vec![false; scheme.axes.len()];
    for sizes in &all {
        if let Err(error) = covers(&scheme.axis_map, sizes, &mut rotated) {
            let note = "say which R it is for, as in `pairs: {min: 4, multiple_of: 2}`, or give a run the `rest`";
            sink.push(SpecError::new(&places.axis_map, error.to_string()).note(note));
            return;
        }
    }
    for (at, axis) in scheme.axes.iter().enumerate() {
        let declared = unrotated.contains(&at);
        if !rotated[at] && !declared {
            let note = format!("leave it out, or say `unrotated: [{axis}]`");
            sink.push(SpecError::new(&places.axes, format!("the axis `{axis}` rotates no pair")).note(note));
        } else if rotated[at] && declared {
            sink.push(SpecError::new(
                &places.axes,
                format!("the axis `{axis}` is said to be unrotated, but rotates pairs"),
            ));
        }
    }
    // Frequencies are slow to evaluate exactly; one middling width finds a formula that has no value.
    if let Some(sizes) = all.iter().find(|sizes| sizes.pairs() >= 8).or(all.last()) {
        let rows = runs(&scheme.axis_map).into_iter().map(|runs| sizes.row(runs)).collect::<Result<Vec<_>, _>>();
        let frequencies = rows.and_then(|rows| sizes.frequencies(&rows));
        sink.take(frequencies.map_err(|error| SpecError::new(&places.frequencies, error.to_string())));
        let scaling = sizes.attention_scaling();
        sink.take(scaling.map_err(|error| SpecError::new(&places.attention_scaling, error.to_string())));
    }
}

/// The map of all heads, or of each group.
fn runs(map: &AxisMap) -> Vec<&[PairRun]> {
    match map {
        AxisMap::Shared(runs) => vec![runs],
        AxisMap::PerHead(groups) => groups.iter().map(|group| group.runs.as_slice()).collect(),
    }
}

/// One entry for each R that some head_dim leads to and the scheme is defined for, at least one.
fn reachable<'a>(
    scheme: &'a Scheme,
    parameters: &'a Parameters,
    places: &SchemePlaces,
) -> Result<Vec<HeadSizes<'a>>, SpecError> {
    let mut all: Vec<Option<HeadSizes<'a>>> = vec![None; MAX_PAIRS + 1];
    let mut any = false;
    for head_dim in 2..=MAX_HEAD_DIM {
        let Some(rotary_dim) = rotary_dim(scheme, parameters, head_dim) else { continue };
        any = true;
        let pairs = rotary_dim as usize / 2;
        if pairs <= MAX_PAIRS && scheme.pairs.allow(pairs) && all[pairs].is_none() {
            let sizes = HeadSizes::new(scheme, parameters, HeadShape::of_dim(head_dim));
            all[pairs] =
                Some(sizes.map_err(|error| SpecError::new(&places.parameters, format!("at R = {pairs}: {error}")))?);
        }
    }
    if !any {
        let message = format!("`rotary_dim` gives no even width for any head_dim up to {MAX_HEAD_DIM}");
        return Err(SpecError::new(&places.rotary_dim, message));
    }
    let all: Vec<HeadSizes<'a>> = all.into_iter().flatten().collect();
    if all.is_empty() {
        let message =
            format!("the axis map is defined for no width that `rotary_dim` gives (head_dim up to {MAX_HEAD_DIM})");
        return Err(SpecError::new(&places.pairs, message));
    }
    Ok(all)
}

/// Whether the map covers every pair; notes the axes that it names.
fn covers(map: &AxisMap, sizes: &HeadSizes<'_>, rotated: &mut [bool]) -> Result<(), HeadError> {
    for runs in runs(map) {
        for axis in sizes.row(runs)?.into_iter().filter(|axis| *axis != NO_AXIS) {
            rotated[usize::from(axis)] = true;
        }
    }
    if matches!(map, AxisMap::Shared(_)) || (1..=MAX_HEADS).any(|heads| sizes.with_heads(heads).rows().is_ok()) {
        return Ok(());
    }
    Err(sizes.misfit(&format!("the groups of heads fit no number of key/value heads up to {MAX_HEADS}")))
}
