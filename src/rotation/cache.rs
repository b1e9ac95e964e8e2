//! Rotation plans that were made before: 64 powers in high precision take milliseconds, and runs use the same few plans.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::spec::model::Scheme;
use crate::spec::{HeadShape, Parameters};

use super::plan::PlanError;
use super::plan::RotationPlan;

/// Plans by what a scheme means, profile, parameters and heads. Shared between threads.
#[derive(Debug, Default)]
pub struct PlanCache {
    plans: Mutex<HashMap<PlanKey, Arc<RotationPlan>>>,
}

/// Scheme id, what it means, what was set, layer, length where the scheme depends on it, heads.
type PlanKey = (String, String, String, u32, String, HeadShape);

impl PlanCache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The plan, made now if it is not there yet.
    ///
    /// # Errors
    /// As [`RotationPlan::new`]; errors are not kept.
    pub fn plan(
        &self,
        scheme: &Scheme,
        parameters: &Parameters,
        shape: HeadShape,
    ) -> Result<Arc<RotationPlan>, PlanError> {
        let set: Vec<String> =
            parameters.overrides(scheme).iter().map(|(name, value)| format!("{name}={value}")).collect();
        let length = if scheme.depends_on_length() { parameters.length().to_string() } else { String::new() };
        let key = (scheme.id(), scheme.meaning.clone(), set.join(" "), parameters.layer(), length, shape);
        // A thread that panicked while it held the lock cannot have left a half-made entry behind.
        if let Some(plan) = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(plan));
        }
        let plan = Arc::new(RotationPlan::new(scheme, parameters, shape)?);
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&plan));
        Ok(plan)
    }
}
