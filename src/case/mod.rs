//! One concrete input to a check: small enough for one line, complete enough to be run again.

mod arena;
pub mod call;
mod call_dimensions;
mod data;
mod dimension;
mod fill;
mod hard;
mod input;
mod position_source;
mod prepare;
mod tables;
pub mod tensor_file;
mod terms;
mod token;
mod truth;
mod views;
mod watch;

pub use arena::Buffer;
pub use call_dimensions::CallDimensions;
pub use data::{Data, Tensor, channels_of_pair};
pub use dimension::{Dimension, octave};
pub use fill::fill;
pub use input::Case;
pub use position_source::{CONVERGENTS, PositionSource, holds};
pub use prepare::{Prepared, keeps_its_plan, prepare, prepare_within, tables_are_read};
pub use tables::MAX_CACHE_ROWS;
pub use terms::{
    Alias, BesideDtype, Consume, Level, Memory, Order, PositionOrder, PositionStrides, Strides, TableWidth,
};
pub use token::{TokenError, pairing_name};
pub use truth::{FLOAT_POISON, HUGE_POISON, PrepareError, Truth};
pub use watch::{Change, MemoryPlace, Part, TensorElement};
