//! Checks that need numbers: the axis map covers every pair at every width it is said to be defined for, each axis
//! rotates something, and frequencies have values.

use crate::numeric::Number;
use crate::spec::diagnostic::{Location, Sink, SpecError};
use crate::spec::expr::{Env, EvalError, Expr, Fold, Name};
use crate::spec::model::{AxisMap, PairRun, Scheme};
use crate::spec::resolve::{Widths, axis_of_groups, axis_of_pairs};

use super::parameters::check_value;

/// Largest head width and number of pairs that are tried.
const MAX_HEAD_DIM: usize = 1024;
const MAX_PAIRS: usize = 128;
/// Numbers of key/value heads that are tried for a map per head.
const MAX_HEADS: usize = 64;

/// Where the parts of a scheme stand.
pub(super) struct Places {
    pub axes: Location,
    pub axis_map: Location,
    pub frequencies: Location,
    pub parameters: Location,
    pub rotary_dim: Location,
    pub attention_scaling: Location,
    pub pairs: Location,
}

/// Runs all checks of this module.
pub(super) fn check(scheme: &Scheme, unrotated: &[usize], places: &Places, sink: &mut Sink) {
    let before = sink.len();
    let widths = reachable(scheme, places, sink);
    if sink.len() > before {
        return;
    }
    if widths.is_empty() {
        let message =
            format!("the axis map is defined for no width that `rotary_dim` gives (head_dim up to {MAX_HEAD_DIM})");
        sink.push(SpecError::new(&places.pairs, message));
        return;
    }
    let mut rotated = vec![false; scheme.axes.len()];
    for widths in &widths {
        if let Err(error) = covers(scheme, widths, &mut rotated) {
            let message = format!("the axis map does not fit R = {}: {error}", widths.rotary_dim / 2);
            let note = "say which R it is for, as in `pairs: {min: 4, multiple_of: 2}`, or give a run the `rest`";
            sink.push(SpecError::new(&places.axis_map, message).note(note));
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
    if let Some(widths) = widths.iter().find(|widths| widths.rotary_dim >= 16).or(widths.last()) {
        frequencies(scheme, widths, places, sink);
    }
}

/// One entry for each R that some head_dim leads to and the scheme is defined for.
fn reachable(scheme: &Scheme, places: &Places, sink: &mut Sink) -> Vec<Widths> {
    let mut all: Vec<Option<Widths>> = vec![None; MAX_PAIRS + 1];
    let mut any = false;
    // Positions' parameters first: `rotary_dim` may use them, and they do not need it.
    let mut early = Widths { head_dim: 0, rotary_dim: 0, q_heads: 1, k_heads: 1, parameters: Vec::new() };
    for parameter in &scheme.parameters {
        let value = if parameter.needs_plan { Ok(Number::zero()) } else { parameter.default.number(&early) };
        match value {
            Ok(value) => early.parameters.push(value),
            Err(error) => {
                sink.push(SpecError::new(&places.parameters, format!("a default has no value: {error}")));
                return Vec::new();
            }
        }
    }
    for head_dim in 2..=MAX_HEAD_DIM {
        let mut widths = Widths { head_dim, ..early.clone() };
        let Ok(value) = scheme.rotary_dim.number(&widths) else { continue };
        let Some(rotary_dim) = value.to_i64().and_then(|value| usize::try_from(value).ok()) else { continue };
        if rotary_dim < 2 || rotary_dim % 2 != 0 || rotary_dim > head_dim {
            continue;
        }
        any = true;
        let pairs = rotary_dim / 2;
        if pairs > MAX_PAIRS || !scheme.pairs.allow(pairs) || all[pairs].is_some() {
            continue;
        }
        widths.rotary_dim = rotary_dim;
        if let Err((name, error)) = widths.set_parameters(&scheme.parameters, &[]) {
            let message = format!("the default of `{name}` has no value at R = {pairs}: {error}");
            sink.push(SpecError::new(&places.parameters, message));
            return Vec::new();
        }
        for (parameter, value) in scheme.parameters.iter().zip(&widths.parameters) {
            if let Err(message) = check_value(parameter, value) {
                sink.push(SpecError::new(&places.parameters, format!("at R = {pairs}, {message}")));
                return Vec::new();
            }
        }
        all[pairs] = Some(widths);
    }
    if !any {
        let message = format!("`rotary_dim` gives no even width for any head_dim up to {MAX_HEAD_DIM}");
        sink.push(SpecError::new(&places.rotary_dim, message));
    }
    all.into_iter().flatten().collect()
}

fn covers(scheme: &Scheme, widths: &Widths, rotated: &mut [bool]) -> Result<(), String> {
    let mut note = |runs: &[PairRun]| -> Result<(), String> {
        for axis in axis_of_pairs(runs, widths).map_err(|error| error.to_string())?.into_iter().flatten() {
            rotated[axis] = true;
        }
        Ok(())
    };
    match &scheme.axis_map {
        AxisMap::Shared(runs) => note(runs),
        AxisMap::PerHead(groups) => {
            groups.iter().try_for_each(|group| note(&group.runs))?;
            let fits = |k_heads| axis_of_groups(groups, &Widths { k_heads, q_heads: k_heads, ..widths.clone() });
            if (1..=MAX_HEADS).any(|k_heads| fits(k_heads).is_ok()) {
                return Ok(());
            }
            Err(format!("the groups of heads fit no number of key/value heads up to {MAX_HEADS}"))
        }
    }
}

/// A pair, for its frequency.
struct Pair<'a> {
    widths: &'a Widths,
    i: usize,
    j: usize,
    n_axis: usize,
}

impl Env for Pair<'_> {
    fn value(&self, name: Name) -> Result<Number, EvalError> {
        let integer = |value: usize| i64::try_from(value).map(Number::from_i64).map_err(|_| EvalError::NoValue(name));
        match name {
            Name::PairI => integer(self.i),
            Name::PairJ => integer(self.j),
            Name::NAxisPairs => integer(self.n_axis),
            _ => self.widths.value(name),
        }
    }

    fn over_cells(&self, _fold: Fold, _inner: &Expr) -> Result<Number, EvalError> {
        Err(EvalError::NoCells)
    }
}

fn frequencies(scheme: &Scheme, widths: &Widths, places: &Places, sink: &mut Sink) {
    let pairs = widths.rotary_dim / 2;
    let maps: Vec<&[PairRun]> = match &scheme.axis_map {
        AxisMap::Shared(runs) => vec![runs],
        AxisMap::PerHead(groups) => groups.iter().map(|group| group.runs.as_slice()).collect(),
    };
    for runs in maps {
        let Ok(axes) = axis_of_pairs(runs, widths) else { continue };
        let mut seen = vec![0usize; scheme.axes.len()];
        for (i, axis) in axes.iter().enumerate() {
            let Some(axis) = *axis else { continue };
            let n_axis = axes.iter().filter(|other| **other == Some(axis)).count();
            let pair = Pair { widths, i, j: seen[axis], n_axis };
            seen[axis] += 1;
            let formula = scheme.inv_freq.get(axis).or(scheme.inv_freq.first());
            let wrong = match formula.map(|formula| formula.number(&pair)) {
                Some(Ok(value)) if value.cmp(&Number::zero()).is_lt() => {
                    Some(format!("{value}: expected a number from 0"))
                }
                Some(Err(error)) => Some(format!("no number: {error}")),
                _ => None,
            };
            if let Some(wrong) = wrong {
                let message = format!("inv_freq of pair {i} of {pairs} is {wrong}");
                sink.push(SpecError::new(&places.frequencies, message));
                return;
            }
        }
    }
    if let Err(error) = scheme.attention_scaling.number(widths) {
        sink.push(SpecError::new(&places.attention_scaling, format!("`attention_scaling` has no value: {error}")));
    }
}
