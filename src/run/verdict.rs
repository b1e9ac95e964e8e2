//! The last line of a report.

use super::{ExitCode, Reached, RunReport};
use crate::case::Level;

/// The verdict in words. Says what it is about: levels that were given positions are no proof of a scheme.
#[must_use]
pub fn verdict(report: &RunReport, code: ExitCode) -> String {
    let levels: Vec<&str> =
        Level::ALL.iter().filter(|l| report.results.iter().any(|r| r.level == **l)).map(|l| l.name()).collect();
    let only_apply = levels == ["apply"];
    let limits: String = report.angle_limits().iter().map(|text| format!("; {text}")).collect();
    let text = match code {
        ExitCode::Conformant if only_apply => {
            "CONFORMANT on level apply: turns pairs by the cos and sin it is given; no scheme was judged".to_owned()
        }
        ExitCode::Conformant => {
            let apart = if report.not_judged.is_empty() { "" } else { ", apart from what was not judged" };
            let short: String = report.reached.iter().filter_map(Reached::shortfall).collect();
            format!("CONFORMANT on levels {}{apart}{short}", levels.join(", "))
        }
        ExitCode::Nonconformant => "NONCONFORMANT".to_owned(),
        ExitCode::Spec => "SPEC INVALID: nothing about the backend follows".to_owned(),
        ExitCode::NothingRan => "NOTHING WAS JUDGED".to_owned(),
        ExitCode::ControlFailed => "CONTROL FAILED: no verdict of this run can be believed".to_owned(),
        ExitCode::NotStarted => "THE BACKEND DIED IN EVERY CASE".to_owned(),
        ExitCode::Interrupted => "INTERRUPTED: this report is partial".to_owned(),
        ExitCode::Internal => "INTERNAL ERROR: ropecheck has a defect, and this report is incomplete".to_owned(),
        ExitCode::Usage => "ERROR".to_owned(),
    };
    if code == ExitCode::Conformant { text + &limits } else { text }
}
