//! Arithmetic that the verdict rests on: exact numbers, correctly rounded storage types, reference sine and cosine.
//!
//! Everything here gives the same bits on every platform: integers, IEEE additions and multiplications, and the pure Rust
//! `libm`; neither the platform's mathematical library nor a fused multiply-add is used.

mod dd;
mod dtype;
mod error;
mod memo;
mod number;
mod number_functions;
mod number_text;
mod ratio;
mod real;
mod rng;
mod round;
mod sincos;
mod slices;

pub use dd::Dd;
pub use dtype::DType;
pub use error::NumberError;
pub use number::Number;
pub use real::Real;
pub use rng::Rng;
pub use sincos::{SINCOS_ERROR, SinCos, sincos, sincos_error};
