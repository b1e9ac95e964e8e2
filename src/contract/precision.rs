//! The types that contracts speak of.

use crate::numeric::DType;

/// In which type something is computed or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// No rounding at all for angles; f64 or better for everything else.
    #[default]
    Exact,
    /// f64; for angles only.
    F64,
    /// f32.
    F32,
    /// f16, whatever the tensors are; for the table only.
    F16,
    /// bf16; for the table only.
    BF16,
    /// The storage type of the tensors.
    Storage,
}

impl Precision {
    /// The type, for tensors of type `storage`; `None` for no rounding.
    #[must_use]
    pub fn dtype(self, storage: DType) -> Option<DType> {
        match self {
            Self::Exact => None,
            Self::F64 => Some(DType::F64),
            Self::F32 => Some(DType::F32),
            Self::F16 => Some(DType::F16),
            Self::BF16 => Some(DType::BF16),
            Self::Storage => Some(storage),
        }
    }

    /// The type of angles. No bound is derived for less than f32, so nothing may declare that.
    pub(super) fn angles(self) -> Option<DType> {
        match self {
            Self::Exact => None,
            Self::F64 => Some(DType::F64),
            Self::F32 | Self::F16 | Self::BF16 | Self::Storage => Some(DType::F32),
        }
    }
}

/// The relative error of one rounding to a type: 2^-p.
pub(super) fn unit(dtype: DType) -> f64 {
    dtype.half_ulp_parts().0
}
