//! Faults: named, injectable defects of backends, each made after a real bug. `spec/faults/*.yaml` is the catalogue.
//!
//! To add a fault: add an entry to one of these files, with the checks that must kill it. To add a kind of injection: a
//! field of [`Injection`], its keys in `load.rs`, and where it takes effect.

mod defect;
mod imitation;
mod in_region;
mod inject;
mod load;
mod places;
mod region;
pub mod source;
mod spoiled;
mod walk;
mod workshop;

pub use defect::{EmulationChanges, Fault, Injection, SourceEdits};
pub use imitation::{Imitated, Imitator};
pub use load::{catalogue, read};
pub use region::Region;
pub use spoiled::Spoiled;
pub use walk::{IndexFault, OwnPairing};
pub use workshop::{HonestKernel, Workshop};
