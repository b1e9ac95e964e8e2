//! The grade of a backend: per level and storage type, the strictest class that it kept and the K that it needed.

use schemars::JsonSchema;
use serde::Serialize;

use super::result::CheckResult;
use crate::backend::Manifest;
use crate::case::Level;
use crate::check::GradeTally;
use crate::check::failure::Place;
use crate::contract::Types;
use crate::contract::{Contract, ContractTable};
use crate::numeric::DType;

/// The grade of one level in one storage type, over all schemes in which everything held.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Grade {
    /// Level.
    pub level: Level,
    /// Storage type.
    pub dtype: String,
    /// Schemes in which something failed: they are not graded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Class and way to frequencies that are declared.
    pub declared: String,
    /// The strictest class whose bound was kept everywhere.
    pub class: String,
    /// Classes that are the same arithmetic in this storage type.
    pub same_as: Vec<String>,
    /// Largest error / bound under that class.
    pub headroom: f64,
    /// Where that was.
    pub place: Option<Place>,
    /// Elements that were graded.
    pub elements: u64,
    /// The next stricter class, and where it was not kept.
    pub not: Option<NotKept>,
    /// The K that some element needs at least, in roundings of the angle's type.
    pub k: f64,
    /// What the contract allows there.
    pub k_declared: f64,
    /// Where that K is needed.
    pub k_place: Option<Place>,
}

/// A class whose bound was not kept.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NotKept {
    /// Its name.
    pub class: String,
    /// Where an element was outside.
    pub place: Option<Place>,
}

/// Grades of all levels and storage types with graded cases.
#[must_use]
pub fn grades(manifest: &Manifest, contracts: &ContractTable, results: &[CheckResult]) -> Vec<Grade> {
    let mut all = Vec::new();
    for (level, declared) in &manifest.levels {
        for dtype in &manifest.dtypes {
            let mut tally = GradeTally::default();
            let here = results.iter().filter(|r| r.level == *level && r.dtype == dtype.name());
            // What fails has no grade.
            let mut left_out: Vec<String> = Vec::new();
            for result in here.clone().filter(|r| r.totals().2 > 0) {
                if !left_out.contains(&result.scheme) {
                    left_out.push(result.scheme.clone());
                }
            }
            let held = here.filter(|r| !left_out.contains(&r.scheme));
            held.flat_map(|r| r.bands.values()).for_each(|b| tally.merge(&b.grade));
            let in_force = contracts.in_force(*dtype, declared.contract(*dtype));
            let contract = in_force.and_then(|d| d.resolve(contracts).ok());
            if let Some(contract) = contract {
                let graded = grade(*level, *dtype, &contract, contracts, &tally);
                all.extend(graded.map(|graded| Grade { left_out, ..graded }));
            }
        }
    }
    all
}

fn grade(
    level: Level,
    dtype: DType,
    declared: &Contract,
    contracts: &ContractTable,
    tally: &GradeTally,
) -> Option<Grade> {
    let kept = tally.classes.iter().position(|c| c.elements > 0 && c.worst <= 1.0)?;
    let class = &tally.classes[kept];
    let of = |name: &str| {
        let rule = if name == declared.class.name { Some(&declared.class) } else { contracts.class(name) };
        rule.map(|rule| Contract { class: rule.clone(), ..declared.clone() })
    };
    let own = of(&class.class);
    let same = |other: &str| {
        let (Some(a), Some(b)) = (&own, of(other)) else { return false };
        let key = |c: &Contract| {
            let class = &c.class;
            let angles = (class.angles, class.angle_unit, class.angle_roundings, class.angle_error);
            let trig = (class.trig_ulps, class.trig_error, class.trig_error_per_position);
            (Types::new(c, dtype), angles, trig)
        };
        key(a) == key(&b)
    };
    let same_as = tally.classes[kept + 1..].iter().filter(|c| same(&c.class)).map(|c| c.class.clone()).collect();
    let not = tally.classes[..kept].last().map(|c| NotKept { class: c.class.clone(), place: c.place.clone() });
    Some(Grade {
        level,
        dtype: dtype.name().to_owned(),
        left_out: Vec::new(),
        declared: format!("{}/{}", declared.class.name, declared.frequencies.name),
        class: class.class.clone(),
        same_as,
        headroom: class.worst,
        place: class.place.clone(),
        elements: class.elements,
        not,
        k: tally.k.k,
        k_declared: tally.k.allowed,
        k_place: tally.k.place.clone(),
    })
}
