//! `describe` for people.

use std::fmt::Write as _;

use super::style::{BAD, styled};
use crate::check::bands::BANDS;
use crate::run::Description;

/// What a backend says of itself, with colours as ANSI escapes.
#[must_use]
pub fn description(described: &Description) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = text(&mut out, described);
    out
}

fn text(out: &mut String, described: &Description) -> std::fmt::Result {
    writeln!(out, "{} {}", described.name, described.version)?;
    let memory =
        described.device.as_ref().map_or_else(|| "the host's".to_owned(), |name| format!("of a device: {name}"));
    writeln!(out, "memory of calls: {memory}")?;
    for one in &described.levels {
        let (consumes, schemes) = (one.consumes.join(", "), one.schemes.join(", "));
        writeln!(out, "level {}: consumes {consumes}; schemes {schemes}", one.level)?;
        for contract in &one.contracts {
            writeln!(out, "  {}: contract {}", contract.dtype, contract.contract)?;
        }
        let parts = if one.supplied.is_empty() { "nothing".to_owned() } else { one.supplied.join(", ") };
        writeln!(out, "  not judged, because the suite supplies it: {parts}")?;
    }
    let width = described.not_judged.iter().map(|one| one.key.len()).max().unwrap_or(0);
    if width > 0 {
        writeln!(out, "not judged, by the key that says so:")?;
    }
    for one in &described.not_judged {
        writeln!(out, "  {:width$}  {}", one.key, one.what)?;
    }
    for one in &described.checks_not_judged {
        let of = match &one.schemes[..] {
            [one] => one.clone(),
            all => format!("{} schemes", all.len()),
        };
        writeln!(out, "not judged on level {}: {}: {} ({of})", one.level, one.check, one.why)?;
    }
    writeln!(out, "accuracy bands: {}", BANDS.map(|band| band.name).join(", "))?;
    for slip in &described.warnings {
        writeln!(out, "{} {}: {}; {}", styled(BAD, "warning"), slip.key, slip.what, slip.write)?;
    }
    match described.warnings.len() {
        0 => writeln!(out, "no likely slips in the manifest")?,
        _ => writeln!(out, "a warning is about what is legal and probably not meant; nothing is judged by it")?,
    }
    let manifest = serde_json::to_string_pretty(&described.manifest).map_err(|_| std::fmt::Error)?;
    writeln!(out, "the manifest, with every default:\n{manifest}")
}
