//! What became of kernels that are wrong in one region alone, for people.

use std::fmt::Write as _;

use super::style::{BAD, DIM, GOOD, styled};
use crate::run::ExitCode;
use crate::run::selftest::{Killed, RegionReport};

/// A table for people, with colours as ANSI escapes.
#[must_use]
pub fn regions(report: &RegionReport) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = text(&mut out, report);
    out
}

fn share(killed: Killed) -> String {
    let percent = killed.killed as f64 * 100.0 / killed.all.max(1) as f64;
    // Rounded down: only all is 100 %.
    format!("{} of {}, {:.1} %", killed.killed, killed.all, (percent * 10.0).floor() / 10.0)
}

fn text(out: &mut String, report: &RegionReport) -> std::fmt::Result {
    let RegionReport { backend, depth, seed, .. } = report;
    writeln!(out, "kernels that are wrong in one region: {backend}, depth {}, seed {seed}\n", depth.name())?;
    writeln!(out, "{:10} {:24} {:28} two never meet", "killed", "in one class", "where two meet")?;
    for level in &report.levels {
        let (classes, pairs) = (share(level.classes), share(level.pairs));
        writeln!(out, "{:10} {classes:24} {pairs:28} {}", level.level.name(), level.impossible)?;
    }
    let (classes, pairs) = report.all();
    writeln!(out, "{:10} {:24} {}", "all", share(classes), share(pairs))?;
    let as_computed = report.run - report.disagree.len() as u64;
    writeln!(
        out,
        "\n{} of them were run ({} to be killed, {} to survive): {as_computed} fared as computed",
        report.run,
        report.run_killed,
        report.run - report.run_killed
    )?;
    for region in &report.disagree {
        writeln!(out, "{} not as computed: {region}", styled(BAD, "FAIL"))?;
    }
    let survivors: Vec<&String> = report.levels.iter().flat_map(|level| level.survivors.iter().take(4)).collect();
    if !survivors.is_empty() {
        writeln!(out, "some that survive (--format json names more):")?;
    }
    for region in survivors {
        writeln!(out, "  {}", styled(DIM, region))?;
    }
    match report.exit() {
        ExitCode::Conformant => writeln!(out, "{}", styled(GOOD, "ENOUGH KILLED")),
        _ => writeln!(out, "{}", styled(BAD, "NOT AS IT MUST BE")),
    }
}
