//! Which memory a call reads and writes, and how it gets there.

pub(super) mod common;
pub(super) mod empty;
pub(super) mod far_strides;
pub(super) mod fully_written;
pub(super) mod guards;
pub(super) mod in_place;
pub(super) mod inputs_untouched;
pub(super) mod many_rows;
pub(super) mod passthrough;
pub(super) mod position_beyond_limit;
pub(super) mod strides;
