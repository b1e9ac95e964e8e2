//! What a spec states about itself against what its layouts show, and what it leaves out.

use std::fmt;
use std::sync::Arc;

use crate::positions::Layout;
use crate::positions::sweep::{self, Extent};
use crate::spec::diagnostic::{SourceFile, SpecErrors};
use crate::spec::model::Scheme;
use crate::spec::{Library, yaml};

use super::invariants::Checker;
use super::invariants::verify::{Verification, Verified, verify};

/// A statement that a scheme must make, and does not.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// Id of the invariant.
    pub invariant: String,
    /// What the layouts show.
    pub finding: Verification,
}

impl Missing {
    /// The value of its key in YAML; `None` if nothing was found out.
    #[must_use]
    pub fn proposal(&self) -> Option<String> {
        match &self.finding {
            Verification::Holds { .. } => Some("holds".to_owned()),
            Verification::Refuted { layout, .. } => Some(format!("{{fails: \"{layout}\"}}")),
            _ => None,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.finding {
            Verification::Holds { layouts } => write!(f, "is not stated; it holds on all {layouts} layouts tried"),
            Verification::Refuted { layout, violation } => {
                write!(f, "is not stated; it fails on `{layout}`: {violation}")
            }
            other => write!(f, "is not stated, and {other}"),
        }
    }
}

/// One scheme under one profile, looked over.
#[derive(Debug, Clone, PartialEq)]
pub struct Linted {
    /// Name and profile.
    pub scheme: String,
    /// Name of the profile.
    pub profile: String,
    /// Whether it is the profile that the file itself states.
    pub is_default_profile: bool,
    /// Its statements, tested.
    pub stated: Vec<Verified>,
    /// Required ones that it does not make, in the order of the catalogue.
    pub missing: Vec<Missing>,
}

impl Linted {
    /// Whether everything that must be stated is, and all of it is true.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.stated.iter().all(|one| one.finding.is_confirmed())
    }
}

/// Looks a scheme over under each of its profiles, the default one first. `library` has it without requirements
/// ([`Library::without_requirements`]).
///
/// # Errors
/// If a statement of the catalogue cannot be made about the scheme at all.
pub fn lint(library: &Library, name: &str) -> Result<Vec<Linted>, SpecErrors> {
    let checker = Checker::new(library);
    // From the smallest: what is proposed as a witness is the first that shows it.
    let mut layouts = sweep::layouts(Extent::Small);
    layouts.extend(sweep::sampled().unwrap_or_default());
    let schemes = library.all().filter(|scheme| scheme.name == name);
    schemes.map(|scheme| one(library, &checker, scheme, &layouts)).collect()
}

fn one(library: &Library, checker: &Checker<'_>, scheme: &Scheme, layouts: &[Layout]) -> Result<Linted, SpecErrors> {
    let is_stated = |id: &str| scheme.invariants.iter().any(|stated| stated.id == id);
    let wanted = library.catalogue().entries().iter().filter(|entry| entry.required && !is_stated(&entry.id));
    let wanted: Vec<&str> = wanted.map(|entry| entry.id.as_str()).collect();
    let mut missing = Vec::new();
    if !wanted.is_empty() {
        // As if the file said that all of them hold.
        let lines: String = wanted.iter().map(|id| format!("  {id}: holds\n")).collect();
        let text = format!("invariants:\n{lines}");
        let patch = yaml::parse(&Arc::new(SourceFile { name: "required invariants".to_owned(), text }))?;
        let told = library.patched(&scheme.id(), &patch)?;
        let asked = told.invariants.iter().filter(|one| wanted.contains(&one.id.as_str())).cloned().collect();
        let asked = Scheme { invariants: asked, ..scheme.clone() };
        let found = verify(checker, &asked, layouts);
        missing.extend(found.into_iter().map(|one| Missing { invariant: one.invariant, finding: one.finding }));
    }
    Ok(Linted {
        scheme: scheme.id(),
        profile: scheme.profile.clone(),
        is_default_profile: scheme.is_default_profile,
        stated: verify(checker, scheme, layouts),
        missing,
    })
}

/// What to add to the file, as YAML: empty if nothing is to be added. A profile has its own lines only where it differs
/// from the file itself.
#[must_use]
pub fn proposal(linted: &[Linted]) -> String {
    let lines = |one: &Linted, indent: &str, but: &[(String, String)]| -> Vec<(String, String)> {
        let all = one.missing.iter().filter_map(|m| Some((format!("{indent}{}", m.invariant), m.proposal()?)));
        all.filter(|(id, text)| !but.iter().any(|(i, t)| i == id.trim_start() && t == text)).collect()
    };
    let write =
        |lines: &[(String, String)]| lines.iter().map(|(id, text)| format!("{id}: {text}\n")).collect::<String>();
    let mut out = String::new();
    let base = linted.iter().find(|one| one.is_default_profile).map(|one| lines(one, "  ", &[])).unwrap_or_default();
    if !base.is_empty() {
        out.push_str(&format!("invariants:\n{}", write(&base)));
    }
    let base: Vec<(String, String)> = base.into_iter().map(|(id, text)| (id.trim_start().to_owned(), text)).collect();
    let mut head = "profiles:\n";
    for one in linted.iter().filter(|one| !one.is_default_profile) {
        let own = lines(one, "      ", &base);
        if !own.is_empty() {
            out.push_str(&format!("{head}  {}:\n    invariants:\n{}", one.profile, write(&own)));
            head = "";
        }
    }
    out
}
