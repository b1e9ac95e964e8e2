//! The detection matrix, for people and as the Markdown page of the repository.

use std::fmt::Write as _;

use super::style::{BAD, DIM, GOOD};
use super::words;
use crate::run::selftest::{FaultResult, Matrix, SelfTest};

/// A table for people, with colours as ANSI escapes. `order` lists all checks.
#[must_use]
pub fn selftest(report: &SelfTest, order: &[String]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = text(&mut out, report, order);
    out
}

fn text(out: &mut String, report: &SelfTest, order: &[String]) -> std::fmt::Result {
    let width = report.faults.iter().map(|f| f.id.len()).max().unwrap_or(5).max(5);
    writeln!(out, "{:width$}  killed in       first check (cases)              by how many checks", "fault")?;
    for fault in &report.faults {
        let killers = fault.killers();
        let ok = fault.complaints().is_empty();
        let style = if ok { GOOD } else { BAD };
        let types: Vec<&str> =
            fault.outcomes.iter().filter(|o| !o.kills.is_empty()).map(|o| o.dtype.as_str()).collect();
        let killed = if types.is_empty() { "-".to_owned() } else { types.join(" ") };
        let what = match (&fault.equal, first(fault)) {
            (Some(_), _) => "no defect: equal to correct behaviour".to_owned(),
            (None, Some((check, cases))) => format!("{:32} {}", format!("{check} ({cases})"), killers.len()),
            (None, None) => "-".to_owned(),
        };
        writeln!(out, "{style}{:width$}{style:#}  {killed:14}  {what}", fault.id)?;
    }
    let matrix = Matrix::new(&report.faults, order);
    writeln!(out, "\ncheck                          kills  alone  faults that no other check kills in every dtype")?;
    for check in matrix.checks.iter().filter(|c| !c.kills.is_empty()) {
        writeln!(
            out,
            "{:30} {:5}  {:5}  {DIM}{}{DIM:#}",
            check.check,
            check.kills.len(),
            check.alone.len(),
            check.alone.join(", ")
        )?;
    }
    writeln!(out, "\nchecks that kill nothing alone: {}", matrix.needed_by_none().join(", "))?;
    if !report.honest.is_empty() {
        let bad = report.honest.iter().filter(|h| !h.rejected.is_empty()).count();
        writeln!(out, "honest kernels: {} runs, {bad} rejected", report.honest.len())?;
    }
    for complaint in &report.complaints {
        writeln!(out, "{BAD}FAIL{BAD:#} {}", words::complaint(complaint))?;
    }
    let (good, word) = if report.complaints.is_empty() { (GOOD, "ALL KILLED") } else { (BAD, "NOT AS IT MUST BE") };
    writeln!(out, "{good}{word}{good:#} ({} faults, {} complaints)", report.faults.len(), report.complaints.len())
}

/// The first check that kills a fault in every type, with the most cases that it takes in one.
fn first(fault: &FaultResult) -> Option<(String, u64)> {
    let check = (*fault.killers().first()?).to_owned();
    let cases = fault.outcomes.iter().flat_map(|o| &o.kills).filter(|k| k.check == check).map(|k| k.cases).max();
    Some((check, cases.unwrap_or(0)))
}

/// The Markdown page: the same bytes for the same results.
#[must_use]
pub fn selftest_markdown(report: &SelfTest, order: &[String]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = markdown(&mut out, report, order);
    out
}

fn markdown(out: &mut String, report: &SelfTest, order: &[String]) -> std::fmt::Result {
    let defects: Vec<&FaultResult> = report.faults.iter().filter(|f| f.equal.is_none()).collect();
    let cells: usize = defects.iter().map(|f| f.outcomes.len()).sum();
    writeln!(out, "# What each check catches\n")?;
    writeln!(
        out,
        "Made by `ropecheck selftest --format markdown` (seed {}, {} cases per check and band). {} faults, {} of fault and \
         storage type.\nA check counts as killing a fault if it fails in every storage type that the fault exists in; \
         bold checks *must* kill it, and CI fails if one no longer does.\n",
        report.seed,
        report.cases,
        defects.len(),
        cells
    )?;
    let mut class = "";
    for fault in &defects {
        if fault.class != class {
            class = &fault.class;
            writeln!(out, "\n## {}{}\n", class[..1].to_uppercase(), &class[1..])?;
            writeln!(
                out,
                "| fault | what goes wrong | seen in | first check (cases) | killed by |\n|---|---|---|---|---|"
            )?;
        }
        let killers: Vec<String> = fault
            .killers()
            .iter()
            .map(|k| if fault.must.iter().any(|m| m == k) { format!("**{k}**") } else { (*k).to_owned() })
            .collect();
        let first = first(fault).map_or("-".to_owned(), |(check, cases)| format!("{check} ({cases})"));
        let only = if fault.why.is_empty() {
            String::new()
        } else {
            let types: Vec<&str> = fault.outcomes.iter().map(|o| o.dtype.as_str()).collect();
            format!(" Only {}: {}.", types.join(", "), fault.why)
        };
        writeln!(
            out,
            "| `{}` | {}{only} | {} | {first} | {} |",
            fault.id,
            fault.doc,
            fault.bugs.join("; "),
            if killers.is_empty() { "nothing".to_owned() } else { killers.join(", ") }
        )?;
    }
    let matrix = Matrix::new(&report.faults, order);
    writeln!(out, "\n## Check by check\n\n| check | kills | first | faults that only it kills |\n|---|---|---|---|")?;
    for check in matrix.checks.iter().filter(|c| !c.alone.is_empty()) {
        let alone = check.alone.join("`, `");
        writeln!(out, "| {} | {} | {} | `{alone}` |", check.check, check.kills.len(), check.first.len())?;
    }
    writeln!(out, "\n## Checks that kill nothing alone\n")?;
    writeln!(
        out,
        "Another check fails as well wherever one of these does. They name the defect, or need fewer cases.\n"
    )?;
    writeln!(out, "| check | kills | first |\n|---|---|---|")?;
    for check in matrix.checks.iter().filter(|c| c.alone.is_empty()) {
        writeln!(out, "| {} | {} | {} |", check.check, check.kills.len(), check.first.len())?;
    }
    writeln!(out, "\n## Equal to correct behaviour\n\n| change | proof that it is no defect |\n|---|---|")?;
    for fault in report.faults.iter() {
        if let Some(proof) = &fault.equal {
            writeln!(out, "| `{}`: {} | {proof} |", fault.id, fault.doc)?;
        }
    }
    Ok(())
}
