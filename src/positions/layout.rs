//! Layouts: which text, images and videos a sequence is made of, and their one-line text form.
//!
//! ```text
//! text:3 video:4x2x3 image:3x5 video:6x3x2@0.5s text:5
//! ```

mod error;
mod parse;
mod segment;

use std::fmt;
use std::ops::Range;

use serde_json::{Value, json};

use crate::numeric::Number;

pub use error::LayoutError;
use segment::check;
pub use segment::{MAX_MATERIALISED, MAX_SEGMENTS, MAX_TOKENS, Segment, SegmentKind};

/// A sequence of segments, never with an empty one, within [`MAX_TOKENS`] and [`MAX_SEGMENTS`].
///
/// Serialised as its text form.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Layout {
    segments: Vec<Segment>,
    /// Raw index of each segment's first token, and the token count at the end.
    starts: Vec<u64>,
}

impl Layout {
    /// A layout of these segments. No segment at all is allowed here (an empty sequence), though it has no text form.
    ///
    /// # Errors
    /// [`LayoutError`] without a place in a text, if a size is zero or a limit is exceeded.
    pub fn new(segments: Vec<Segment>) -> Result<Self, LayoutError> {
        let mut starts = Vec::with_capacity(segments.len() + 1);
        let mut tokens = 0;
        for (index, segment) in segments.iter().enumerate() {
            starts.push(tokens);
            let tokens_here = check(segment, index, tokens).map_err(|problem| problem.without_place(segment))?;
            tokens += tokens_here;
        }
        starts.push(tokens);
        Ok(Layout { segments, starts })
    }

    /// The segments in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Number of tokens of the whole sequence, at most [`MAX_TOKENS`].
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Raw indices of the tokens of a segment; empty beyond the last segment.
    #[must_use]
    pub fn token_range(&self, segment: usize) -> Range<u64> {
        match (self.starts.get(segment), self.starts.get(segment + 1)) {
            (Some(&start), Some(&end)) => start..end,
            _ => self.tokens()..self.tokens(),
        }
    }

    /// Index of the segment that holds a token, and the token's index inside it.
    #[must_use]
    pub fn locate(&self, token: u64) -> Option<(usize, u64)> {
        if token >= self.tokens() {
            return None;
        }
        // Segments are never empty, so the starts are strictly increasing.
        let segment = self.starts.partition_point(|&start| start <= token) - 1;
        Some((segment, token - self.starts[segment]))
    }

    /// Raw index of the first token of the first image or video; the token count if there is none.
    #[must_use]
    pub fn first_visual(&self) -> u64 {
        let visual = self.segments.iter().position(Segment::is_visual);
        visual.map_or(self.tokens(), |segment| self.starts[segment])
    }

    /// Whether all segments are text.
    #[must_use]
    pub fn is_text_only(&self) -> bool {
        !self.segments.iter().any(Segment::is_visual)
    }

    /// The first segments up to and including one, such as for asking what comes after it.
    #[must_use]
    pub fn up_to(&self, segment: usize) -> Layout {
        let count = (segment + 1).min(self.segments.len());
        let starts = if self.starts.is_empty() { Vec::new() } else { self.starts[..=count].to_vec() };
        Layout { segments: self.segments[..count].to_vec(), starts }
    }

    /// This layout with more segments after it.
    ///
    /// # Errors
    /// As [`Layout::new`].
    pub fn followed_by(&self, more: &Layout) -> Result<Layout, LayoutError> {
        Layout::new(self.segments.iter().chain(&more.segments).cloned().collect())
    }

    /// JSON form: `[{"text": 3}, {"video": [4, 2, 3], "seconds_per_frame": "1/2"}, {"image": [3, 5]}]`. The seconds
    /// are left out where they are 1.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let segment = |segment: &Segment| match segment {
            Segment::Text(n) => json!({"text": n}),
            Segment::Image { h, w } => json!({"image": [h, w]}),
            Segment::Video { t, h, w, seconds } if *seconds == Number::one() => json!({"video": [t, h, w]}),
            Segment::Video { t, h, w, seconds } => {
                json!({"video": [t, h, w], "seconds_per_frame": seconds.to_string()})
            }
        };
        Value::Array(self.segments.iter().map(segment).collect())
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{segment}")?;
        }
        Ok(())
    }
}

impl From<Layout> for String {
    fn from(layout: Layout) -> Self {
        layout.to_string()
    }
}
