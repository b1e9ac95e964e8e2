//! Layouts: which text, images and videos a sequence is made of, and their one-line text form.
//!
//! ```text
//! text:3 video:4x2x3 image:3x5 video:6x3x2@0.5s text:5
//! ```

mod parse;

use std::fmt;
use std::ops::Range;

use serde_json::{Value, json};

use crate::numeric::Number;

/// Most tokens a layout may have (2^31). Positions are only materialised for far smaller windows,
/// see [`MAX_MATERIALISED`].
pub const MAX_TOKENS: u64 = 1 << 31;
/// Most tokens whose positions are held in memory at once (16 Mi).
pub const MAX_MATERIALISED: u64 = 16 << 20;
/// Most segments a layout may have.
pub const MAX_SEGMENTS: usize = 4096;

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

    /// `text`, `image` or `video`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Segment::Text(_) => "text",
            Segment::Image { .. } => "image",
            Segment::Video { .. } => "video",
        }
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
            let tokens_here = parse::check(segment, index, tokens).map_err(|problem| problem.without_place(segment))?;
            tokens += tokens_here;
        }
        starts.push(tokens);
        Ok(Layout { segments, starts })
    }

    /// Reads the text form. Segments are separated by spaces, `+` or `,`.
    ///
    /// # Errors
    /// [`LayoutError`] with the place, what was expected and what was found.
    pub fn parse(text: &str) -> Result<Self, LayoutError> {
        parse::parse(text)
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

    /// Reads the JSON form; seconds may also be a JSON number, taken as the decimal that is written.
    ///
    /// # Errors
    /// [`LayoutError`] without a place in a text.
    pub fn from_json(value: &Value) -> Result<Self, LayoutError> {
        parse::from_json(value)
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

impl TryFrom<String> for Layout {
    type Error = LayoutError;

    /// As [`Layout::parse`], but nothing at all is the empty sequence.
    fn try_from(text: String) -> Result<Self, LayoutError> {
        if text.is_empty() { Layout::new(Vec::new()) } else { Layout::parse(&text) }
    }
}

impl std::str::FromStr for Layout {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        Layout::parse(text)
    }
}

/// Why something is not a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutError(Box<Mistake>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mistake {
    column: Option<usize>,
    expected: String,
    found: String,
    help: Option<String>,
    excerpt: Option<[String; 2]>,
}

impl LayoutError {
    /// Column of the mistake in the text, in characters from 1; `None` if there was no text.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.0.column
    }

    /// The part of the text around the mistake, and a line of carets under it.
    #[must_use]
    pub fn excerpt(&self) -> Option<&[String; 2]> {
        self.0.excerpt.as_ref()
    }
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake { column, expected, found, help, excerpt } = &*self.0;
        if let Some(column) = column {
            write!(f, "layout, column {column}: ")?;
        } else {
            f.write_str("layout: ")?;
        }
        write!(f, "expected {expected}, found {found}")?;
        if let Some([text, carets]) = excerpt {
            write!(f, "\n  {text}\n  {carets}")?;
        }
        if let Some(help) = help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LayoutError {}
