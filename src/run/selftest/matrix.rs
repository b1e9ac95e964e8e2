//! The results of a self test, check by check.

use serde::Serialize;

use super::result::FaultResult;

/// What one check kills.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckSummary {
    /// Check or invariant.
    pub check: String,
    /// Faults that it kills in every storage type that they exist in.
    pub kills: Vec<String>,
    /// Those of them that no other check kills.
    pub alone: Vec<String>,
    /// Faults that it kills first, with the fewest cases.
    pub first: Vec<String>,
}

/// The detection matrix, by check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// Check by check, in the order of the catalogue; checks that kill nothing are there too.
    pub checks: Vec<CheckSummary>,
}

impl Matrix {
    /// Of these faults. `order` lists the ids of all checks.
    #[must_use]
    pub fn new(faults: &[FaultResult], order: &[String]) -> Self {
        let defects: Vec<&FaultResult> = faults.iter().filter(|f| f.equal.is_none()).collect();
        let mut ids: Vec<String> = order.to_vec();
        for kill in defects.iter().flat_map(|f| &f.outcomes).flat_map(|o| &o.kills) {
            if !ids.contains(&kill.check) {
                ids.push(kill.check.clone());
            }
        }
        let summary = |check: &String| {
            let killed = |f: &&&FaultResult| f.killers().contains(&check.as_str());
            let kills: Vec<String> = defects.iter().filter(killed).map(|f| f.id.clone()).collect();
            let only = |f: &&&FaultResult| f.killers() == [check.as_str()];
            let alone = defects.iter().filter(only).map(|f| f.id.clone()).collect();
            let is_first = |f: &&&FaultResult| f.killers().first() == Some(&check.as_str());
            let first = defects.iter().filter(is_first).map(|f| f.id.clone()).collect();
            CheckSummary { check: check.clone(), kills, alone, first }
        };
        Matrix { checks: ids.iter().map(summary).collect() }
    }

    /// Ids of checks that no fault needs: whatever they kill, another check kills as well.
    #[must_use]
    pub fn needed_by_none(&self) -> Vec<&str> {
        self.checks.iter().filter(|c| c.alone.is_empty()).map(|c| c.check.as_str()).collect()
    }
}
