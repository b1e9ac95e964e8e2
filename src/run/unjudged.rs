//! What no run judges because of one key of a manifest: what the key leaves out of all there is.

use std::fmt::Display;

use schemars::JsonSchema;
use serde::Serialize;

use super::supplied::supplied;
use crate::backend::Manifest;
use crate::backend::layout_limits::LayoutLimits;
use crate::backend::manifest::LevelManifest;
use crate::case::{Alias, BesideDtype, Consume, Level, PositionStrides, Strides, TableWidth};
use crate::check::CATALOGUE;
use crate::contract::Setting;
use crate::numeric::DType;
use crate::positions::SegmentKind;
use crate::spec::model::Pairing;

/// What is not judged because of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unjudged {
    /// The key, such as `max_position` or `levels.rotate.consumes`.
    pub key: String,
    /// What is not judged.
    pub what: String,
}

/// Collects what keys leave out.
#[derive(Default)]
struct Notes(Vec<Unjudged>);

impl Notes {
    fn note(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.0.push(Unjudged { key: key.into(), what: what.into() });
    }

    /// The words that a list does not have.
    fn missing<T: PartialEq + Copy>(&mut self, key: &str, all: &[(&str, T)], offered: &[T], what: &str) {
        let absent: Vec<&str> = all.iter().filter(|(_, one)| !offered.contains(one)).map(|(name, _)| *name).collect();
        if !absent.is_empty() {
            self.note(key, format!("{what} {}", absent.join(", ")));
        }
    }

    /// What a key leaves out where something holds.
    fn given(&mut self, holds: bool, key: &str, what: impl Display) {
        if holds {
            self.note(key, what.to_string());
        }
    }
}

/// What no run judges, by the key that says so, in the order of docs/abi.md. Keys that no level of the
/// backend uses leave nothing out.
#[must_use]
pub fn unjudged(m: &Manifest) -> Vec<Unjudged> {
    let mut notes = Notes::default();
    for level in Level::ALL {
        notes.given(m.level(level).is_none(), "levels", format!("level {level}"));
    }
    for (level, offer) in &m.levels {
        of_level(&mut notes, m, *level, offer);
    }
    let has = |level: Level| m.level(level).is_some();
    let consumes = |what| m.levels.iter().any(|(_, offer)| offer.consumes(what));
    let tensors = m.levels.iter().any(|(level, _)| *level != Level::Positions);
    let layouts = has(Level::Positions) || has(Level::Fused);
    if tensors {
        notes.missing("dtypes", &DType::STORAGE.map(|one| (one.name(), one)), &m.dtypes, "tensors of");
    }
    if has(Level::Positions) || consumes(Consume::Positions) {
        let types = [DType::I32, DType::I64, DType::F32, DType::F64].map(|one| (one.name(), one));
        notes.missing("position_dtypes", &types, &m.position_dtypes, "positions of");
        notes.given(
            m.position_strides == PositionStrides::Rows,
            "position_strides",
            "positions of tokens that lie apart, axes of a token side by side, rows that share their positions",
        );
    }
    if tensors {
        of_tensors(&mut notes, m);
    }
    let tables = consumes(Consume::CosSin) || consumes(Consume::CosSinCache);
    for (key, what, offered, read) in [
        ("k_dtypes", "keys", &m.k_dtypes, tensors && m.k_heads.at_least(1).is_some()),
        ("output_dtypes", "outputs", &m.output_dtypes, tensors && m.alias.contains(&Alias::Out)),
        ("table_dtypes", "tables", &m.table_dtypes, tables),
    ] {
        let other = |one: &&(&'static str, BesideDtype)| one.1 != BesideDtype::Storage && !offered.contains(&one.1);
        let others: Vec<&str> = BesideDtype::ALL.iter().filter(other).map(|(name, _)| *name).collect();
        let but = if offered.contains(&BesideDtype::Storage) { ", where q has another type" } else { "" };
        notes.given(read && !others.is_empty(), key, format!("{what} of {}{but}", others.join(", ")));
    }
    if consumes(Consume::CosSin) {
        notes.missing("table_widths", &TableWidth::ALL, &m.table_widths, "tables of width");
    }
    notes.note("max_position", format!("positions above {}", m.max_position));
    notes.note("min_position", format!("positions below {}", m.min_position));
    notes.note("max_tokens", format!("calls of more than {} tokens", m.max_tokens));
    notes.given(layouts && !m.token_ranges, "token_ranges", "calls for a part of a sequence");
    notes.given(m.level(Level::Rotate).is_some() && !m.per_head, "per_head", "tables that differ per head");
    notes.given(!m.batch_layouts, "batch_layouts", "rows of a batch that have different layouts or positions");
    if !m.bases.is_empty() {
        notes.note("bases", format!("bases other than {}", m.bases.join(", ")));
    }
    if layouts {
        of_layouts(&mut notes, &m.layouts);
    }
    match &m.parameters {
        None => notes.note("parameters", "values of scheme parameters that no statement or user asks for"),
        Some(all) => {
            let named: Vec<&str> = all.iter().map(|one| &*one.name).collect();
            let of = if named.is_empty() { "every parameter" } else { "parameters that are not offered" };
            notes.note("parameters", format!("values other than the default of {of}"));
        }
    }
    notes.0
}

fn of_level(notes: &mut Notes, m: &Manifest, level: Level, offer: &LevelManifest) {
    let key = |key: &str| format!("levels.{level}.{key}");
    for parts in supplied(m, &[level]).into_iter().map(|one| one.parts) {
        notes.note(key("consumes"), format!("{}, which the suite supplies", parts.join(", ")));
    }
    if !offer.schemes.iter().any(|name| name == "*") {
        notes.note(key("schemes"), format!("schemes other than {}", offer.schemes.join(", ")));
    }
    for (dtype, contract) in &offer.contracts {
        if let Some(Setting::Number(limit)) = contract.settings.get("angle_limit") {
            notes.note(key("contract"), format!("{dtype}: angles beyond {limit} radians"));
        }
        if contract.settings.get("store") == Some(Setting::Word("toward-zero")) {
            notes.note(key("contract"), format!("{dtype}: superposition"));
        }
    }
}

fn of_tensors(notes: &mut Notes, m: &Manifest) {
    for (key, offered) in [("head_dims", &m.head_dims), ("q_heads", &m.q_heads), ("k_heads", &m.k_heads)] {
        notes.note(key, format!("values other than {offered}"));
    }
    notes.given(!m.k_heads.allows(0), "k_heads", "calls without keys");
    notes.missing("pairings", &Pairing::NAMES, &m.pairings, "pairs that are");
    if m.partial_rotary {
        notes.note("rotary_dims", format!("rotated parts of other widths than {}", m.rotary_dims));
        notes.note("rotary_offsets", format!("rotated parts that begin elsewhere than at {}", m.rotary_offsets));
    } else {
        notes.note("partial_rotary", "heads of which a part is rotated");
    }
    notes.given(!m.alias.contains(&Alias::Out), "alias", "outputs in memory of their own");
    notes.given(!m.alias.contains(&Alias::In), "alias", "outputs on the inputs");
    match m.strides {
        Strides::Packed => {
            notes.note("strides", "tensors with gaps, or in another order than [batch, token, head, channel]")
        }
        Strides::Rows => notes.note("strides", "channels that are not contiguous"),
        Strides::Any => {}
    }
    notes.given(
        m.strides != Strides::Packed && !m.negative_strides,
        "negative_strides",
        "tensors of which a dimension runs backwards",
    );
    notes.given(!m.varlen, "varlen", "sequences of different lengths packed in one row");
    if m.copies {
        let checks: Vec<&str> = CATALOGUE.iter().filter(|one| one.is_about_memory()).map(|one| one.id()).collect();
        notes.note("copies", format!("what these checks see: {}", checks.join(", ")));
    }
    match m.bit_stable {
        None => notes.note("bit_stable", "whether the bits of a row depend on other rows, shapes or the run"),
        Some(false) => notes.note("bit_stable", "whether identical calls give identical bits"),
        Some(true) => {}
    }
    notes.missing("directions", &[("1", 1), ("-1", -1)], &m.directions, "rotation in direction");
    notes.given(!m.attention_scaling, "attention_scaling", "factors on cosines and sines other than 1");
    notes.given(m.alignment > 1, "alignment", format!("data that is not aligned to {} bytes", m.alignment));
    let limit = m.max_offset;
    notes.given(limit < i64::MAX, "max_offset", format!("elements more than {limit} elements apart"));
}

fn of_layouts(notes: &mut Notes, limits: &LayoutLimits) {
    notes.given(limits.text_before, "layouts.text_before", "layouts that begin with an image or a video");
    notes.given(limits.text_between, "layouts.text_between", "images and videos side by side");
    let any = LayoutLimits::default();
    let frames = &limits.frames;
    notes.given(*frames != any.frames, "layouts.frames", format!("videos of other frames than {frames}"));
    notes.given(limits.segments < any.segments, "layouts.segments", format!("more than {} segments", limits.segments));
    notes.missing("layouts.kinds", &SegmentKind::NAMES, &limits.kinds, "segments of");
}
