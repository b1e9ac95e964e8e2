//! The suite judged by faults: which check kills which defect, and whether honest kernels pass.

mod diagnosis;
mod judge;
mod matrix;
mod regions;
mod result;

pub use diagnosis::{Diagnosed, DiagnosisReport, Named, diagnosed};
pub use judge::{Honest, Inject, faults, honest};
pub use matrix::{CheckSummary, Matrix};
pub use regions::{Killed, LevelRegions, RegionOptions, RegionReport, regions};
pub use result::{Complaint, DtypeResult, FaultResult, HonestResult, Kill, Rejection, SelfTest, SelfTestOptions};
