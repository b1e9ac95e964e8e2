//! Which names each place of a scheme file offers. `docs/spec.md` has the same tables for people.

use crate::spec::expr::{Name, Names};
use crate::spec::model::{Running, Scope, Tier};

/// What the names of a scheme are resolved against.
#[derive(Debug)]
pub(super) struct OfferContext<'a> {
    pub axes: &'a [String],
    pub parameters: &'a [KnownNames],
    pub running: Running,
}

/// A parameter, as far as names go.
#[derive(Debug, Clone)]
pub(super) struct KnownNames {
    pub name: String,
    /// Depends on R, d or head_dim, so that positions cannot use it.
    pub needs_plan: bool,
    /// Depends on the length of the sequence, so that nothing but frequencies and scaling can use it.
    pub needs_length: bool,
}

/// What the parameters of a place may depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum May {
    /// On each other.
    Nothing,
    /// On the sizes of a head.
    Sizes,
    /// And on the length of the sequence.
    Length,
}

/// A `let` whose tier is known.
#[derive(Debug, Clone)]
pub(super) struct KnownLet {
    pub name: String,
    pub tier: Tier,
}

/// Sequence state that every position rule may use.
const SEQUENCE: [(&str, Name); 6] = [
    ("token0", Name::Token0),
    ("segment", Name::Segment),
    ("frames_before", Name::FramesBefore),
    ("visual_before", Name::VisualBefore),
    ("first_visual", Name::FirstVisual),
    ("layer", Name::Layer),
];

const SEGMENT: [(&str, Name); 5] =
    [("T", Name::T), ("H", Name::H), ("W", Name::W), ("n", Name::N), ("seconds", Name::Seconds)];

const CELL: [(&str, Name); 4] = [("t", Name::CellT), ("h", Name::CellH), ("w", Name::CellW), ("k", Name::K)];

const TOKEN: [(&str, Name); 4] =
    [("min_axis", Name::MinAxis), ("max_axis", Name::MaxAxis), ("sum_axis", Name::SumAxis), ("token", Name::Token)];

/// Every name that a formula may meet somewhere, so that parameters and lets cannot take it.
pub(super) fn is_reserved(name: &str) -> bool {
    const OTHER: [&str; 34] = [
        "length",
        "p",
        "i",
        "j",
        "R",
        "d",
        "head_dim",
        "n_axis",
        "q_heads",
        "k_heads",
        "pi",
        "step",
        "previous",
        "next",
        "min_frame",
        "max_frame",
        "min_next_frame",
        "max_next_frame",
        "min_first_frame",
        "max_first_frame",
        "min_last_frame",
        "max_last_frame",
        "collisions",
        "tokens",
        "if",
        "cells_min",
        "cells_max",
        "rest",
        "none",
        "axis",
        "fastest",
        "slowest",
        "pairs",
        "every",
    ];
    let functions = ["floor", "ceil", "min", "max", "abs", "sqrt", "sin", "cos", "atan2", "log", "exp", "pow"];
    let listed = |list: &[(&str, Name)]| list.iter().any(|(text, _)| *text == name);
    OTHER.contains(&name)
        || functions.contains(&name)
        || listed(&SEQUENCE)
        || listed(&SEGMENT)
        || listed(&CELL)
        || listed(&TOKEN)
        || name.starts_with("p_")
}

impl OfferContext<'_> {
    /// Index of an axis.
    pub(super) fn axis(&self, name: &str) -> Option<usize> {
        self.axes.iter().position(|axis| axis == name)
    }

    fn parameters(&self, mut names: Names, may: May) -> Names {
        for (at, parameter) in self.parameters.iter().enumerate() {
            if parameter.needs_length && may == May::Sizes {
                let why = "its default depends on the length of the sequence, which frequencies alone know";
                names = names.with_unavailable(&parameter.name, why);
            } else if parameter.needs_plan && may == May::Nothing {
                names = names.with_unavailable(
                    &parameter.name,
                    "its default depends on R, d or head_dim, which positions do not know",
                );
            } else {
                names.add(&parameter.name, Name::Param(at));
            }
        }
        names
    }

    /// The running position: `p` of the axis that the formula is for, and `p_<axis>` where each axis has its own.
    fn running(&self, mut names: Names, axis: Option<usize>) -> Names {
        match (self.running, axis) {
            (Running::Shared, _) => {
                names.add("p", Name::P);
            }
            (Running::PerAxis, Some(axis)) => {
                names.add("p", Name::PAxis(axis));
            }
            (Running::PerAxis, None) => {
                names = names.with_unavailable("p", "each axis has its own running position: write p_<axis>");
            }
        }
        if self.running == Running::PerAxis {
            for (at, axis) in self.axes.iter().enumerate() {
                names.add(format!("p_{axis}"), Name::PAxis(at));
            }
        }
        names
    }

    /// Adds `axis.NAME`, and the bare name where it is free.
    fn axes(&self, mut names: Names) -> Names {
        for (at, axis) in self.axes.iter().enumerate() {
            names.add(format!("axis.{axis}"), Name::Axis(at));
        }
        for (at, axis) in self.axes.iter().enumerate() {
            names.add(axis, Name::Axis(at));
        }
        names
    }

    /// Formulas of one text token.
    pub(super) fn text(&self, axis: Option<usize>) -> Names {
        let names =
            Names::new("a formula of `text`").with_all([("i", Name::I), ("n", Name::N), ("token", Name::Token)]);
        self.parameters(self.running(names.with_all(SEQUENCE), axis), May::Nothing)
    }

    /// How the running position goes on after text.
    pub(super) fn text_step(&self, axis: Option<usize>) -> Names {
        let names = Names::new("the advance of `text`").with("n", Name::N);
        self.parameters(self.running(names.with_all(SEQUENCE), axis), May::Nothing)
    }

    /// Formulas of one cell. `lets` are those that may be used.
    pub(super) fn cell(&self, axis: Option<usize>, lets: &[KnownLet], place: &str) -> Names {
        let names = Names::new(format!("a formula of `{place}`"))
            .with_all(SEGMENT)
            .with_all(CELL)
            .with("token", Name::Token)
            .with_cells(CELL);
        let names = self.parameters(self.running(names.with_all(SEQUENCE), axis), May::Nothing);
        self.lets(names, lets, Tier::Cell)
    }

    /// How the running position goes on after an image or a video: over the segment, with folds over its cells,
    /// inside which the finished positions may be used.
    pub(super) fn visual_step(&self, axis: Option<usize>, lets: &[KnownLet], place: &str) -> Names {
        let names = Names::new(format!("the advance of `{place}`")).with_all(SEGMENT).with_cells(CELL);
        let names = names.with_cells(TOKEN);
        let mut names = self.parameters(self.running(names.with_all(SEQUENCE), axis), May::Nothing);
        for (at, axis) in self.axes.iter().enumerate() {
            names = names.with_cells([(format!("axis.{axis}").as_str(), Name::Axis(at))]);
        }
        for (at, axis) in self.axes.iter().enumerate() {
            names = names.with_cells([(axis.as_str(), Name::Axis(at))]);
        }
        self.lets(names, lets, Tier::Segment)
    }

    /// Adds lets up to a tier; those beyond it are offered inside folds alone.
    fn lets(&self, mut names: Names, lets: &[KnownLet], most: Tier) -> Names {
        for (at, one) in lets.iter().enumerate() {
            if one.tier <= most {
                names.add(&one.name, Name::Let(at));
            } else {
                names = names.with_cells([(one.name.as_str(), Name::Let(at))]);
            }
        }
        names
    }

    /// Rotary width: before R is known.
    pub(super) fn rotary_dim(&self) -> Names {
        self.parameters(Names::new("`rotary_dim`").with("head_dim", Name::HeadDim), May::Nothing)
    }

    /// Axis maps, frequencies and whatever else is set once the rotary width is known.
    pub(super) fn plan(&self, place: &str) -> Names {
        let names =
            Names::new(place.to_owned()).with_all([("R", Name::R), ("d", Name::D), ("head_dim", Name::HeadDim)]);
        self.parameters(names, May::Sizes)
    }

    /// The same where the length of the sequence is known too.
    pub(super) fn of_a_sequence(&self, place: &str) -> Names {
        let sizes = [("R", Name::R), ("d", Name::D), ("head_dim", Name::HeadDim), ("length", Name::Length)];
        self.parameters(Names::new(place.to_owned()).with_all(sizes), May::Length)
    }

    /// Counts of heads.
    pub(super) fn heads(&self) -> Names {
        self.plan("`heads`").with_all([("k_heads", Name::KHeads), ("q_heads", Name::QHeads)])
    }

    /// The frequency of a pair, or a number that differs per pair; `earlier` are such numbers, by name.
    pub(super) fn frequency(&self, place: &str, earlier: &[String]) -> Names {
        let names = self.of_a_sequence(place);
        let mut names = names.with_all([("i", Name::PairI), ("j", Name::PairJ), ("n_axis", Name::NAxisPairs)]);
        for (at, name) in earlier.iter().enumerate() {
            names.add(name, Name::PerPair(at));
        }
        names
    }

    /// Names of an invariant's scope. `lets` are those of the video rule.
    pub(super) fn scope(&self, scope: Scope, lets: &[KnownLet]) -> Names {
        let names = Names::new(format!("scope `{}`", scope.name()));
        let grid = [("T", Name::T), ("H", Name::H), ("W", Name::W)];
        let names = match scope {
            Scope::Token => self.axes(names.with_all(TOKEN)),
            Scope::TextToken => {
                self.axes(names.with_all(TOKEN).with_all([("i", Name::I), ("n", Name::N), ("step", Name::Step)]))
            }
            Scope::VideoToken => {
                let names = self.running(names.with_all(TOKEN).with_all(SEGMENT).with_all(CELL), None);
                self.axes(self.lets(names, lets, Tier::Cell))
            }
            Scope::Frame => {
                let names = names.with_all(SEGMENT).with("t", Name::CellT).with_cells(CELL).with_cells(TOKEN);
                let names = names.with_all([("min_frame", Name::MinFrame), ("max_frame", Name::MaxFrame)]);
                let mut names = self.lets(self.running(names, None), lets, Tier::Frame);
                for (at, axis) in self.axes.iter().enumerate() {
                    names = names.with_cells([(format!("axis.{axis}").as_str(), Name::Axis(at))]);
                }
                for (at, axis) in self.axes.iter().enumerate() {
                    names = names.with_cells([(axis.as_str(), Name::Axis(at))]);
                }
                names
            }
            Scope::FrameToFrame => names.with_all(grid).with("t", Name::CellT).with_all([
                ("seconds", Name::Seconds),
                ("min_frame", Name::MinFrame),
                ("max_frame", Name::MaxFrame),
                ("min_next_frame", Name::MinNextFrame),
                ("max_next_frame", Name::MaxNextFrame),
            ]),
            Scope::TextToVideo => names.with_all(grid).with_all([
                ("previous", Name::Previous),
                ("min_first_frame", Name::MinFirstFrame),
                ("max_first_frame", Name::MaxFirstFrame),
            ]),
            Scope::VideoToText => names.with_all(grid).with_all([
                ("next", Name::Next),
                ("min_last_frame", Name::MinLastFrame),
                ("max_last_frame", Name::MaxLastFrame),
            ]),
            Scope::Sequence => names.with_all([("collisions", Name::Collisions), ("tokens", Name::Tokens)]),
            Scope::Frequencies => {
                let sizes = [("R", Name::R), ("d", Name::D), ("head_dim", Name::HeadDim), ("length", Name::Length)];
                let mut names = names.with_all(sizes);
                for (at, axis) in self.axes.iter().enumerate() {
                    names.add(format!("fastest.{axis}"), Name::FastestOn(at));
                    names.add(format!("slowest.{axis}"), Name::SlowestOn(at));
                    names.add(format!("pairs.{axis}"), Name::PairsOn(at));
                }
                names
            }
        };
        self.parameters(names, if scope == Scope::Frequencies { May::Length } else { May::Nothing })
    }

    /// Names of a condition on every visual segment, for `equals`.
    pub(super) fn segments(&self) -> Names {
        let names = Names::new("the `when` of an `equals`").with_all(SEGMENT);
        self.parameters(names, May::Nothing)
    }
}
