//! Whether a run went as its configuration expects: what failed as stated, and what is not as stated.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::expectation::{Expectation, Expectations, Names, Pattern};
use super::result::CheckResult;
use crate::spec::suggest::closest;

/// An expectation that is about the backend, and what the run had of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Expected {
    /// The configuration.
    pub file: String,
    /// Its line there.
    pub line: usize,
    /// Patterns of checks; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// Patterns of schemes; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemes: Vec<String>,
    /// Patterns of storage types; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dtypes: Vec<String>,
    /// Patterns of levels; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    /// Kinds of causes; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// Why it is expected.
    pub reason: String,
    /// Where more is said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The last day on which it is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Checks on groups that fail as it says.
    pub failing: usize,
    /// What is not as it says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ExpectationProblem>,
}

/// Why an expectation fails a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ExpectationProblem {
    /// What it matches ran, and all of it held.
    UnexpectedPass {
        /// Line of the pattern, or of the expectation where it has one of each.
        line: usize,
        /// The checks that held.
        checks: Vec<String>,
        /// On how many groups they did, counted by check.
        held: usize,
    },
    /// What it matches failed, by other causes than it states.
    OtherCause {
        /// Line of the expectation.
        line: usize,
        /// The checks that failed.
        checks: Vec<String>,
        /// Kinds of causes that were found.
        found: Vec<String>,
    },
    /// A pattern matches nothing that could be run on this backend.
    Stale {
        /// Line of the pattern, or of the expectation.
        line: usize,
        /// The pattern; none where each matches something, and nothing all of them.
        #[serde(skip_serializing_if = "Option::is_none")]
        pattern: Option<String>,
        /// What may have been meant.
        #[serde(skip_serializing_if = "Option::is_none")]
        suggestion: Option<String>,
    },
    /// The date up to which it is expected has passed.
    DatePassed {
        /// Line of the expectation.
        line: usize,
        /// That date.
        until: String,
    },
}

impl ExpectationProblem {
    /// The line of the configuration that it is about.
    #[must_use]
    pub fn line(&self) -> usize {
        let (Self::UnexpectedPass { line, .. }
        | Self::OtherCause { line, .. }
        | Self::Stale { line, .. }
        | Self::DatePassed { line, .. }) = self;
        *line
    }

    /// What is wrong, without where.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::UnexpectedPass { checks, held, .. } => {
                let (checks, s) = (few(checks), if *held == 1 { "" } else { "s" });
                format!("unexpected pass: {checks} held wherever it was judged ({held} group{s})")
            }
            Self::OtherCause { checks, found, .. } => {
                format!("another cause than stated: {} fails by {}", few(checks), found.join(", "))
            }
            Self::Stale { pattern: None, .. } => "stale: no check of this backend matches all of it".to_owned(),
            Self::Stale { pattern: Some(pattern), suggestion, .. } => {
                let hint = suggestion.as_ref().map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
                format!("stale: the pattern {pattern:?} matches nothing of this backend{hint}")
            }
            Self::DatePassed { until, .. } => format!("the date has passed: it was expected until {until}"),
        }
    }
}

/// A few names, and how many more.
fn few(names: &[String]) -> String {
    match names {
        [a, b, c, more @ ..] if more.len() > 1 => format!("{a}, {b}, {c} and {} more checks", more.len()),
        all => all.join(", "),
    }
}

/// Every problem in words, with file and line; each once.
#[must_use]
pub(super) fn problems(all: &[Expected]) -> Vec<String> {
    let told = |one: &Expected| {
        let at = |problem: &ExpectationProblem| format!("{}:{}: {}", one.file, problem.line(), problem.words());
        one.problems.iter().map(at).collect::<Vec<_>>()
    };
    all.iter().flat_map(told).collect()
}

/// A part of an expectation that must be seen: all of it, or one pattern of several.
type Part<'e> = Option<(usize, &'e Pattern)>;

/// Holds expectations against results; `planned` is everything that could be run on the backend.
pub(super) fn expected(
    all: &Expectations,
    backend: &str,
    planned: &[CheckResult],
    results: &[CheckResult],
) -> Vec<Expected> {
    let planned: Vec<Names> = planned.iter().map(CheckResult::names).collect();
    let one = |expectation: &Expectation| {
        let texts = |field: usize| expectation.fields[field].iter().map(|p| p.text.clone()).collect::<Vec<_>>();
        let [checks, schemes, dtypes, levels] = [0, 1, 2, 3].map(texts);
        let Expectation { line, causes, reason, link, until, .. } = expectation.clone();
        let mut problems = stale(expectation, &planned);
        if problems.is_empty() {
            problems = parts(expectation).into_iter().filter_map(|part| seen(expectation, part, results)).collect();
            problems.extend(other_cause(expectation, results));
            problems.dedup();
        }
        if let Some((until, over)) = &until
            && all.now > *over
        {
            problems.push(ExpectationProblem::DatePassed { line, until: until.clone() });
        }
        let fails = |result: &&CheckResult| {
            expectation.fits(result.names(), None)
                && result.failures.iter().any(|f| expectation.names(&f.failure.cause))
        };
        let failing = results.iter().filter(fails).count();
        let (until, file) = (until.map(|(day, _)| day), all.file.clone());
        Expected { file, line, checks, schemes, dtypes, levels, causes, reason, link, until, failing, problems }
    };
    all.all.iter().filter(|expectation| expectation.is_of(backend)).map(one).collect()
}

/// Each pattern of a field that has several, or else the whole.
fn parts(one: &Expectation) -> Vec<Part<'_>> {
    let many = one.fields.iter().enumerate().filter(|(_, patterns)| patterns.len() > 1);
    let parts: Vec<Part> = many.flat_map(|(at, all)| all.iter().map(move |pattern| Some((at, pattern)))).collect();
    if parts.is_empty() { vec![None] } else { parts }
}

/// What matches nothing that could be run.
fn stale(one: &Expectation, planned: &[Names<'_>]) -> Vec<ExpectationProblem> {
    let mut all = Vec::new();
    for (at, patterns) in one.fields.iter().enumerate() {
        for pattern in patterns.iter().filter(|pattern| !planned.iter().any(|names| pattern.fits(names[at]))) {
            let known: BTreeSet<&str> = planned.iter().map(|names| names[at]).collect();
            let (line, text) = (pattern.line, pattern.text.clone());
            let suggestion = closest(&text, known);
            all.push(ExpectationProblem::Stale { line, pattern: Some(text), suggestion });
        }
    }
    if all.is_empty() {
        let nothing = |part: &Part| !planned.iter().any(|names| one.fits(*names, *part));
        let of = parts(one).into_iter().filter(nothing);
        all.extend(of.map(|part| {
            let line = part.map_or(one.line, |(_, pattern)| pattern.line);
            ExpectationProblem::Stale { line, pattern: None, suggestion: None }
        }));
        all.dedup();
    }
    all
}

/// Whether all that ran of a part held. What is not judged, or not to its end, is no pass.
fn seen(one: &Expectation, part: Part<'_>, results: &[CheckResult]) -> Option<ExpectationProblem> {
    let here: Vec<_> = results.iter().filter(|result| one.fits(result.names(), part)).collect();
    if here.iter().any(|result| !result.failures.is_empty() || result.is_cut()) {
        return None;
    }
    let held: Vec<_> = here.into_iter().filter(|result| result.totals().1 > 0).collect();
    let checks: BTreeSet<String> = held.iter().map(|result| result.check.clone()).collect();
    let line = part.map_or(one.line, |(_, pattern)| pattern.line);
    let held = held.len();
    (held > 0).then(|| ExpectationProblem::UnexpectedPass { line, checks: checks.into_iter().collect(), held })
}

/// Failures that it matches but for their cause, where no other expectation has them, or where it has none itself.
fn other_cause(one: &Expectation, results: &[CheckResult]) -> Option<ExpectationProblem> {
    let here = || results.iter().filter(|result| one.fits(result.names(), None));
    let failures = || here().flat_map(|result| result.failures.iter().map(|failure| (&result.check, failure)));
    // One of a cause alone says nothing of failures by others.
    let anywhere = one.fields.iter().all(Vec::is_empty);
    // What was cut short may have shown its cause yet.
    let own = failures().any(|(_, failure)| one.names(&failure.failure.cause)) || here().any(CheckResult::is_cut);
    let others =
        failures().filter(|(_, f)| !one.names(&f.failure.cause) && (!own || f.expected.is_none() && !anywhere));
    let (mut checks, mut found) = (BTreeSet::new(), BTreeSet::new());
    for (check, failure) in others {
        checks.insert(check.clone());
        found.insert(failure.failure.cause.name().to_owned());
    }
    let (checks, found): (Vec<String>, Vec<String>) = (checks.into_iter().collect(), found.into_iter().collect());
    (!checks.is_empty()).then_some(ExpectationProblem::OtherCause { line: one.line, checks, found })
}
