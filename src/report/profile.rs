//! What checks cost, as a table.

use std::fmt::Write as _;

use super::style::DIM;
use crate::check::cost::Room;
use crate::run::{CheckCost, Profile};

/// The table: a line for each check, the dearest first.
pub(super) fn profile(out: &mut String, profile: &Profile) -> std::fmt::Result {
    let rooms: Vec<&str> = Room::ALL.iter().map(|room| room.name()).chain(["rest"]).collect();
    write!(out, "\n{DIM}{:26} {:>7} {:>10} {:>8} {:>6}", "processor time, ms", "cases", "elements", "all", "share")?;
    rooms.iter().try_for_each(|room| write!(out, " {room:>8}"))?;
    writeln!(out, " {:>8}{DIM:#}", "backend")?;
    let mut line = |name: &str, cost: &CheckCost| {
        let ms = |seconds: f64| format!("{:.1}", 1e3 * seconds);
        let CheckCost { cases, elements, seconds, share, backend, .. } = cost;
        write!(out, "{name:26} {cases:>7} {elements:>10} {:>8} {:>5.1}%", ms(*seconds), 100.0 * share)?;
        for room in &rooms {
            write!(out, " {:>8}", ms(cost.rooms.get(*room).copied().unwrap_or(0.0)))?;
        }
        writeln!(out, " {:>8}", ms(*backend))
    };
    profile.checks.iter().try_for_each(|cost| line(&cost.check, cost))?;
    line("all checks", &profile.total)
}
