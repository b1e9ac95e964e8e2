//! Emulated kernels: a declared contract executed operation by operation, in exactly its types. Honest ones show that no bound is too
//! narrow; with a fault set they show that a check sees it.
//!
//! What is computed comes from data: the class (types), the way to frequencies (its procedure) and [`Knobs`]. What is read where can be
//! changed by a [`Walk`], what the scheme says by a patched [`Scheme`](crate::spec::Scheme).

mod angle;
mod arithmetic;
mod call;
mod elements;
mod emulation;
mod factor;
mod factory;
mod forms;
mod frequencies;
mod functions;
mod ideal;
mod kernel;
mod knobs;
mod places;
mod turned;
mod walk;

pub use angle::KernelAngle;
pub use arithmetic::Arithmetic;
pub use emulation::{Emulation, Shared};
pub use factor::{Factor, Tangent};
pub use factory::{Emulated, EmulatedFactory};
pub use frequencies::{Angles, ExactFrequencies};
pub use knobs::{Fused, HalfTangent, Knobs, LibraryErrors, Storing, Trig};
pub use walk::{Action, Fetch, Operand, PairPlace, Scene, Walk};
