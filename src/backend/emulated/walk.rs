//! What is read where: the hook for kernels that compute well and fetch the wrong thing.

use crate::numeric::Dd;

/// Query or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// q
    Query,
    /// k
    Key,
}

/// One pair of one head of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// q or k.
    pub side: Side,
    /// Batch row.
    pub row: usize,
    /// Token of the call.
    pub token: usize,
    /// Head of its side.
    pub head: usize,
    /// Pair.
    pub pair: usize,
    /// The axis that turns the pair; 255: none.
    pub axis: u8,
}

/// Sizes of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Batch rows.
    pub rows: usize,
    /// Tokens of a row.
    pub tokens: usize,
    /// Query heads.
    pub q_heads: usize,
    /// Key heads.
    pub k_heads: usize,
    /// Rotated pairs.
    pub pairs: usize,
    /// Axes of a position.
    pub axes: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// First token of the call in its layout; 0 on level rotate.
    pub start: usize,
    /// Tokens of the layout; those of the call on level rotate.
    pub total: usize,
    /// 1 or -1.
    pub direction: i32,
    /// Attention scaling.
    pub scaling: f64,
    /// Whether the outputs are the inputs.
    pub in_place: bool,
    /// Number of the call since the kernel was started, from 0.
    pub call: u64,
    /// Whether the kernel finds the positions itself.
    pub finds_positions: bool,
}

/// What becomes of a pair's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fill {
    /// The rotated values are written.
    #[default]
    Rotated,
    /// The inputs are copied.
    Copied,
    /// Zeros are written.
    Zero,
    /// Nothing is written.
    Nothing,
}

/// Which way a pair is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turning {
    /// As the call says.
    #[default]
    Right,
    /// The other way.
    Backwards,
    /// Not turned, only scaled.
    Not,
}

/// What a place is computed from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fetch {
    /// Batch row whose position is read.
    pub row: usize,
    /// Token of the layout whose position is read (on level rotate: of the call).
    pub token: usize,
    /// Axis whose position is read; 255: none.
    pub axis: u8,
    /// Pair whose frequency is used.
    pub pair: usize,
    /// Pair whose axis is read, unless `axis` says otherwise.
    pub axis_pair: usize,
    /// How the pair is turned.
    pub turning: Turning,
    /// Further factors on cosine and sine.
    pub factors: (f64, f64),
    /// What is written.
    pub fill: Fill,
}

impl Fetch {
    /// What an honest kernel reads and writes.
    #[must_use]
    pub fn honest(place: Place, sizes: &Sizes) -> Self {
        let Place { row, token, axis, pair, .. } = place;
        let token = sizes.start + token;
        Fetch {
            row,
            token,
            axis,
            pair,
            axis_pair: pair,
            turning: Turning::Right,
            factors: (1.0, 1.0),
            fill: Fill::Rotated,
        }
    }
}

/// A kernel's walk over its tensors. Every method's default is the honest one; a fault overrides what it gets wrong. Indices that are
/// beyond a size read position 0, frequency 0 or no channel.
pub trait Walk: Send + Sync {
    /// What a pair is computed from.
    fn fetch(&self, place: Place, sizes: &Sizes) -> Fetch {
        Fetch::honest(place, sizes)
    }

    /// The position that is used where `position` was read.
    fn position(&self, place: Place, sizes: &Sizes, position: Dd) -> Dd {
        let _ = (place, sizes);
        position
    }

    /// The two channels of a pair, both for reading and for writing. `honest` are those that the pairing says.
    fn channels(&self, place: Place, sizes: &Sizes, honest: (usize, usize)) -> (usize, usize) {
        let _ = (place, sizes);
        honest
    }

    /// Where the inputs of a head come from: side, batch row, token of the call, head.
    fn input(&self, place: Place, sizes: &Sizes) -> (Side, usize, usize, usize) {
        let _ = sizes;
        (place.side, place.row, place.token, place.head)
    }

    /// Whether a head of a token is written at all (`pair` and `axis` of the place mean nothing).
    fn writes(&self, place: Place, sizes: &Sizes) -> bool {
        let _ = (place, sizes);
        true
    }
}
