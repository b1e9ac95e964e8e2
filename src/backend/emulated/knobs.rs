//! What of an emulated kernel can be set: honest variants, and faults as data. The default is honest.

use crate::numeric::DType;

/// Which product a fused multiply-add takes in without rounding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fused {
    /// None, unless the contract says that one always is.
    #[default]
    None,
    /// The product with the cosine.
    OfCos,
    /// The product with the sine.
    OfSin,
}

/// By how much a library's function errs, within the ulps that the contract declares. A function of its arguments, so that
/// equal calls give equal bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LibraryErrors {
    /// Correctly rounded.
    #[default]
    None,
    /// Anywhere within.
    Random,
    /// As much too large as may be.
    Up,
    /// As much too small as may be.
    Down,
    /// One of the two ends, by the bits of the argument.
    Alternating,
}

/// How the sine and cosine of an angle are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trig {
    /// As the contract says.
    #[default]
    Honest,
    /// Like a hardware instruction: turns in f32, on a grid of 2^-23. The absolute error is 2^-21.4 up to pi and grows with
    /// the angle.
    Hardware,
    /// x - n * fl32(pi/2): right but for that one word.
    OneWord,
    /// A polynomial around 0 and no reduction at all: useless from about 5 radians on.
    Unreduced,
}

/// How kernels that shear come by the tangent of half the angle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HalfTangent {
    /// From what is kept of cosine and sine, in the type of the arithmetic.
    #[default]
    OfTable,
    /// From cosine and sine in f32, and kept itself.
    OfFactors,
    /// From a function of the library, and kept itself.
    Function,
}

/// How a result becomes a number of the storage type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storing {
    /// As the contract says.
    #[default]
    Honest,
    /// Cut off; where storage and arithmetic have one type, the sum is.
    TowardZero,
    /// Rounded to this type first, such as bf16 by way of f16.
    Through(DType),
    /// What is beyond the range becomes the largest number.
    Saturating,
}

/// Everything that can be set. `Knobs::default()` is an honest kernel: correctly rounded functions, no fused multiply-add.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Knobs {
    /// Honest unless the contract forbids it: which product is fused with the sum.
    pub fused: Fused,
    /// Honest: operations in a narrow type are done in f32 and rounded again.
    pub through_f32: bool,
    /// Honest where the contract says so: subnormals become 0, as inputs and as results of operations.
    pub flush: bool,
    /// Honest: how library functions err.
    pub library: LibraryErrors,
    /// Honest: where the tangent of half an angle comes from.
    pub tangent: HalfTangent,
    /// Of random errors.
    pub seed: u64,
    /// Positions are rounded to this type; integer types cut off.
    pub position_type: Option<DType>,
    /// Positions are taken modulo 2^this.
    pub position_bits: Option<u32>,
    /// Frequencies are rounded to this type.
    pub frequency_type: Option<DType>,
    /// Frequencies are powers of this base.
    pub base: Option<f64>,
    /// Angles are rounded to this type.
    pub angle_type: Option<DType>,
    /// Sine and cosine.
    pub trig: Trig,
    /// Cosines and sines are kept in this type, whatever the contract says.
    pub table_type: Option<DType>,
    /// Products and sums are in this type, whatever the contract says.
    pub arithmetic_type: Option<DType>,
    /// Inputs are rounded to this type.
    pub load_through: Option<DType>,
    /// How results are stored.
    pub storing: Storing,
    /// The last pair is only scaled.
    pub last_pair_unrotated: bool,
}
