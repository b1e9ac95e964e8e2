//! Evidence that shares no code with ropecheck: positions printed by official code, and sines and cosines of an independent
//! arbitrary-precision program.

use serde::Serialize;

use crate::numeric::{Number, sincos};
use crate::plan::OfficialVector;
use crate::plan::invariants::verify::verify;
use crate::plan::{Checker, sweep};
use crate::spec::Library;

use super::result::SpecStatements;

const POINTS: &str = include_str!("../../golden/reference_points.txt");

/// How ropecheck itself fared against them.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Anchors {
    /// Official position vectors matched exactly.
    pub vectors: usize,
    /// Reference points within 2^-50.
    pub points: usize,
    /// What did not match.
    pub mismatches: Vec<String>,
}

/// Compares the specs with the official vectors, and the reference with the golden points.
#[must_use]
pub fn anchors(library: &Library) -> Anchors {
    let mut result = Anchors::default();
    match OfficialVector::all() {
        Ok(vectors) => {
            for vector in &vectors {
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
    result
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

/// Verifies what the schemes state about themselves, on small layouts. Judges the specs, not a backend.
#[must_use]
pub fn statements(library: &Library, schemes: &[String]) -> SpecStatements {
    let checker = Checker::new(library);
    let layouts = sweep::layouts(sweep::Extent::Small);
    let mut result = SpecStatements::default();
    for id in schemes {
        let Ok(scheme) = library.get(id) else { continue };
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
