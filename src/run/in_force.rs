//! Which contract the outputs of a run were held to, and what that left out.

use serde::Serialize;

use crate::backend::Manifest;
use crate::case::Level;
use crate::contract::ContractTable;
use crate::contract::{Declaration, Settings};
use crate::numeric::DType;

use super::RunReport;

/// The arithmetic that outputs were held to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContractInForce {
    /// Level.
    pub level: Level,
    /// Storage type.
    pub dtype: DType,
    /// `manifest` or `--contract`.
    pub declared_in: &'static str,
    /// What was declared.
    pub contract: Declaration,
    /// All that follows from it.
    pub numbers: Settings,
}

/// The contracts that outputs on these levels are held to.
#[must_use]
pub fn contracts_in_force(manifest: &Manifest, table: &ContractTable, levels: &[Level]) -> Vec<ContractInForce> {
    let mut all = Vec::new();
    for (level, declared) in manifest.levels.iter().filter(|(level, _)| levels.contains(level)) {
        for (dtype, own) in &declared.contracts {
            let Some(contract) = table.in_force(*dtype, Some(own)) else { continue };
            let Ok(resolved) = contract.resolve(table) else { continue };
            let declared_in = if std::ptr::eq(contract, own) { "manifest" } else { "--contract" };
            let numbers = Settings::of(&resolved);
            all.push(ContractInForce {
                level: *level,
                dtype: *dtype,
                declared_in,
                contract: contract.clone(),
                numbers,
            });
        }
    }
    all
}

impl RunReport {
    /// What was left out because of angle limits, one text for each; empty if nothing was.
    #[must_use]
    pub fn angle_limits(&self) -> Vec<String> {
        let beyond: u64 = self.results.iter().flat_map(|r| r.bands.values()).map(|b| b.beyond_angle_limit).sum();
        let mut all = Vec::new();
        for one in self.contracts.iter().filter(|_| beyond > 0) {
            if let Some(limit) = one.numbers.get("angle_limit") {
                let text = format!("angles beyond {limit} rad not judged (class {})", one.contract.class);
                if !all.contains(&text) {
                    all.push(text);
                }
            }
        }
        all
    }
}
