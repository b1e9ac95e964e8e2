//! A shared library behind the C ABI (`include/ropecheck.h`), and the process that holds it and speaks the
//! protocol for it.

mod c_call;
mod children;
mod device;
mod device_arena;
mod ffi;
pub(super) mod float_control;
mod guard;
mod loaded;
mod served;
mod signals;
mod timing;
mod worker;

pub use ffi::ABI_VERSION;
pub use signals::as_ropecheck;
pub use worker::{Work, run as run_worker};
