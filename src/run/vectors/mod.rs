//! Cases for machines that cannot run ropecheck: inputs as files, and outputs that came back, which are judged
//! as `check` judges them.

mod export;
mod index;
mod recorded;
mod verify;

pub use export::{ExportedCase, Exporter};
pub use index::{INDEX, Index, IndexError, MAX_CASES, VectorCase, VectorPlan, VectorSegment, VectorTensor};
pub use verify::{VectorsReport, verify};
