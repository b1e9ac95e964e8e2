//! What each check of a run cost: processor time by room. Times differ from run to run, so only who asks gets them.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::result::CheckResult;
use crate::check::cost::{Cost, Room};

/// What the checks of a run cost, the dearest first.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Profile {
    /// Of each check.
    pub checks: Vec<CheckCost>,
    /// Of all of them.
    pub total: CheckCost,
}

/// What a check cost over all groups. Seconds of processor time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct CheckCost {
    /// Check id; empty of the sum.
    pub check: String,
    /// Cases.
    pub cases: u64,
    /// Elements judged.
    pub elements: u64,
    /// Of ropecheck and of the backend's process, where it has one of its own.
    pub seconds: f64,
    /// Its share of what all checks cost, from 0 to 1.
    pub share: f64,
    /// Of the backend's process.
    pub backend: f64,
    /// Of ropecheck, by what it was spent on; `rest` is what is none of these, such as shrinking and the check's own work.
    pub rooms: BTreeMap<String, f64>,
}

impl Profile {
    /// Of all results of a run.
    pub(super) fn of(results: &[CheckResult]) -> Profile {
        let mut sums: BTreeMap<&str, (u64, u64, Cost)> = BTreeMap::new();
        let mut total = (0, 0, Cost::default());
        for result in results {
            let elements: u64 = result.bands.values().map(|band| band.elements).sum();
            for sum in [sums.entry(&result.check).or_default(), &mut total] {
                sum.0 += result.totals().0;
                sum.1 += elements;
                sum.2 += result.cost;
            }
        }
        let all = seconds(total.2);
        let mut checks: Vec<CheckCost> = sums.iter().map(|(check, sum)| CheckCost::of(check, sum, all)).collect();
        checks.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        Profile { checks, total: CheckCost::of("", &total, all) }
    }
}

fn seconds(cost: Cost) -> f64 {
    (cost.all + cost.backend).as_secs_f64()
}

impl CheckCost {
    fn of(check: &str, (cases, elements, cost): &(u64, u64, Cost), all: f64) -> CheckCost {
        let rest = cost.all.saturating_sub(cost.rooms.iter().sum::<Duration>());
        let rooms = Room::ALL.iter().zip(cost.rooms).map(|(room, spent)| (room.name().to_owned(), spent));
        CheckCost {
            check: check.to_owned(),
            cases: *cases,
            elements: *elements,
            seconds: seconds(*cost),
            share: if all > 0.0 { seconds(*cost) / all } else { 0.0 },
            backend: cost.backend.as_secs_f64(),
            rooms: rooms.chain([("rest".to_owned(), rest)]).map(|(room, spent)| (room, spent.as_secs_f64())).collect(),
        }
    }
}
