//! What a backend says of itself: the JSON that `ropecheck_describe` returns (docs/abi.md). The generator
//! stays inside it.

use std::fmt;

use serde::Serialize;

use super::foreign_text::ForeignText;
pub use super::integers::Integers;
use super::layout_limits::LayoutLimits;
use super::parameter_offer::ParameterOffer;
use super::source_place::SourcePlace;
use crate::case::{Alias, BesideDtype, Consume, Level, Order, PositionOrder, PositionStrides, Strides, TableWidth};
use crate::contract::{ContractTable, Declaration};
use crate::numeric::DType;
use crate::spec::Library;
use crate::spec::model::{Pairing, Scheme};

/// The arithmetic that a level declares: names and numbers.
pub type ContractName = Declaration;

/// One level of a backend.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LevelManifest {
    /// What it takes from the suite.
    pub consumes: Vec<Consume>,
    /// Scheme names, with or without profile, or `*`.
    pub schemes: Vec<String>,
    /// Contract per dtype, in the order of [`Manifest::dtypes`]; empty for level positions.
    pub contracts: Vec<(DType, ContractName)>,
}

impl LevelManifest {
    /// Whether this level takes `what` from the suite.
    #[must_use]
    pub fn consumes(&self, what: Consume) -> bool {
        self.consumes.contains(&what)
    }

    /// Whether this level offers a scheme under a profile. `name` and `aliases` are the scheme's.
    #[must_use]
    pub fn offers(&self, scheme: &Scheme) -> bool {
        self.schemes.iter().any(|offer| match offer.split_once('@') {
            _ if offer == "*" => true,
            Some((name, profile)) => {
                profile == scheme.profile && (name == scheme.name || scheme.aliases.iter().any(|a| a == name))
            }
            None => scheme.is_default_profile && (*offer == scheme.name || scheme.aliases.iter().any(|a| a == offer)),
        })
    }

    /// Whether this level names a scheme under a profile itself, and not by `*` alone.
    #[must_use]
    pub fn names(&self, scheme: &Scheme) -> bool {
        let named = self.schemes.iter().filter(|offer| *offer != "*").cloned().collect();
        LevelManifest { schemes: named, ..self.clone() }.offers(scheme)
    }

    /// Whether a run takes a scheme on this level where no option names it: `*` stands for those that `library` gives without
    /// being asked by name.
    #[must_use]
    pub fn takes(&self, library: &Library, scheme: &Scheme) -> bool {
        self.names(scheme) || self.offers(scheme) && library.schemes().any(|usual| usual.id() == scheme.id())
    }

    /// The contract for a dtype.
    #[must_use]
    pub fn contract(&self, dtype: DType) -> Option<&ContractName> {
        self.contracts.iter().find(|(d, _)| *d == dtype).map(|(_, c)| c)
    }
}

/// What a backend says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Manifest {
    /// Name, for reports.
    pub name: ForeignText,
    /// Version, for reports.
    pub version: ForeignText,
    /// Where its code is, for reports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source: Vec<SourcePlace>,
    /// The levels it has.
    pub levels: Vec<(Level, LevelManifest)>,
    /// Storage types of q.
    pub dtypes: Vec<DType>,
    /// Types of k beside it.
    pub k_dtypes: Vec<BesideDtype>,
    /// Types of outputs that are not on the inputs.
    pub output_dtypes: Vec<BesideDtype>,
    /// Types that positions may have.
    pub position_dtypes: Vec<DType>,
    /// How positions may lie.
    pub position_strides: PositionStrides,
    /// Pairings it offers.
    pub pairings: Vec<Pairing>,
    /// Head widths, in channels.
    pub head_dims: Integers,
    /// Whether rotary_dim may be smaller than head_dim.
    pub partial_rotary: bool,
    /// Widths of such a part, in channels.
    pub rotary_dims: Integers,
    /// First channels of such a part.
    pub rotary_offsets: Integers,
    /// Query head counts.
    pub q_heads: Integers,
    /// Key head counts; 0 means that k may be absent.
    pub k_heads: Integers,
    /// Where outputs may lie.
    pub alias: Vec<Alias>,
    /// How tensors may lie.
    pub strides: Strides,
    /// Whether strides may be below 0.
    pub negative_strides: bool,
    /// Largest position.
    pub max_position: i64,
    /// Smallest position, 0 or less.
    pub min_position: i64,
    /// Most tokens in one call.
    pub max_tokens: i64,
    /// Whether `positions` and `fused` may be asked for a part of the tokens.
    pub token_ranges: bool,
    /// Whether the rows of a batch may come packed one after another, with `cu_seqlens`, on tensor levels.
    pub varlen: bool,
    /// Whether tensors are copied to memory of the backend's own, so that nothing follows from the memory of
    /// a call.
    pub copies: bool,
    /// What is claimed of bits: `Some(true)`, the bits of an output row depend on that row's inputs and position alone;
    /// `None`, identical calls give identical bits; `Some(false)`, nothing.
    pub bit_stable: Option<bool>,
    /// Directions: 1, -1.
    pub directions: Vec<i64>,
    /// Whether attention_scaling may differ from 1.
    pub attention_scaling: bool,
    /// Whether tables may differ per head.
    pub per_head: bool,
    /// Whether rows of a batch may have different layouts or positions.
    pub batch_layouts: bool,
    /// Values of the scheme's parameter `base` for which a level that makes its own frequencies has some;
    /// empty: any.
    pub bases: Vec<String>,
    /// Types of cosines and sines that are handed over.
    pub table_dtypes: Vec<BesideDtype>,
    /// Widths of cosines and sines of the tokens.
    pub table_widths: Vec<TableWidth>,
    /// Which layouts levels positions and fused take.
    pub layouts: LayoutLimits,
    /// Values of scheme parameters that it reads from the call; `None`: nothing is said, and they have their
    /// defaults.
    pub parameters: Option<Vec<ParameterOffer>>,
    /// Data and free strides are multiples of this many bytes, a power of two; 1: of their element's size.
    pub alignment: i64,
    /// Largest distance of two elements of a tensor, in elements.
    pub max_offset: i64,
}

impl Manifest {
    /// The manifest of one level, if the backend has it.
    #[must_use]
    pub fn level(&self, level: Level) -> Option<&LevelManifest> {
        self.levels.iter().find(|(l, _)| *l == level).map(|(_, m)| m)
    }

    /// Whether a tensor may lie in this order.
    #[must_use]
    pub fn takes_order(&self, order: Order) -> bool {
        match order {
            Order::Packed => true,
            Order::Spread => self.strides == Strides::Any,
            Order::Mirrored => self.strides == Strides::Any && self.negative_strides,
            Order::Reversed => self.strides != Strides::Packed && self.negative_strides,
            Order::Padded | Order::HeadsFirst | Order::HeadsFirstPadded | Order::TokensFirst => {
                self.strides != Strides::Packed
            }
        }
    }

    /// How positions of so many axes may lie on a level: what it reads or writes.
    #[must_use]
    pub fn position_orders(&self, level: Level, axes: usize) -> Vec<PositionOrder> {
        let read = level == Level::Rotate && self.level(level).is_some_and(|m| m.consumes(Consume::Positions));
        let any = self.position_strides == PositionStrides::Any;
        let offered = |order: &PositionOrder| match order {
            PositionOrder::Rows => true,
            _ if !read && level != Level::Positions => false,
            PositionOrder::BatchAxisToken => axes > 1,
            PositionOrder::Shared => any && read,
            order => any && (axes > 1 || !order.needs_axes()),
        };
        PositionOrder::ALL.map(|(_, order)| order).into_iter().filter(offered).collect()
    }

    /// Types of cosines and sines beside tensors of a type, each once and at least one; that of the tensors
    /// as `Storage`.
    #[must_use]
    pub fn table_dtypes_beside(&self, dtype: DType) -> Vec<BesideDtype> {
        beside(&self.table_dtypes, dtype)
    }
}

/// Types of a list beside tensors of a type, each once and at least one; that of the tensors as `Storage`.
#[must_use]
pub fn beside(offered: &[BesideDtype], dtype: DType) -> Vec<BesideDtype> {
    let mut found = Vec::new();
    for one in offered {
        let one = if one.beside(dtype) == dtype { BesideDtype::Storage } else { *one };
        if !found.contains(&one) {
            found.push(one);
        }
    }
    if found.is_empty() { vec![BesideDtype::Storage] } else { found }
}

/// Whether a list offers a type beside tensors of another.
#[must_use]
pub fn is_beside(offered: &[BesideDtype], one: BesideDtype, dtype: DType) -> bool {
    offered.iter().any(|other| other.beside(dtype) == one.beside(dtype))
}

/// What names in a manifest are held against.
#[derive(Clone, Copy)]
pub struct Vocabulary<'a> {
    /// Every scheme that the user has: those of the program, and those of `--spec`.
    pub schemes: &'a Library,
    /// Every class and way to frequencies.
    pub contracts: &'a ContractTable,
}

/// One mistake in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ManifestMistake {
    /// Where in the JSON, such as `levels.rotate.schemes[2]`; empty for the whole.
    pub place: String,
    /// What was expected, what was found, and what may have been meant.
    pub what: String,
}

/// Why a manifest was refused: every mistake, at least one, by place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ManifestError(pub Vec<ManifestMistake>);

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [one] => write!(f, "manifest, {one}"),
            all => {
                write!(f, "{} mistakes in the manifest", all.len())?;
                all.iter().try_for_each(|one| write!(f, "\n  {one}"))
            }
        }
    }
}

impl fmt::Display for ManifestMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.place.is_empty() { "top level" } else { &self.place }, self.what)
    }
}
