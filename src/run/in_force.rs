//! Which contract the outputs of a run were held to, and what that left out.

use schemars::JsonSchema;
use serde::Serialize;

use super::exit_code::{ExitCode, RunError};
use super::result::CheckResult;
use crate::backend::Manifest;
use crate::case::Level;
use crate::contract::ContractTable;
use crate::contract::{Declaration, Settings};
use crate::numeric::DType;

/// The arithmetic that outputs were held to.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ContractInForce {
    /// Level.
    pub level: Level,
    /// Storage type.
    pub dtype: DType,
    /// `manifest` or `--contract`.
    pub declared_in: &'static str,
    /// What was declared.
    #[schemars(with = "serde_json::Value")]
    pub contract: Declaration,
    /// All that follows from it.
    #[schemars(with = "serde_json::Value")]
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

/// What was left out because of angle limits, one text for each; empty if nothing was.
#[must_use]
pub fn angle_limits(contracts: &[ContractInForce], results: &[CheckResult]) -> Vec<String> {
    let beyond: u64 = results.iter().flat_map(|r| r.bands.values()).map(|b| b.beyond_angle_limit).sum();
    let mut all = Vec::new();
    for one in contracts.iter().filter(|_| beyond > 0) {
        if let Some(limit) = one.numbers.get("angle_limit") {
            let text = format!("angles beyond {limit} rad not judged (class {})", one.contract.class);
            if !all.contains(&text) {
                all.push(text);
            }
        }
    }
    all
}

/// That `--contract` names dtypes of the backend.
///
/// # Errors
/// [`ExitCode::Usage`] if it does not.
pub fn contracts_exist(manifest: &Manifest, contracts: &ContractTable) -> Result<(), RunError> {
    let missing = contracts.overrides.iter().filter_map(|(dtype, _)| *dtype).find(|d| !manifest.dtypes.contains(d));
    if let Some(dtype) = missing {
        let known: Vec<&str> = manifest.dtypes.iter().map(|d| d.name()).collect();
        let why = format!("--contract {dtype}=...: the backend has no dtype {dtype}, only {}", known.join(", "));
        return Err(RunError::new(ExitCode::Usage, why));
    }
    Ok(())
}
