//! What a spec says, once it has been read: a [`Scheme`] is one scheme under one profile, with every name in its
//! formulas resolved. Nothing here knows a scheme by name.

use std::sync::Arc;

use crate::numeric::Number;

use super::expr::{Expr, Name};
use super::hf_names::HfNames;

/// One scheme under one profile, ready to run.
#[derive(Debug, Clone)]
pub struct Scheme {
    /// Kebab-case name, such as `vrope`.
    pub name: String,
    /// Profile name, such as `official`; `default` where the file names none.
    pub profile: String,
    /// Whether this is the profile that the bare name means.
    pub is_default_profile: bool,
    /// Whether a run takes it only where its name is given: by the manifest, an option or the user's own file.
    pub by_name: bool,
    /// Other names that mean this scheme, such as `rope-3d`.
    pub aliases: Vec<String>,
    /// One line.
    pub title: String,
    /// Papers and repositories that the formulas come from.
    pub sources: Vec<Source>,
    /// Where sources disagree, or disagree with the mathematics.
    pub errata: Vec<String>,
    /// Named numbers that a caller may set.
    pub parameters: Vec<Parameter>,
    /// Axis names, in order.
    pub axes: Vec<String>,
    /// Whether the axes share one running position.
    pub running: Running,
    /// Rule for text tokens.
    pub text: TextRule,
    /// Rule for an image; `None` means the video rule with T = 1.
    pub image: Option<VisualRule>,
    /// Rule for a video.
    pub video: VisualRule,
    /// Pairing that the scheme's own code uses; backends are judged in every pairing they offer.
    pub pairing: Pairing,
    /// Rotary width, in channels, over `head_dim` and parameters.
    pub rotary_dim: Expr,
    /// First rotated channel, over `head_dim`, `d` and parameters.
    pub rotary_offset: Expr,
    /// Which axis rotates which pair.
    pub axis_map: AxisMap,
    /// For which numbers of pairs the axis map is defined.
    pub pairs: PairLimits,
    /// Named numbers that differ from pair to pair, in an order in which each uses only earlier ones.
    pub per_pair: Vec<PerPair>,
    /// Frequency of a pair. One formula for all axes or one per axis (in axis order).
    pub inv_freq: Vec<Expr>,
    /// Factor on cos and sin.
    pub attention_scaling: Expr,
    /// How a `config.json` says that a model has it.
    pub hf: HfNames,
    /// What the scheme states about itself, in file order.
    pub invariants: Vec<Invariant>,
    /// File that the scheme was read from, as shown to people.
    pub file: String,
    /// SHA-256 of the text that was read, in hex.
    pub sha256: String,
    /// SHA-256 of what the scheme means, in hex: of its formulas, parameters and axis map, whatever the text.
    pub meaning: String,
}

impl Scheme {
    /// `name@profile`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.profile)
    }

    /// Whether frequencies or attention scaling depend on the length of the sequence.
    #[must_use]
    pub fn depends_on_length(&self) -> bool {
        let per_pair = self.per_pair.iter().filter_map(PerPair::formula);
        let mut formulas = per_pair.chain(&self.inv_freq).chain([&self.attention_scaling]);
        formulas.any(|formula| formula.uses(Name::Length)) || self.parameters.iter().any(|one| one.needs_length)
    }
}

/// A named number that differs from pair to pair.
#[derive(Debug, Clone)]
pub struct PerPair {
    /// Name, as the formulas of frequencies use it.
    pub name: String,
    /// Its value for each pair.
    pub numbers: PairNumbers,
}

impl PerPair {
    /// Its formula; `None` for a list.
    #[must_use]
    pub fn formula(&self) -> Option<&Expr> {
        match &self.numbers {
            PairNumbers::Formula(formula) => Some(formula),
            PairNumbers::List(_) => None,
        }
    }
}

/// Where a number of each pair comes from.
#[derive(Debug, Clone)]
pub enum PairNumbers {
    /// One for each pair; the scheme is then defined for so many pairs alone.
    List(Vec<Number>),
    /// Over what a frequency may use.
    Formula(Expr),
}

/// A paper or a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `paper`, `code`, `text` (a web page or documentation) or `ours`.
    pub kind: String,
    /// Such as `arXiv:2502.11664v1` or `johncaged/VRoPE vrope.py @6a7adbc`.
    pub reference: String,
    /// Section or table, where there is one.
    pub section: Option<String>,
}

/// A named number of a scheme.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Name, as formulas use it.
    pub name: String,
    /// Default, over earlier parameters (and `R`, `d`, `head_dim` where only maps and frequencies use it).
    pub default: Expr,
    /// Smallest value allowed.
    pub min: Option<Number>,
    /// Largest value allowed.
    pub max: Option<Number>,
    /// Must be an integer.
    pub integer: bool,
    /// One line for `explain`.
    pub doc: String,
    /// True if the default needs `R`, `d`, `head_dim` or `length`, so that positions cannot use it.
    pub needs_plan: bool,
    /// True if the default needs `length`, so that the axis map cannot use it either.
    pub needs_length: bool,
}

/// How positions go on after a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// One running position `p` for all axes.
    Shared,
    /// Each axis has its own, `p` inside the axis' formula and `p_<axis>` everywhere.
    PerAxis,
}

/// Rule for a run of text.
#[derive(Debug, Clone)]
pub struct TextRule {
    /// Formula per axis (in axis order).
    pub axes: Vec<Expr>,
    /// How the running position goes on.
    pub step: Step,
}

/// Rule for an image or a video.
#[derive(Debug, Clone)]
pub struct VisualRule {
    /// Named intermediate values, in an order in which each uses only earlier ones.
    pub lets: Vec<Let>,
    /// Formula per axis (in axis order).
    pub axes: Vec<Expr>,
    /// How the running position goes on.
    pub step: Step,
}

/// A named intermediate value.
#[derive(Debug, Clone)]
pub struct Let {
    /// Name.
    pub name: String,
    /// Formula.
    pub formula: Expr,
    /// How often it must be evaluated.
    pub tier: Tier,
}

/// What a value depends on, hence how often it must be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Same for the whole segment.
    Segment,
    /// Depends on the frame `t` alone.
    Frame,
    /// Depends on the cell.
    Cell,
}

/// How the running position goes on after a segment: one formula if shared, else one per axis.
#[derive(Debug, Clone)]
pub enum Step {
    /// next = p + formula
    Advance(Vec<Expr>),
    /// next = formula
    Next(Vec<Expr>),
}

/// Which two channels form a pair.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Pairing {
    /// Channels i and i + R of the rotary width (NeoX, rotate_half).
    Half,
    /// Channels 2i and 2i + 1 (GPT-J).
    Adjacent,
}

impl Pairing {
    /// Each with its name in specs, manifests and cases.
    pub const NAMES: [(&str, Pairing); 2] = [("half", Pairing::Half), ("adjacent", Pairing::Adjacent)];
}

/// Which axis rotates which pair.
#[derive(Debug, Clone)]
pub enum AxisMap {
    /// The same for every head.
    Shared(Vec<PairRun>),
    /// Groups of key/value heads, in head order; query head q uses the map of kv head floor(q / (q_heads / kv_heads)).
    PerHead(Vec<HeadGroup>),
}

/// Some key/value heads that share a map.
#[derive(Debug, Clone)]
pub struct HeadGroup {
    /// How many, over `k_heads`, `q_heads`, `R`, `d`, `head_dim` and parameters; `None` is the rest (at most one).
    pub heads: Option<Expr>,
    /// Their map.
    pub runs: Vec<PairRun>,
}

/// For which numbers of pairs R an axis map is defined: from `min` to `max`, in steps of `multiple_of` counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairLimits {
    /// Fewest pairs, at least 1.
    pub min: usize,
    /// Most pairs; `None` is no limit.
    pub max: Option<usize>,
    /// R is a multiple of this, at least 1.
    pub multiple_of: usize,
}

impl PairLimits {
    /// Whether the map is defined for R pairs.
    #[must_use]
    pub fn allow(&self, pairs: usize) -> bool {
        pairs >= self.min && self.max.is_none_or(|max| pairs <= max) && pairs.is_multiple_of(self.multiple_of)
    }
}

/// A run of consecutive pairs whose axes repeat with a period.
#[derive(Debug, Clone)]
pub struct PairRun {
    /// How many pairs, over `R`, `d`, `head_dim` and parameters; `None` is the rest (at most one run of a map, not
    /// always the last).
    pub pairs: Option<Expr>,
    /// Axis index per pair, repeated; `None` is an axis that never rotates.
    pub cycle: Arc<[Option<usize>]>,
}

/// Something a scheme states about itself.
#[derive(Debug, Clone)]
pub struct Invariant {
    /// Kebab-case id.
    pub id: String,
    /// What it says, for people.
    pub statement: String,
    /// What it ranges over.
    pub scope: Scope,
    /// Only where this holds (over the scope's names).
    pub when: Option<Expr>,
    /// Parameters set for this statement, `name = value`.
    pub with: Vec<(String, Number)>,
    /// Length of the sequence that a statement about frequencies is about.
    pub length: Option<Number>,
    /// What must hold.
    pub claim: Claim,
    /// Whether the scheme says that it holds or that it fails.
    pub verdict: Stated,
    /// True if `claim` or `when` uses a name that exists once per axis, so that it must hold on each.
    pub per_axis: bool,
    /// Line in the scheme's file, from 1.
    pub line: usize,
}

/// The content of an invariant.
#[derive(Debug, Clone)]
pub enum Claim {
    /// A condition over the scope's names.
    Holds(Expr),
    /// Every position equals, on each axis, the one axis of another scheme (default profile). `when` is then a
    /// condition over T, H, W, n, seconds and parameters that every visual segment of the sequence meets.
    Equals(String),
}

/// What the scheme says of an invariant.
#[derive(Debug, Clone)]
pub enum Stated {
    /// It holds everywhere.
    Holds,
    /// It fails, and this layout shows it.
    Fails {
        /// Text of a layout, such as `text:1 video:2x1x1`.
        witness: String,
    },
}

/// What an invariant ranges over. The names each scope offers are listed in `docs/spec.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every token.
    Token,
    /// Every text token.
    TextToken,
    /// Every visual token.
    VideoToken,
    /// Every frame.
    Frame,
    /// Every two neighbouring frames of one segment.
    FrameToFrame,
    /// Every visual segment that follows text.
    TextToVideo,
    /// Every visual segment, with the position that text would get after it.
    VideoToText,
    /// The whole sequence.
    Sequence,
    /// The frequencies of a rotation plan (of each head group, where heads differ). Needs no layout.
    Frequencies,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 9] = [
        Scope::Token,
        Scope::TextToken,
        Scope::VideoToken,
        Scope::Frame,
        Scope::FrameToFrame,
        Scope::TextToVideo,
        Scope::VideoToText,
        Scope::Sequence,
        Scope::Frequencies,
    ];

    /// The word that a spec uses, such as `video-to-text`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Scope::Token => "token",
            Scope::TextToken => "text-token",
            Scope::VideoToken => "video-token",
            Scope::Frame => "frame",
            Scope::FrameToFrame => "frame-to-frame",
            Scope::TextToVideo => "text-to-video",
            Scope::VideoToText => "video-to-text",
            Scope::Sequence => "sequence",
            Scope::Frequencies => "frequencies",
        }
    }
}
