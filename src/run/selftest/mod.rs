//! The suite judged by faults: which check kills which defect, and whether honest kernels pass.

mod judge;
mod matrix;
mod result;

pub use judge::{Honest, Inject, faults, honest};
pub use matrix::{CheckSummary, Matrix};
pub use result::{Complaint, DtypeResult, FaultResult, HonestResult, Kill, Rejection, SelfTest, SelfTestOptions};
