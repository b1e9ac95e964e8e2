//! Expectations in words.

use crate::run::{Expected, ExpectedBy};

/// Why a failure is expected, and where that is stated.
pub fn expected_by(by: &ExpectedBy, all: &[Expected]) -> String {
    let file = all.iter().find(|one| one.line == by.line).map_or("the configuration", |one| &one.file);
    let link = by.link.as_ref().map(|link| format!(", {link}")).unwrap_or_default();
    format!("{} ({file}:{}{link})", by.reason, by.line)
}

/// What is not as an expectation says, each with file and line.
pub fn expectation_problems(one: &Expected) -> Vec<String> {
    one.problems.iter().map(|problem| format!("{}:{}: {}", one.file, problem.line(), problem.words())).collect()
}

/// What fails as an expectation says.
pub fn expectation(one: &Expected) -> String {
    let Expected { file, line, checks, reason, link, until, failing, .. } = one;
    let what = if checks.is_empty() { "any check".to_owned() } else { checks.join(", ") };
    let groups =
        if *failing == 1 { "1 check on a group fails".to_owned() } else { format!("{failing} checks on groups fail") };
    let link = link.as_ref().map(|link| format!(", {link}")).unwrap_or_default();
    let until = until.as_ref().map(|until| format!(", until {until}")).unwrap_or_default();
    format!("{what}: {reason} ({groups}; {file}:{line}{link}{until})")
}
