//! The rotation plan, the normal form that every scheme reduces to: which axis turns which pair at which frequency; and the
//! reference rotation.

mod accuracy_points;
mod cache;
mod plan;
pub mod reference;

pub use accuracy_points::{AccuracyPoint, ROUNDED_TO};
pub use cache::PlanCache;
pub use plan::{PlanError, RotationPlan};

pub use crate::spec::{HeadShape, MAX_HEAD_DIM, MIN_FREQUENCY, NO_AXIS};
