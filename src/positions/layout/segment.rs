//! The segments of a layout, and their limits.

use std::fmt;

use super::error::Problem;
use crate::numeric::Number;

/// Most tokens a layout may have (2^31). Positions are only materialised for far smaller windows,
/// see [`MAX_MATERIALISED`].
pub const MAX_TOKENS: u64 = 1 << 31;
/// Most tokens whose positions are held in memory at once (16 Mi).
pub const MAX_MATERIALISED: u64 = 16 << 20;
/// Most segments a layout may have.
pub const MAX_SEGMENTS: usize = 4096;
/// Seconds between frames may not exceed this.
const MAX_SECONDS: i64 = 1_000_000;

/// What a segment is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentKind {
    /// Text.
    Text,
    /// An image.
    Image,
    /// A video.
    Video,
}

impl SegmentKind {
    /// Every kind with its name, in the order of their numbers.
    pub const NAMES: [(&str, SegmentKind); 3] =
        [("text", SegmentKind::Text), ("image", SegmentKind::Image), ("video", SegmentKind::Video)];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        SegmentKind::NAMES[self as usize].0
    }

    /// Whether it is an image or a video.
    #[must_use]
    pub fn is_visual(self) -> bool {
        self != SegmentKind::Text
    }
}

/// One part of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum Segment {
    /// So many text tokens.
    Text(u32),
    /// An image of `h` rows and `w` columns of tokens.
    Image {
        /// Rows.
        h: u32,
        /// Columns.
        w: u32,
    },
    /// A video of `t` frames of `h` rows and `w` columns of tokens.
    Video {
        /// Frames.
        t: u32,
        /// Rows.
        h: u32,
        /// Columns.
        w: u32,
        /// Seconds from one frame to the next, positive and exact; 1 unless said otherwise.
        seconds: Number,
    },
}

impl Segment {
    /// A video with one second between frames.
    #[must_use]
    pub fn video(t: u32, h: u32, w: u32) -> Self {
        Segment::Video { t, h, w, seconds: Number::one() }
    }

    /// Number of tokens.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        let [t, h, w] = self.grid().unwrap_or([1, 1, 0]).map(u64::from);
        match self {
            Segment::Text(n) => u64::from(*n),
            // The product of three u32 may not fit; anything that large is refused by `Layout::new`.
            _ => t.checked_mul(h).and_then(|cells| cells.checked_mul(w)).unwrap_or(u64::MAX),
        }
    }

    /// Frames, rows and columns of an image (one frame) or a video; `None` for text.
    #[must_use]
    pub fn grid(&self) -> Option<[u32; 3]> {
        match self {
            Segment::Text(_) => None,
            Segment::Image { h, w } => Some([1, *h, *w]),
            Segment::Video { t, h, w, .. } => Some([*t, *h, *w]),
        }
    }

    /// Whether it is an image or a video.
    #[must_use]
    pub fn is_visual(&self) -> bool {
        !matches!(self, Segment::Text(_))
    }

    /// What it is made of.
    #[must_use]
    pub fn made_of(&self) -> SegmentKind {
        match self {
            Segment::Text(_) => SegmentKind::Text,
            Segment::Image { .. } => SegmentKind::Image,
            Segment::Video { .. } => SegmentKind::Video,
        }
    }

    /// `text`, `image` or `video`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.made_of().name()
    }

    /// Seconds from one frame to the next; 1 for an image and for text, where they mean nothing.
    #[must_use]
    pub fn seconds(&self) -> Number {
        match self {
            Segment::Video { seconds, .. } => seconds.clone(),
            _ => Number::one(),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Text(n) => write!(f, "text:{n}"),
            Segment::Image { h, w } => write!(f, "image:{h}x{w}"),
            Segment::Video { t, h, w, seconds } => {
                write!(f, "video:{t}x{h}x{w}")?;
                if *seconds != Number::one() {
                    write!(f, "@{seconds}s")?;
                }
                Ok(())
            }
        }
    }
}

/// Tokens of a segment that is the `index`-th and comes after `before` tokens, if all limits are kept.
pub(super) fn check(segment: &Segment, index: usize, before: u64) -> Result<u64, Problem> {
    if index >= MAX_SEGMENTS {
        return Err(Problem::new(format!("at most {MAX_SEGMENTS} segments"), "one more"));
    }
    let sizes = match segment {
        Segment::Text(n) => vec![*n],
        _ => segment.grid().unwrap_or_default().to_vec(),
    };
    if sizes.contains(&0) {
        return Err(Problem::new("sizes of at least 1", "a size of 0").help("leave an empty segment out"));
    }
    let seconds = segment.seconds();
    let limit = Number::from_i64(MAX_SECONDS);
    if seconds <= Number::zero() || seconds > limit {
        return Err(Problem::new(format!("seconds above 0 and up to {MAX_SECONDS}"), seconds.to_string()));
    }
    // The C interface hands seconds over as a fraction of two 64-bit integers.
    let fits = |(num, den): (i128, i128)| i64::try_from(num).is_ok() && i64::try_from(den).is_ok();
    if !seconds.as_ratio().is_some_and(fits) {
        return Err(Problem::new("seconds as a fraction of 64-bit integers", seconds.to_string()));
    }
    let tokens = segment.tokens();
    match before.checked_add(tokens) {
        Some(total) if total <= MAX_TOKENS => Ok(tokens),
        Some(total) if total < u64::MAX => {
            Err(Problem::new(format!("at most 2^31 = {MAX_TOKENS} tokens in all"), format!("{total} up to here")))
        }
        _ => Err(Problem::new(format!("at most 2^31 = {MAX_TOKENS} tokens in all"), "more than 2^64")),
    }
}
