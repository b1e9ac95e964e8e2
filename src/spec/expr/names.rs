//! The names a formula can use, and which of them a place in a scheme file offers.

use indexmap::IndexMap;

/// What a name in a formula stands for. `docs/spec.md` says which names each place offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// `p`: running position before the segment (only where all axes share one).
    P,
    /// `p_<axis>`, or `p` inside that axis' own formula, where each axis has its own running position.
    PAxis(usize),
    /// `i` in text: index of the token in its run, from 0.
    I,
    /// `n`: tokens of the segment (T*H*W for an image or a video).
    N,
    /// `T`: frames of the segment.
    T,
    /// `H`: rows of the segment.
    H,
    /// `W`: columns of the segment.
    W,
    /// `t`: frame of the cell, from 0.
    CellT,
    /// `h`: row of the cell, from 0.
    CellH,
    /// `w`: column of the cell, from 0.
    CellW,
    /// `k`: raster index of the cell in its segment, `(t*H + h)*W + w`.
    K,
    /// `seconds`: time from one frame of the segment to the next, in seconds, exact.
    Seconds,
    /// `token`: raw index of the token in the sequence, from 0.
    Token,
    /// `token0`: raw index of the segment's first token.
    Token0,
    /// `segment`: index of the segment in the sequence, from 0.
    Segment,
    /// `frames_before`: frames (images count one) of all earlier segments.
    FramesBefore,
    /// `visual_before`: visual segments before this one.
    VisualBefore,
    /// `first_visual`: raw index of the first visual token of the sequence (the token count, if there is none).
    FirstVisual,
    /// `layer`: index of the transformer layer, from 0.
    Layer,
    /// A parameter of the scheme, by index.
    Param(usize),
    /// A `let` of the segment's own rule, by index.
    Let(usize),
    /// `axis.NAME` or the bare axis name: position of the token on that axis.
    Axis(usize),
    /// `min_axis`: smallest position of the token over the axes.
    MinAxis,
    /// `max_axis`: largest position of the token over the axes.
    MaxAxis,
    /// `sum_axis`: sum of the token's positions over the axes.
    SumAxis,
    /// `step`: this minus the previous token of the same text run, on one axis (only where `i >= 1`).
    Step,
    /// `previous`: position of the text token before a visual segment, on one axis.
    Previous,
    /// `next`: position that a text token after a visual segment gets, on one axis.
    Next,
    /// `min_frame`: smallest position in the frame, on one axis.
    MinFrame,
    /// `max_frame`: largest position in the frame, on one axis.
    MaxFrame,
    /// `min_next_frame`: the same of the next frame of the segment.
    MinNextFrame,
    /// `max_next_frame`: the same of the next frame of the segment.
    MaxNextFrame,
    /// `min_first_frame`: smallest position in the segment's first frame, on one axis.
    MinFirstFrame,
    /// `max_first_frame`: largest position in the segment's first frame, on one axis.
    MaxFirstFrame,
    /// `min_last_frame`: smallest position in the segment's last frame, on one axis.
    MinLastFrame,
    /// `max_last_frame`: largest position in the segment's last frame, on one axis.
    MaxLastFrame,
    /// `collisions`: number of tokens that share all their positions with an earlier token.
    Collisions,
    /// `tokens`: tokens of the sequence.
    Tokens,
    /// `head_dim`: channels of a head.
    HeadDim,
    /// `d`: rotary width in channels.
    D,
    /// `R`: rotated pairs, `d / 2`.
    R,
    /// `i` in frequencies: index of the pair, from 0.
    PairI,
    /// `j` in frequencies: index of the pair among those of its axis, from 0.
    PairJ,
    /// `n_axis` in frequencies: pairs of this pair's axis.
    NAxisPairs,
    /// `length` in frequencies: length of the sequence that a plan is for.
    Length,
    /// A number of the scheme that differs per pair, by index.
    PerPair(usize),
    /// `q_heads`: query heads.
    QHeads,
    /// `k_heads`: key/value heads.
    KHeads,
    /// `fastest.NAME`: largest inverse frequency among the pairs of an axis.
    FastestOn(usize),
    /// `slowest.NAME`: smallest inverse frequency among the pairs of an axis.
    SlowestOn(usize),
    /// `pairs.NAME`: number of pairs of an axis.
    PairsOn(usize),
    /// A name of some other place (a fault's own formulas), by its index there.
    Slot(usize),
}

/// Another word for [`Name`], where it is used as a key.
pub type NameId = Name;

impl Name {
    /// True for names that have one value per axis, so that a condition over them must hold on each axis.
    #[must_use]
    pub fn is_per_axis(self) -> bool {
        matches!(
            self,
            Name::Step
                | Name::Previous
                | Name::Next
                | Name::MinFrame
                | Name::MaxFrame
                | Name::MinNextFrame
                | Name::MaxNextFrame
                | Name::MinFirstFrame
                | Name::MaxFirstFrame
                | Name::MinLastFrame
                | Name::MaxLastFrame
        )
    }
}

/// The names that one place of a scheme file offers.
#[derive(Debug, Clone, Default)]
pub struct Names {
    names: IndexMap<String, Name>,
    /// Further names inside `cells_min` and `cells_max`; `None` where those functions are not offered.
    cells: Option<IndexMap<String, Name>>,
    /// Names that exist elsewhere, and why they cannot be used here.
    unavailable: IndexMap<String, String>,
    /// What this place is called in messages, such as "a formula of `video`".
    place: String,
}

impl Names {
    /// No names yet. `place` is what messages call it, such as "the axis map".
    #[must_use]
    pub fn new(place: impl Into<String>) -> Self {
        Names { place: place.into(), ..Names::default() }
    }

    /// Adds a name; a name that is already there keeps its first meaning.
    #[must_use]
    pub fn with(mut self, text: impl Into<String>, name: Name) -> Self {
        self.add(text, name);
        self
    }

    /// Adds several names.
    #[must_use]
    pub fn with_all<'a>(mut self, all: impl IntoIterator<Item = (&'a str, Name)>) -> Self {
        for (text, name) in all {
            self.add(text, name);
        }
        self
    }

    /// Offers `cells_min` and `cells_max`, with these further names inside them.
    #[must_use]
    pub fn with_cells<'a>(mut self, all: impl IntoIterator<Item = (&'a str, Name)>) -> Self {
        let cells = self.cells.get_or_insert_with(IndexMap::new);
        for (text, name) in all {
            cells.entry(text.to_owned()).or_insert(name);
        }
        self
    }

    /// Says why a name that exists elsewhere cannot be used here.
    #[must_use]
    pub fn with_unavailable(mut self, text: &str, reason: &str) -> Self {
        self.unavailable.insert(text.to_owned(), reason.to_owned());
        self
    }

    /// Adds a name; a name that is already there keeps its first meaning. False if it was there.
    pub fn add(&mut self, text: impl Into<String>, name: Name) -> bool {
        let text = text.into();
        if self.names.contains_key(&text) {
            return false;
        }
        self.names.insert(text, name);
        true
    }

    /// What messages call this place.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Meaning of a name, inside or outside of a fold over cells. Inside, the cells' own names come first.
    pub(super) fn get(&self, text: &str, in_cells: bool) -> Option<Name> {
        let cells = if in_cells { self.cells.as_ref() } else { None };
        cells.and_then(|cells| cells.get(text)).or_else(|| self.names.get(text)).copied()
    }

    /// Whether `cells_min` and `cells_max` may be used here.
    pub(super) fn has_cells(&self) -> bool {
        self.cells.is_some()
    }

    /// Why a name that exists elsewhere cannot be used here.
    pub(super) fn unavailable(&self, text: &str) -> Option<&str> {
        self.unavailable.get(text).map(String::as_str)
    }

    /// Whether the name would be known inside `cells_min` or `cells_max`.
    pub(super) fn only_in_cells(&self, text: &str) -> bool {
        self.cells.as_ref().is_some_and(|cells| cells.contains_key(text))
    }

    /// All names offered, in order of declaration.
    pub(super) fn all(&self, in_cells: bool) -> impl Iterator<Item = &str> {
        let cells = if in_cells { self.cells.as_ref() } else { None };
        self.names.keys().chain(cells.into_iter().flat_map(|cells| cells.keys())).map(String::as_str)
    }
}
