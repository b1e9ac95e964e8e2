//! The position of every token of a layout on every axis, and where the sequence goes on.

use std::ops::Range;

use crate::numeric::Number;
use crate::spec::expr::EvalError;
use crate::spec::model::Running;

use super::column::Column;
use super::layout::Layout;
use super::layout::MAX_MATERIALISED;
use super::segment::SegmentContext;

/// The running position after a sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// One for all axes.
    Shared(Number),
    /// One per axis, in axis order.
    PerAxis(Vec<Number>),
}

impl Next {
    /// The running position of an axis.
    #[must_use]
    pub fn on(&self, axis: usize) -> Option<&Number> {
        match self {
            Next::Shared(value) => Some(value),
            Next::PerAxis(values) => values.get(axis),
        }
    }

    pub(super) fn of(values: &[Number], running: Running) -> Self {
        match (running, values) {
            (Running::Shared, [value]) => Next::Shared(value.clone()),
            _ => Next::PerAxis(values.to_vec()),
        }
    }

    pub(super) fn into_values(self) -> Vec<Number> {
        match self {
            Next::Shared(value) => vec![value],
            Next::PerAxis(values) => values,
        }
    }
}

/// What a sequence has behind it when a layout begins: nothing, unless it continues another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// Running position; `None` is 0 on every axis.
    pub running: Option<Next>,
    /// Tokens before.
    pub tokens: u64,
    /// Segments before.
    pub segments: u64,
    /// Frames before; an image counts one.
    pub frames: u64,
    /// Images and videos before.
    pub visuals: u64,
    /// Raw index of the first visual token before, if there was one.
    pub first_visual: Option<u64>,
}

impl Origin {
    /// The start of a sequence.
    pub const START: Origin =
        Origin { running: None, tokens: 0, segments: 0, frames: 0, visuals: 0, first_visual: None };
}

/// Positions of the tokens of a layout, or of a window of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Positions {
    pub(super) axes: Vec<String>,
    pub(super) layout: Layout,
    pub(super) window: Range<u64>,
    pub(super) columns: Vec<Column>,
    pub(super) contexts: Vec<SegmentContext>,
    /// For every visual segment: the position on each axis that a text token right after it gets, where it is known.
    pub(super) resume: Vec<Option<Vec<Number>>>,
    pub(super) next: Next,
}

impl Positions {
    /// Axis names, in the scheme's order.
    #[must_use]
    pub fn axes(&self) -> &[String] {
        &self.axes
    }

    /// The layout.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Raw indices of the tokens held.
    #[must_use]
    pub fn window(&self) -> Range<u64> {
        self.window.clone()
    }

    /// Whether the positions of all tokens of the layout are held.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.window == (0..self.layout.tokens())
    }

    /// Positions on one axis, in token order; entry 0 is the window's first token.
    #[must_use]
    pub fn column(&self, axis: usize) -> Option<&Column> {
        self.columns.get(axis)
    }

    /// All axes, in axis order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Position of a token (raw index) on an axis; `None` outside of the window.
    #[must_use]
    pub fn get(&self, axis: usize, token: u64) -> Option<Number> {
        let index = self.index(token)?;
        self.columns.get(axis)?.get(index)
    }

    /// Position of a token (raw index) on every axis; `None` outside of the window.
    #[must_use]
    pub fn token(&self, token: u64) -> Option<Vec<Number>> {
        let index = self.index(token)?;
        self.columns.iter().map(|column| column.get(index)).collect()
    }

    fn index(&self, token: u64) -> Option<usize> {
        if self.window.contains(&token) { usize::try_from(token - self.window.start).ok() } else { None }
    }

    /// Exact positions, axis by axis.
    #[must_use]
    pub fn rows(&self) -> Vec<Vec<Number>> {
        self.columns.iter().map(Column::to_numbers).collect()
    }

    /// Running position after the whole layout.
    #[must_use]
    pub fn next(&self) -> &Next {
        &self.next
    }

    /// What the formulas of each segment saw, in segment order.
    #[must_use]
    pub fn contexts(&self) -> &[SegmentContext] {
        &self.contexts
    }

    /// Position that a text token right after a visual segment gets, per axis; `None` for text and where it is unknown.
    #[must_use]
    pub fn resume_after(&self, segment: usize) -> Option<&[Number]> {
        self.resume.get(segment)?.as_deref()
    }

    /// Where a sequence that continues this layout begins.
    #[must_use]
    pub fn origin_after(&self) -> Origin {
        let before = self.contexts.first();
        let visual = |segment: &&SegmentContext| segment.segment.is_visual();
        let frames = |segment: &SegmentContext| segment.segment.grid().map_or(0, |[t, _, _]| u64::from(t));
        let has_visual = self.contexts.iter().any(|segment| segment.segment.is_visual());
        let earlier_visual = before.is_some_and(|segment| segment.visual_before > 0);
        Origin {
            running: Some(self.next.clone()),
            tokens: before.map_or(0, |segment| segment.token0) + self.layout.tokens(),
            segments: before.map_or(0, |segment| segment.index) + self.contexts.len() as u64,
            frames: before.map_or(0, |segment| segment.frames_before) + self.contexts.iter().map(frames).sum::<u64>(),
            visuals: before.map_or(0, |segment| segment.visual_before)
                + self.contexts.iter().filter(visual).count() as u64,
            first_visual: before.filter(|_| has_visual || earlier_visual).map(|segment| segment.first_visual),
        }
    }
}

/// Why there are no positions.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PositionError {
    /// More positions than are held in memory.
    #[error(
        "{tokens} positions are asked for at once; at most {MAX_MATERIALISED} are held in memory, so ask for a window"
    )]
    TooLarge {
        /// Tokens asked for.
        tokens: u64,
    },
    /// The window is not inside the layout.
    #[error("tokens {window:?} are asked for, but the layout has {tokens}")]
    Window {
        /// Tokens asked for.
        window: Range<u64>,
        /// Tokens of the layout.
        tokens: u64,
    },
    /// Positions from elsewhere have the wrong shape.
    #[error("expected positions of {tokens} tokens on {axes} axes")]
    Shape {
        /// Axes of the scheme.
        axes: usize,
        /// Tokens of the layout.
        tokens: u64,
    },
    /// A formula has no value.
    #[error("{place}: `{formula}`: {error}")]
    Formula {
        /// Scheme, segment, token and axis.
        place: String,
        /// The formula.
        formula: String,
        /// Why not.
        error: EvalError,
    },
}
