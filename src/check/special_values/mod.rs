//! NaN, infinities, subnormals and the ends of the range.

pub(super) mod nan_stays_in_its_pair;
pub(super) mod overflow;
pub(super) mod subnormals;
