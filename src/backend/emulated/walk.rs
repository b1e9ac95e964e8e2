//! What is read where: the hook for kernels that compute well and fetch the wrong thing.

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// Batch row whose position is read.
    pub row: usize,
    /// Token whose position is read.
    pub token: usize,
    /// Axis whose position is read; 255: none.
    pub axis: u8,
    /// Pair whose frequency is used.
    pub pair: usize,
    /// How the pair is turned.
    pub turning: Turning,
}

impl From<Place> for Fetch {
    /// What an honest kernel reads.
    fn from(place: Place) -> Self {
        let Place { row, token, axis, pair, .. } = place;
        Fetch { row, token, axis, pair, turning: Turning::Right }
    }
}

/// A kernel's walk over its tensors. Every method's default is the honest one; a fault overrides what it gets wrong. Indices that are
/// beyond a size read position 0, frequency 0 or no channel.
pub trait Walk: Send + Sync {
    /// What a pair is computed from.
    fn fetch(&self, place: Place, sizes: &Sizes) -> Fetch {
        let _ = sizes;
        place.into()
    }

    /// The two channels of a pair, both for reading and for writing. `honest` are those that the pairing says.
    fn channels(&self, place: Place, sizes: &Sizes, honest: (usize, usize)) -> (usize, usize) {
        let _ = (place, sizes);
        honest
    }

    /// Where the inputs of a head come from: batch row, token, head of the same side.
    fn input(&self, place: Place, sizes: &Sizes) -> (usize, usize, usize) {
        let _ = sizes;
        (place.row, place.token, place.head)
    }

    /// Whether a head of a token is written at all (`pair` and `axis` of the place mean nothing).
    fn writes(&self, place: Place, sizes: &Sizes) -> bool {
        let _ = (place, sizes);
        true
    }
}
