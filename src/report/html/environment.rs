//! What judged what, and by which evidence the verdict can be believed.

use crate::report::page::facts;
use crate::report::svg::escaped;
use crate::report::table::contracts;
use crate::run::RunReport;

/// Versions, seed, what keeps the code under test from harm, contracts, controls; empty if nothing began.
pub(super) fn environment(report: &RunReport) -> String {
    let Some(started) = &report.started else { return String::new() };
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, says: String| all.push((name.to_owned(), escaped(&says)));
    add("ropecheck", started.ropecheck.clone());
    add("backend", started.backend.clone());
    add("its SHA-256", started.library_sha256.clone().unwrap_or_else(|| "no library".to_owned()));
    add("specs, SHA-256", started.specs.clone());
    add("seed", started.seed.to_string());
    add("depth", format!("{}, {} cases per check and band", started.depth.name(), started.cases));
    if let Some(shard) = &started.shard {
        add("shard", format!("{} of {}", shard.number, shard.of));
    }
    if let Some(config) = &started.config {
        add("configuration", config.words());
    }
    if let Some(device) = &started.device {
        add("device", device.clone());
    }
    for spec in &started.added_specs {
        let place = if spec.replaces { ", in the place of the built-in scheme" } else { "" };
        add("spec added", format!("{}: scheme {}{place}", spec.file, spec.scheme));
    }
    for (contract, given) in contracts(&started.contracts) {
        add("contract", format!("{contract}: {given}"));
    }
    let cage = started.cage.as_ref().map_or_else(
        || "none: the backend runs in ropecheck's own process".to_owned(),
        |cage| {
            let memory = cage.memory.map(|bytes| format!("at most {bytes} bytes of memory of its own"));
            let parts = [
                (cage.own_session, "a session of its own"),
                (cage.orphans_ended, "what it leaves behind is ended"),
                (cage.guard_pages, "guard pages around buffers"),
                (cage.library_copied, "loaded from a copy made at the start"),
            ];
            let parts = parts.into_iter().filter(|(holds, _)| *holds).map(|(_, what)| what.to_owned());
            parts.chain(memory).collect::<Vec<_>>().join(", ")
        },
    );
    add("cage", cage);
    let wrong = report.controls.iter().filter(|control| control.wrong.is_some()).count();
    let as_they_must = if wrong == 0 { "all as they must".to_owned() } else { format!("{wrong} NOT as they must") };
    add("control kernels", format!("{}: {as_they_must}", report.controls.len()));
    let anchors = &report.anchors;
    add(
        "anchors",
        format!(
            "{} position vectors of official code, {} points of an independent program, {} golden values; {} do not match",
            anchors.vectors,
            anchors.points,
            anchors.golden,
            anchors.mismatches.len()
        ),
    );
    let statements = &report.spec_statements;
    add("statements of specs", format!("{} confirmed, {} refuted", statements.confirmed, statements.refuted.len()));
    facts(all)
}
