//! Evidence that shares no code with ropecheck: positions printed by official code, and sines, cosines, frequencies and rotated
//! pairs of an independent arbitrary-precision program.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::check::golden;
use crate::contract::contracts;
use crate::numeric::{Number, sincos};
use crate::positions::OfficialVector;
use crate::positions::sweep;
use crate::property::Checker;
use crate::property::invariants::verify::verify;
use crate::rotation::{AccuracyPoint, HeadShape, RotationPlan};
use crate::spec::Library;
use crate::spec::Parameters;

const POINTS: &str = include_str!("../../golden/reference_points.txt");

/// How ropecheck itself fared against them.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Anchors {
    /// Official position vectors matched exactly.
    pub vectors: usize,
    /// Sines and cosines within 2^-50, and rotated pairs within the documented error of the reference.
    pub points: usize,
    /// Golden values and their bounds, of `golden/tensors/`, that this program computes too.
    pub golden: usize,
    /// What did not match.
    pub mismatches: Vec<String>,
}

/// How the specs' own statements fared.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct SpecStatements {
    /// Statements confirmed.
    pub confirmed: u64,
    /// Statements that are not true.
    pub refuted: Vec<String>,
}

/// Compares the specs with the official vectors, and the reference with the golden points. Vectors of schemes that are judged
/// by name are compared where one of `schemes` is theirs.
#[must_use]
pub fn anchors(library: &Library, schemes: &[String]) -> Anchors {
    let mut result = Anchors::default();
    match OfficialVector::all() {
        Ok(vectors) => {
            let wanted = |vector: &&OfficialVector| {
                let scheme = vector.scheme(library);
                scheme.map_or(true, |s| !s.by_name || schemes.contains(&s.id()))
            };
            for vector in vectors.iter().filter(wanted) {
                match vector.check(library) {
                    Ok(()) => result.vectors += 1,
                    Err(why) => result.mismatches.push(why.to_string()),
                }
            }
        }
        Err(why) => result.mismatches.push(why.to_string()),
    }
    for line in POINTS.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
        match point(line) {
            Some(true) => result.points += 1,
            _ => result.mismatches.push(format!("golden/reference_points.txt: {line}")),
        }
    }
    let mut frequencies = Frequencies { library, known: BTreeMap::new() };
    for point in AccuracyPoint::all() {
        match point.and_then(|point| point.check().and_then(|()| frequencies.check(&point))) {
            Ok(()) => result.points += 1,
            Err(why) => result.mismatches.push(format!("golden/accuracy_points.txt: {why}")),
        }
    }
    // Not evidence from elsewhere, but from before: what the reference and the bound said when they were looked at. The
    // narrow heads are enough at every start; tests/golden.rs holds all.
    let contracts = contracts().map_err(|errors| vec![errors.to_string()]);
    match contracts.and_then(|contracts| golden::agree_with(&golden::embedded(), &contracts, &golden::WIDTHS[..1])) {
        Ok(count) => result.golden = count,
        Err(mut why) => result.mismatches.append(&mut why),
    }
    result
}

/// The frequencies that the spec of plain RoPE gives a head.
struct Frequencies<'a> {
    library: &'a Library,
    known: BTreeMap<(i64, u32), Vec<f64>>,
}

impl Frequencies<'_> {
    /// Heads up to this width: a plan takes milliseconds, and this runs at every start. tests/laws/golden_accuracy.rs makes all.
    const WIDEST: u32 = 16;

    fn check(&mut self, point: &AccuracyPoint) -> Result<(), String> {
        if point.head_dim > Self::WIDEST {
            return Ok(());
        }
        let head = (point.base, point.head_dim);
        if !self.known.contains_key(&head) {
            let frequencies = self.frequencies(head).map_err(|why| format!("line {}: {why}", point.line))?;
            self.known.insert(head, frequencies);
        }
        let found = self.known.get(&head).and_then(|of_pairs| of_pairs.get(point.pair));
        if found == Some(&point.inv_freq) {
            return Ok(());
        }
        Err(format!("line {}: inv_freq of pair {} is {found:?}, not {:e}", point.line, point.pair, point.inv_freq))
    }

    fn frequencies(&self, (base, head_dim): (i64, u32)) -> Result<Vec<f64>, String> {
        let scheme = self.library.get("rope").map_err(|why| why.to_string())?;
        let base = [("base".to_owned(), Number::from_i64(base))];
        let parameters = Parameters::resolve(scheme, &base).map_err(|why| why.to_string())?;
        let plan = RotationPlan::new(scheme, &parameters, HeadShape::of_dim(head_dim));
        plan.map(|plan| plan.inv_freq).map_err(|why| why.to_string())
    }
}

/// One line: position, frequency bits, cosine, sine. `None` if it cannot be read.
fn point(line: &str) -> Option<bool> {
    const BOUND: f64 = 1.0 / (1u64 << 50) as f64;
    let mut fields = line.split_whitespace();
    let position = Number::parse(fields.next()?).ok()?;
    let frequency = f64::from_bits(u64::from_str_radix(fields.next()?.trim_start_matches("0x"), 16).ok()?);
    let (cos, sin) = (fields.next()?, fields.next()?);
    let found = sincos(position.to_dd(), frequency);
    // The decimals are nearer to the truth than 2^-53; reading them as f64 adds at most that.
    let near = |text: &str, value: f64| text.parse::<f64>().ok().map(|exact| (exact - value).abs() <= BOUND);
    Some(near(cos, found.cos)? && near(sin, found.sin)?)
}

/// Verifies what the schemes state about themselves. Those of a user are swept through all of [`sweep::Extent::Full`] and a
/// sample of what is beyond. Tests do that to the built-in ones, of which each gets a part of the sample here: this runs at
/// every start. Judges the specs, not a backend.
#[must_use]
pub fn statements(library: &Library, schemes: &[String]) -> SpecStatements {
    const PARTS: usize = 8;
    let checker = Checker::new(library);
    let mut result = SpecStatements::default();
    let sampled = sweep::sampled().unwrap_or_else(|error| {
        result.refuted.push(format!("no layouts to sample: {error}"));
        Vec::new()
    });
    let of = |extent, skip, step| {
        let part = sampled.iter().skip(skip).step_by(step).cloned();
        sweep::layouts(extent).into_iter().chain(part).collect::<Vec<_>>()
    };
    for (index, id) in schemes.iter().enumerate() {
        let Ok(scheme) = library.get(id) else { continue };
        let of_user = library.added().iter().any(|added| added.scheme == scheme.name);
        let layouts =
            if of_user { of(sweep::Extent::Full, 0, 1) } else { of(sweep::Extent::Small, index % PARTS, PARTS) };
        for verified in verify(&checker, scheme, &layouts) {
            if verified.finding.is_confirmed() {
                result.confirmed += 1;
            } else {
                result.refuted.push(format!("{id}: {} {}", verified.invariant, verified.finding));
            }
        }
    }
    result
}
