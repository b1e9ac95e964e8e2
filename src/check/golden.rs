//! `golden`: the committed cases, run on the backend, judged by the committed values and bounds.

mod make;
mod stored;
#[cfg(test)]
mod tests;

use super::definition::{Check, Docs};
use super::failure::{Authority, AxisAt, BoundSource, Cause, ElementError, Failure, Place, Stop};
use super::generator::Generator;
use super::harness::{Harness, Outputs};
use super::heads::HeadPreset;
use super::judge::{Element, Judge};
use super::measure::Measure;
use super::offers::layouts_refused;
use super::positions::measured::measure;
use super::positions::positions_exact::held;
use super::schedule::{NO_BAND, Schedule, Scheduler};
use crate::case::{Alias, Case, Consume, Level, PositionSource, Prepared, Tensor, Truth};
use crate::numeric::{Dd, Number};
use crate::spec::library::embedded_file;
use crate::spec::model::Scheme;

pub use make::{agree, agree_with, make, widths};
pub use stored::{
    CONTRACT, DTYPES, Expected, FORMAT, Golden, GoldenEntry, GoldenFiles, INPUTS, LAYOUT, OTHER_WIDTH, PAIRS,
    Provenance, SUMS, TOKENS, WIDTHS, Width, embedded, read, stored,
};

pub(super) struct GoldenCases;

/// Value of channels outside the rotary width.
const OUTSIDE: f64 = 1.0;

impl Check for GoldenCases {
    fn id(&self) -> &'static str {
        "golden"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "On the committed cases (one layout with text, a video and an image; heads of 64 and 128 rotated \
                        channels) positions are the committed ones and every output lies within the committed bound of \
                        its committed value.",
            formula: "|y' - value| <= bound, both from golden/tensors; positions equal; docs/golden.md",
            source: "golden/tensors, recorded from the specs and reviewed; SHA256SUMS",
            catches: "a kernel and a reference, a spec or a generator of ropecheck that became wrong together: nothing that is \
                      judged by is computed in this run",
            cannot_catch: "what few tokens at small positions do not show; a stored bound is that of fused/table, under \
                           other contracts the bound is computed by this program from the stored values, and said so",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &[Level::Positions, Level::Rotate, Level::Fused]
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if let Err(why) = usable(g) {
            return Schedule::nothing(why);
        }
        let mut s = Scheduler::new(g, self.id());
        if g.group.level == Level::Positions {
            let mut case = g.case(self.id(), vec![make::layout()], &HeadPreset::NONE, 0);
            (case.direction, case.alias) = (1, Alias::Out);
            s.plan(NO_BAND, case);
            return s.finish();
        }
        for (width, head_dim) in make::widths(g.scheme) {
            let band = format!("{width}-channels");
            match heads(g, head_dim) {
                Ok(heads) => {
                    let mut case = g.case(self.id(), vec![make::layout()], &heads, 0);
                    case.direction = 1;
                    s.plan(band, case);
                }
                Err(why) => s.gap(&band, why),
            }
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

/// Why a group has no golden cases.
fn usable(g: &Generator) -> Result<(), String> {
    built_in(g.scheme)?;
    if !g.parameters.is_empty() {
        return Err("golden cases have the default parameters, and --param sets others".into());
    }
    if !g.own_parameters().is_empty() {
        return Err("golden cases have the default parameters, which the manifest's parameters do not offer".into());
    }
    if let Some(why) = layouts_refused(g.manifest, g.group.level, &[make::layout()]) {
        return Err(format!("the golden cases have one layout, and it is not offered: {why}"));
    }
    if g.group.level == Level::Positions {
        return Ok(());
    }
    if !g.manifest.directions.contains(&1) {
        return Err("golden cases have direction 1".into());
    }
    if g.level.consumes(Consume::CosSin) || g.level.consumes(Consume::CosSinCache) {
        return Err("golden values are not those of cosines and sines that the suite rounded and supplied".into());
    }
    if g.manifest.max_tokens < TOKENS as i64 {
        return Err(format!("golden cases have {TOKENS} tokens, more than the manifest's max_tokens"));
    }
    Ok(())
}

/// Golden cases are about the schemes of this program alone, as they are.
fn built_in(scheme: &Scheme) -> Result<(), String> {
    if scheme.by_name {
        return Err("the scheme is judged by name, and no golden cases of such are kept".into());
    }
    let file = embedded_file(&format!("schemes/{}.yaml", scheme.name));
    match file {
        Ok(file) if stored::sha256(file.text.as_bytes()) == scheme.sha256 => Ok(()),
        Ok(_) => Err("the scheme was replaced, and the golden cases are those of the built-in one".into()),
        Err(_) => Err("the scheme is not built in, so it has no golden cases".into()),
    }
}

/// The smallest heads of this width, or with a part of it, that the backend takes: two query heads and a key head if it
/// can be.
///
/// # Errors
/// Why there are none.
fn heads(g: &Generator, width: u32) -> Result<HeadPreset, String> {
    let m = g.manifest;
    let narrow = |n: i64| u32::try_from(n).ok();
    let q_heads = m.q_heads.at_least(2).or(m.q_heads.at_least(1)).and_then(narrow).unwrap_or(1);
    let Some(k_heads) = g.key_heads(q_heads) else { return Err("the manifest offers no k_heads".into()) };
    let preset = |head_dim, rotary| HeadPreset { q_heads, k_heads, head_dim, rotary, parameters: Vec::new() };
    let wider = m.head_dims.at_least(i64::from(width) + 1).and_then(narrow).map(|dim| preset(dim, Some((width, 0))));
    let tried = || std::iter::once(preset(width, None)).chain(wider.clone());
    let none = || format!("no heads with so many rotated channels: {}", g.why_none(tried()));
    tried().find(|heads| g.fits(heads)).ok_or_else(none)
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let golden = stored().map_err(Stop::broken)?;
    let scheme = harness.scheme(case)?;
    built_in(scheme).map_err(Stop::not_judged)?;
    let entry = golden.schemes.get(&case.scheme);
    let entry = entry.ok_or_else(|| Stop::broken(format!("golden/tensors has no file of {}", case.scheme)))?;
    let plain = case.window.is_none() && !case.packed && case.scaling.is_none() && case.parameters.is_empty();
    if !plain
        || case.place != (PositionSource::Layout { shift: 0 })
        || case.layouts != [make::layout()]
        || case.direction != 1
    {
        return Err(Stop::not_judged("nothing is kept for this case: another layout, place, scaling or parameter"));
    }
    match case.level {
        Level::Positions => positions(case, harness, entry),
        _ => tensors(case, harness, golden, entry),
    }
}

fn positions(case: &Case, harness: &mut Harness, entry: &GoldenEntry) -> Result<Measure, Stop> {
    let axes = &harness.scheme(case)?.axes;
    let (rows, _) = measure(case, harness)?;
    let mut result = Measure::default();
    if let Some(row) = rows.first() {
        for (axis, (name, stated)) in axes.iter().zip(&entry.positions).enumerate() {
            let next = row.next.as_ref().and_then(|next| Some((next.get(axis)?.clone(), entry.next.get(axis)?)));
            let found = (0..TOKENS).map(|token| row.columns.get(axis).and_then(|column| column.get(token)));
            let tokens = found.zip(stated).enumerate();
            let layout = &case.layouts[0];
            let tokens = tokens.map(|(token, (found, wanted))| (Place::token(layout, token as u64), found, wanted));
            let next = next.map(|(found, wanted)| (Place::default(), Some(found), wanted));
            for (place, found, wanted) in tokens.chain(next) {
                let wanted = held(wanted, case.level, case.position_dtype);
                if found.as_ref() != Some(&wanted) {
                    let place = Place { axis: Some(AxisAt::named(name)), ..place };
                    let (expected, observed) = (wanted.to_string(), found.map(|n| n.to_string()));
                    let cause = Cause::WrongPosition { against: Authority::Golden, expected, observed };
                    return Err(Failure::at(place, cause).into());
                }
                result.add(0.0);
                result.observations += 1;
                result.largest = result.largest.max(Some(wanted.to_f64().floor() as i64));
            }
        }
    }
    Ok(result)
}

/// Heads hold the stored inputs turned by quarter turns: (a, b), (-b, a), (-a, -b), (b, -a). Turning by a quarter commutes
/// with every rotation and rounds nothing, so values and bounds follow exactly (docs/golden.md).
fn quarter_turn(head: usize, (first, second): (f64, f64)) -> (f64, f64) {
    match head % 4 {
        0 => (first, second),
        1 => (-second, first),
        2 => (-first, -second),
        _ => (second, -first),
    }
}

fn tensors(case: &Case, harness: &mut Harness, golden: &Golden, entry: &GoldenEntry) -> Result<Measure, Stop> {
    let dtype = DTYPES.iter().position(|d| *d == case.dtype).ok_or_else(|| Stop::not_judged("no such type is kept"))?;
    let prepared = harness.prepare(case)?;
    let Some(truth) = &prepared.truth else { return Err(Stop::broken("this level has no tensors")) };
    if truth.given.is_some() {
        return Err(Stop::not_judged("cosines and sines are supplied by the suite"));
    }
    let Some(kept) = entry.width(truth.pairs) else {
        return Err(Stop::not_judged(format!("nothing is kept for {} rotated channels", truth.rotary_dim)));
    };
    the_same_is_handed_over(case, truth, entry, kept)?;
    let (q, k) = inputs(case, &prepared, truth, golden, dtype);
    let outputs = harness.run(&prepared, q, k)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let stored = harness.contracts.contract(CONTRACT.0, CONTRACT.1);
    let declared = harness.backend.manifest().level(case.level).and_then(|level| level.contract(case.dtype));
    let declared = harness.contracts.in_force(case.dtype, declared);
    let comparison = GoldenComparison {
        golden,
        entry,
        kept: &kept.expected[dtype],
        dtype,
        contract: declared.map(ToString::to_string).unwrap_or_default(),
        // They are those of outputs that have the type of the inputs.
        stored_bounds: stored.as_ref() == Some(&judge.contract) && judge.types(0).output == case.dtype,
        judge,
    };
    comparison.judge(&outputs)
}

/// What ropecheck hands to the backend must be what the values were recorded from: a backend is not blamed for less.
fn the_same_is_handed_over(case: &Case, truth: &Truth, entry: &GoldenEntry, kept: &Width) -> Result<(), Stop> {
    let differs = |what: String| Err(Stop::broken(format!("{what} of {} is not the golden one", case.scheme)));
    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    if truth.plan.map_heads != 1 || truth.plan.axes(0) != kept.axis_of_pair {
        return differs("the axis map".into());
    }
    if bits(truth.plan.frequencies(0)) != bits(&kept.inv_freq) || truth.plan.attention_scaling != kept.scaling {
        return differs("a frequency or the attention scaling".into());
    }
    if truth.positions.len() != entry.positions.len() {
        return differs("the number of axes".into());
    }
    for (axis, (rows, stated)) in truth.positions.iter().zip(&entry.positions).enumerate() {
        let wanted: Vec<Dd> = stated.iter().map(|number| handed(case, number)).collect();
        if rows.as_slice() != [wanted] {
            return differs(format!("a position on axis {axis}"));
        }
    }
    Ok(())
}

/// A position as it is handed over, or has to be found.
fn handed(case: &Case, number: &Number) -> Dd {
    match case.level {
        Level::Rotate if case.position_dtype.is_float() => Dd::from_f64(case.position_dtype.round(number.to_f64())),
        _ => number.to_dd(),
    }
}

fn inputs(case: &Case, prepared: &Prepared, truth: &Truth, golden: &Golden, dtype: usize) -> (Tensor, Tensor) {
    let Some(qk) = prepared.call.qk() else { return Default::default() };
    let fill = |shape: [usize; 4], first_head: usize| {
        let mut tensor = Tensor::zeros(shape);
        for token in 0..shape[1].min(TOKENS) {
            for head in 0..shape[2] {
                let row = tensor.row_mut(0, token, head);
                row.fill(OUTSIDE);
                for pair in 0..truth.pairs {
                    let (a, b) =
                        crate::case::channels_of_pair(case.pairing, truth.rotary_dim, truth.rotary_offset, pair);
                    (row[a], row[b]) = quarter_turn(first_head + head, golden.input(dtype, token, pair));
                }
            }
        }
        tensor
    };
    (fill(qk.q.shape, 0), qk.k.map_or_else(Tensor::default, |k| fill(k.shape, qk.q_heads)))
}

struct GoldenComparison<'a> {
    golden: &'a Golden,
    entry: &'a GoldenEntry,
    kept: &'a Expected,
    dtype: usize,
    /// The contract in force.
    contract: String,
    /// Whether it is that of the stored bounds.
    stored_bounds: bool,
    judge: Judge<'a>,
}

impl GoldenComparison<'_> {
    fn judge(&self, outputs: &Outputs) -> Result<Measure, Stop> {
        let judge = &self.judge;
        let mut measure = Measure::default();
        if !self.stored_bounds {
            let why = format!("the stored bounds are those of {}/{}", CONTRACT.0, CONTRACT.1);
            measure.note(format!("{why}: that of {} was computed from the stored values", self.contract));
        } else if self.rounds_positions() {
            let dtype = judge.case.position_dtype;
            measure.note(format!("where {dtype} rounds a position the bound was computed from the stored values"));
        }
        for token in 0..judge.tokens().min(TOKENS) {
            for head in 0..judge.heads() {
                let input = judge.input_row(outputs, 0, token, head);
                let output = judge.output_row(outputs, 0, token, head);
                if let Some(channel) = judge.changed_outside(head, input, output) {
                    return Err(judge.not_preserved(Element { row: 0, token, head, channel }, input, output).into());
                }
                for pair in 0..judge.truth().pairs {
                    self.pair(outputs, (token, head, pair), &mut measure)?;
                }
            }
        }
        measure.largest = judge.largest_position();
        measure.observations = judge.observed_in(outputs);
        if judge.tokens() <= TOKENS {
            judge.record(&mut measure);
        }
        Ok(measure)
    }

    /// Judges the two outputs of a pair.
    fn pair(
        &self,
        outputs: &Outputs,
        (token, head, pair): (usize, usize, usize),
        measure: &mut Measure,
    ) -> Result<(), Box<Failure>> {
        let judge = &self.judge;
        let bound = judge.bound(0, token, head, pair);
        if bound.beyond_limit {
            judge.count_beyond(measure, 2);
            return Ok(());
        }
        let at = 2 * (token * judge.truth().pairs + pair);
        let two = |values: &[f64]| match values.get(at..at + 2) {
            Some([first, second]) => (*first, *second),
            _ => (f64::NAN, f64::NAN),
        };
        let (first, second) = quarter_turn(head, two(&self.kept.values));
        let rounded = self.rounded_position(token, head, pair);
        // Turning by so much more or less moves a value by at most this.
        let moved = |value: f64, partner: f64| rounded * partner.abs() + 0.5 * rounded * rounded * value.abs();
        let moves = (moved(first, second), moved(second, first));
        let allowed = if self.stored_bounds && rounded == 0.0 {
            let (first, second) = two(&self.kept.bounds);
            if head.is_multiple_of(2) { (first, second) } else { (second, first) }
        } else {
            let inputs = quarter_turn(head, self.golden.input(self.dtype, token, pair));
            // The bound grows with the values, so the largest ones that they can be give the largest bound.
            let (first, second) = (first.abs() + moves.0, second.abs() + moves.1);
            let of = |which, value, partner| bound.allowance(judge.types(head), which, inputs, value, partner).total();
            (of(false, first, second) + moves.0, of(true, second, first) + moves.1)
        };
        let found = judge.output_pair(outputs, 0, token, head, pair);
        let (a, b) = judge.channels(pair);
        for (channel, value, allowed, found) in [(a, first, allowed.0, found.0), (b, second, allowed.1, found.1)] {
            let ratio = (found - value).abs() / allowed;
            // Written so that a NaN is no pass.
            if !(found.is_finite() && ratio <= 1.0) {
                let element = Element { row: 0, token, head, channel };
                return Err(self.failure(element, value, found, allowed));
            }
            if ratio > measure.worst {
                measure.place = Some(judge.place(Element { row: 0, token, head, channel }));
            }
            measure.add(ratio);
        }
        Ok(())
    }

    /// By how much a pair's angle differs from the recorded one because the position was rounded to the type that it is
    /// handed over in. 0 for integers, and where the backend finds positions itself.
    fn rounded_position(&self, token: usize, head: usize, pair: usize) -> f64 {
        let (case, axis) = (self.judge.case, self.judge.axis(head, pair));
        let Some(number) = self.entry.positions.get(usize::from(axis)).and_then(|row| row.get(token)) else {
            return 0.0;
        };
        let (exact, handed) = (number.to_dd(), handed(case, number));
        let distance = ((handed.hi - exact.hi) + (handed.lo - exact.lo)).abs();
        // 2^-50 for the rounding of this product.
        distance * self.judge.frequency(head, pair) * (1.0 + 1.0 / (1u64 << 50) as f64)
    }

    fn failure(&self, element: Element, value: f64, found: f64, allowed: f64) -> Box<Failure> {
        let contract = self.contract.clone();
        let bound = if self.stored_bounds && !self.rounds_positions() {
            BoundSource::Golden { contract }
        } else {
            BoundSource::GoldenValues { contract }
        };
        let error = ElementError::new(self.judge.types(element.head).output, value, found, allowed, bound);
        Failure::at(self.judge.place(element), Cause::OutOfBound(Box::new(error)))
    }

    fn rounds_positions(&self) -> bool {
        let case = self.judge.case;
        self.entry.positions.iter().flatten().any(|number| handed(case, number) != number.to_dd())
    }
}
