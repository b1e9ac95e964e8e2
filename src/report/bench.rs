//! Times and bandwidths for people.

use std::fmt::Write as _;

use crate::run::{BenchReport, BenchRow};

/// The report of `ropecheck bench`.
#[must_use]
pub fn bench(report: &BenchReport) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &BenchReport) -> std::fmt::Result {
    writeln!(out, "ropecheck {} bench on {}", report.ropecheck, report.backend)?;
    match &report.device {
        Some(device) => writeln!(out, "device    {device}")?,
        None => writeln!(out, "device    host memory; {} cores", report.cores)?,
    }
    let clock =
        if report.clock == "device" { "the device's clock" } else { "the host's clock around each batch of calls" };
    writeln!(out, "times     median of samples, by {clock}; batch 1, heads as q+k x channels\n")?;
    let width = report.rows.iter().map(|r| r.scheme.len()).max().unwrap_or(6).max(6);
    writeln!(
        out,
        "{:7} {:width$} {:5} {:>7} {:>11} {:>9} {:>11} {:>17} {:>8} {:>8} {:>7}",
        "level", "scheme", "dtype", "tokens", "heads", "MiB", "us", "least..most", "GB/s", "copy", "of copy"
    )?;
    let mut last: Option<&BenchRow> = None;
    for row in &report.rows {
        if last.is_some_and(|l| (l.level, &l.dtype) != (row.level, &row.dtype)) {
            writeln!(out)?;
        }
        last = Some(row);
        let micro = |s: f64| s * 1e6;
        let giga = |b: f64| format!("{:.1}", b / 1e9);
        let range = format!("{:.1}..{:.1}", micro(row.call.least), micro(row.call.most));
        writeln!(
            out,
            "{:7} {:width$} {:5} {:>7} {:>11} {:>9.1} {:>11.1} {:>17} {:>8} {:>8} {:>7}{}",
            row.level.name(),
            row.scheme,
            row.dtype,
            row.tokens,
            format!("{}+{}x{}", row.q_heads, row.k_heads, row.head_dim),
            row.bytes as f64 / f64::from(1 << 20),
            micro(row.call.median),
            range,
            giga(row.bandwidth),
            row.copy_bandwidth.map_or_else(|| "-".into(), giga),
            row.of_copy.map_or_else(|| "-".into(), |share| format!("{:.0} %", 100.0 * share)),
            if row.in_place { "  in place" } else { "" }
        )?;
    }
    writeln!(out)?;
    for skipped in &report.skipped {
        writeln!(out, "not timed: {skipped}")?;
    }
    writeln!(
        out,
        "MiB: q and k read and written once, and positions or tables that the kernel takes. A time says nothing of a result: run `ropecheck check`."
    )
}
