//! What is read where: the hook for kernels that compute well and fetch the wrong thing.

use crate::case::Level;
use crate::numeric::Dd;
use crate::rotation::RotationPlan;
use crate::spec::model::Pairing;

/// Query or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// q
    Query,
    /// k
    Key,
}

/// One pair of one head of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairPlace {
    /// q or k.
    pub side: Operand,
    /// Batch row.
    pub row: usize,
    /// Token of the call.
    pub token: usize,
    /// Head of its side.
    pub head: usize,
    /// Pair. 0 where a whole head is meant, and on level positions.
    pub pair: usize,
    /// The axis that turns the pair; 255: none. On level positions the axis that is written.
    pub axis: u8,
}

/// What a call is like.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// Level that is called: positions, rotate or fused.
    pub level: Level,
    /// Number of the call since this kernel was started, from 0.
    pub call: u64,
    /// Batch rows.
    pub rows: usize,
    /// Tokens of a row in this call.
    pub tokens: usize,
    /// First token of the call in its layout; 0 on level rotate.
    pub start: usize,
    /// Tokens of the whole layout; on level rotate those of the call.
    pub total: usize,
    /// Query heads; 0 on level positions.
    pub q_heads: usize,
    /// Key heads.
    pub k_heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Rotated channels.
    pub rotary_dim: usize,
    /// First of them.
    pub rotary_offset: usize,
    /// Axes of a position.
    pub axes: usize,
    /// 1 or -1.
    pub direction: i32,
    /// Attention scaling.
    pub scaling: f64,
    /// Whether outputs lie on the inputs.
    pub in_place: bool,
    /// Axes and frequencies of all pairs; `None` on level positions.
    pub plan: Option<&'a RotationPlan>,
}

/// What a place is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// Batch row whose position is read.
    pub row: usize,
    /// Token of the layout (level rotate: of the call) whose position is read.
    pub token: usize,
    /// Axis whose position is read; 255: none.
    pub axis: u8,
    /// Pair whose frequency is used.
    pub pair: usize,
}

impl Fetch {
    /// What an honest kernel reads.
    #[must_use]
    pub fn honest(place: PairPlace, scene: &Scene<'_>) -> Self {
        Fetch { row: place.row, token: scene.start + place.token, axis: place.axis, pair: place.pair }
    }
}

/// What becomes of a pair, or of the channels that are not rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is turned. Channels that are not rotated are copied.
    Turn,
    /// It is copied.
    Copy,
    /// It becomes 0.
    Zero,
    /// Nothing is written.
    Skip,
}

/// A kernel's walk over its tensors. Every method's default is the honest one; a fault overrides what it gets wrong. What lies
/// beyond a tensor or a layout reads as position 0, or as the first row.
pub trait Walk: Send + Sync {
    /// What a pair's angle is computed from.
    fn fetch(&self, place: PairPlace, scene: &Scene<'_>) -> Fetch {
        Fetch::honest(place, scene)
    }

    /// The position that is used where `position` was read.
    fn position(&self, place: PairPlace, scene: &Scene<'_>, position: Dd) -> Dd {
        let _ = (place, scene);
        position
    }

    /// Factors on the cosine and the sine of a pair.
    fn factors(&self, place: PairPlace, scene: &Scene<'_>) -> (f64, f64) {
        let _ = (place, scene);
        (1.0, 1.0)
    }

    /// Where the inputs of a head come from: side, batch row, token of the call, head.
    fn input(&self, place: PairPlace, scene: &Scene<'_>) -> (Operand, usize, usize, usize) {
        let _ = scene;
        (place.side, place.row, place.token, place.head)
    }

    /// What becomes of a pair.
    fn action(&self, place: PairPlace, scene: &Scene<'_>) -> Action {
        let _ = (place, scene);
        Action::Turn
    }

    /// What becomes of the channels of a head that are not rotated.
    fn tail(&self, place: PairPlace, scene: &Scene<'_>) -> Action {
        let _ = (place, scene);
        Action::Copy
    }

    /// The pairing that is used where `pairing` was asked for.
    fn pairing(&self, scene: &Scene<'_>, pairing: Pairing) -> Pairing {
        let _ = scene;
        pairing
    }

    /// The rotary width that is used, from the same offset on, as far as the head goes.
    fn width(&self, scene: &Scene<'_>) -> usize {
        scene.rotary_dim
    }
}
