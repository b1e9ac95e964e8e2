//! What a manifest may say and probably does not mean.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::backend::Manifest;
use crate::backend::manifest::LevelManifest;
use crate::case::{Alias, Consume, Level, PositionStrides, Strides};
use crate::contract::{ContractTable, Setting};
use crate::numeric::DType;
use crate::spec::Library;

/// A likely slip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Slip {
    /// The key, such as `head_dims` or `levels.rotate.schemes`.
    pub key: String,
    /// What it says, and why that is improbable.
    pub what: String,
    /// What to write, or when it is right as it is.
    pub write: String,
}

/// Fewer tokens than most kernels have threads in a block: tails of blocks are then never met.
const FEW_TOKENS: i64 = 256;
/// The context of the first models with rotary embeddings.
const SHORT_CONTEXT: i64 = 2048;
/// The fastest pair of most schemes turns by one radian from token to token.
const ONE_TOKEN: f64 = 1.0;
/// Largest integer up to which f32 holds all.
const EXACT_IN_F32: i64 = 1 << 24;

/// Collects slips.
#[derive(Default)]
struct Slips(Vec<Slip>);

impl Slips {
    fn when(&mut self, holds: bool, key: impl Into<String>, what: impl Into<String>, write: impl Into<String>) {
        if holds {
            self.0.push(Slip { key: key.into(), what: what.into(), write: write.into() });
        }
    }
}

/// The likely slips of a manifest without mistakes. `idle`: schemes of which no check has a case on a level;
/// `on_device`: the library owns the memory of calls.
#[must_use]
pub fn slips(
    m: &Manifest,
    names: (&Library, &ContractTable),
    idle: &BTreeSet<(Level, String)>,
    on_device: bool,
) -> Vec<Slip> {
    let mut slips = Slips::default();
    for (level, offer) in &m.levels {
        consumed(&mut slips, *level, offer);
        schemes(&mut slips, *level, offer, names, idle);
        declared(&mut slips, m, *level, offer);
    }
    let has = |level| m.level(level).is_some();
    let tensors = m.levels.iter().any(|(level, _)| *level != Level::Positions);
    if tensors {
        heads(&mut slips, m);
        memory(&mut slips, m, on_device);
    }
    positions(&mut slips, m);
    // A key that no level can use was meant for one that is not there.
    let layouts = has(Level::Positions) || has(Level::Fused);
    let tables = m.level(Level::Rotate).is_some_and(|offer| {
        offer.consumes(Consume::AxisOfPair) && offer.consumes(Consume::InvFreq) && !offer.consumes(Consume::Base)
    });
    let reads = has(Level::Positions) || m.levels.iter().any(|(_, offer)| offer.consumes(Consume::Positions));
    let makes_frequencies = m
        .levels
        .iter()
        .any(|(level, offer)| matches!(level, Level::Rotate | Level::Fused) && !gives_frequencies(offer));
    for (key, said, used, by) in [
        ("layouts", m.layouts != Default::default(), layouts, "level positions or fused"),
        ("varlen", m.varlen, tensors, "level rotate, fused or apply"),
        ("attention_scaling", m.attention_scaling, tensors, "level rotate, fused or apply"),
        ("per_head", m.per_head, tables, "a level rotate that consumes axis_of_pair and inv_freq, and no base"),
        (
            "position_strides",
            m.position_strides == PositionStrides::Any,
            reads,
            "a level that reads or writes positions",
        ),
        ("bases", !m.bases.is_empty(), makes_frequencies, "a level that makes its own frequencies"),
    ] {
        slips.when(
            said && !used,
            key,
            format!("no call can have it: it is for {by}, and there is none"),
            "leave it out, or add the level that it is for",
        );
    }
    slips.0
}

/// Whether frequencies are handed over, by themselves or in cosines and sines.
fn gives_frequencies(offer: &LevelManifest) -> bool {
    [Consume::InvFreq, Consume::CosSin, Consume::CosSinCache].into_iter().any(|what| offer.consumes(what))
}

fn consumed(slips: &mut Slips, level: Level, offer: &LevelManifest) {
    let key = format!("levels.{level}.consumes");
    let has = |what| offer.consumes(what);
    // Of two that hold the same one is enough; what is listed in vain arrives right, and its use is not seen.
    let whole = Consume::ALL.into_iter().filter(|what| *what != Consume::CosSin && *what != Consume::Layout);
    let beside: Vec<&str> = whole.filter(|what| has(*what)).map(Consume::name).collect();
    let given = has(Consume::CosSin);
    slips.when(
        given && !beside.is_empty(),
        &key,
        format!("cos_sin has the rotation of every pair in it, and {} beside it", beside.join(", ")),
        "list cos_sin alone, or leave it out if the kernel does not read it",
    );
    slips.when(
        given && level == Level::Rotate,
        &key,
        "a level that is given cosines and sines does what apply does",
        "name the level apply",
    );
    for (first, second, why) in [
        (Consume::CosSinCache, Consume::InvFreq, "the cache has the frequencies in it"),
        (Consume::CosSinCache, Consume::Base, "the cache has the frequencies in it"),
        (Consume::InvFreq, Consume::Base, "the frequencies have the base in them"),
        (Consume::AxisOfPair, Consume::Sections, "both say which axis turns which pair"),
    ] {
        slips.when(
            !given && has(first) && has(second),
            &key,
            format!("{} beside {}: {why}", first.name(), second.name()),
            "list the one that the kernel reads",
        );
    }
}

fn schemes(
    slips: &mut Slips,
    level: Level,
    offer: &LevelManifest,
    (library, contracts): (&Library, &ContractTable),
    idle: &BTreeSet<(Level, String)>,
) {
    let key = format!("levels.{level}.schemes");
    let all = offer.schemes.iter().any(|name| name == "*");
    slips.when(
        all && offer.schemes.len() > 1,
        &key,
        "`*` is every scheme, and others are named beside it",
        "name the schemes, or leave `*` alone",
    );
    let map = [Consume::AxisOfPair, Consume::Sections, Consume::CosSin].into_iter().any(|what| offer.consumes(what));
    let known = match level {
        Level::Positions | Level::Fused => Some("positions"),
        Level::Rotate if !map => Some("axis map"),
        Level::Rotate | Level::Apply => None,
    };
    if let Some(what) = known.filter(|_| all) {
        slips.when(
            true,
            &key,
            format!("with `*` it has to know the {what} of every scheme by its name, also of those in a user's files"),
            "name the schemes that it knows, or consume what it takes",
        );
    }
    let offered: Vec<_> =
        library.all().filter(|scheme| offer.takes(library, scheme)).map(|scheme| scheme.id()).collect();
    let lost: Vec<&str> = offered.iter().filter(|id| idle.contains(&(level, (*id).clone()))).map(|id| &**id).collect();
    // On apply one scheme stands for all.
    slips.when(
        lost.len() == offered.len() || !all && level != Level::Apply && !lost.is_empty(),
        &key,
        format!(
            "no check has a case of {}",
            if lost.len() == offered.len() { "any of them".into() } else { lost.join(", ") }
        ),
        "change the key that the lines `not judged on level` name, or take the scheme away",
    );
    // Frequencies that come from a base, of schemes that have none.
    for (dtype, declared) in offer.contracts.iter().filter(|_| level != Level::Apply && !gives_frequencies(offer)) {
        let from_base = declared.resolve(contracts).is_ok_and(|contract| contract.frequencies.needs_base());
        let without = library.all().filter(|scheme| offer.names(scheme));
        let without = without.filter(|scheme| scheme.parameters.iter().all(|one| one.name != "base"));
        let without: Vec<String> = without.map(|scheme| scheme.id()).collect();
        slips.when(
            from_base && !without.is_empty(),
            format!("levels.{level}.contract"),
            format!(
                "{dtype}: {} has frequencies from a base, and {} has none",
                declared.frequencies,
                without.join(", ")
            ),
            "write frequencies `table`, or take the scheme away",
        );
    }
}

fn declared(slips: &mut Slips, m: &Manifest, level: Level, offer: &LevelManifest) {
    for (dtype, contract) in &offer.contracts {
        let key = format!("levels.{level}.contract");
        let number = |name| match contract.settings.get(name) {
            Some(Setting::Number(number)) => Some(number),
            _ => None,
        };
        if let Some(limit) = number("angle_limit").filter(|limit| *limit <= ONE_TOKEN) {
            slips.when(
                true,
                &key,
                format!(
                    "{dtype}: with an angle_limit of {limit} no pair is judged that turns by more from token to token"
                ),
                "write the largest angle, in radians, that the kernel is right for, or leave it out",
            );
        }
        let error = number("trig_error_per_position").filter(|error| error * m.max_position as f64 >= 1.0);
        if let Some(error) = error {
            slips.when(
                true,
                "max_position",
                format!(
                    "nothing is judged beyond position {:.0} under trig_error_per_position {error:e} of {dtype}",
                    1.0 / error
                ),
                "write the largest position that the kernel is for",
            );
        }
    }
}

fn heads(slips: &mut Slips, m: &Manifest) {
    for (key, offered, least) in
        [("head_dims", &m.head_dims, 2), ("q_heads", &m.q_heads, 1), ("k_heads", &m.k_heads, 0)]
    {
        let only = offered.at_least(least).filter(|one| offered.at_least(one + 1).is_none());
        if let Some(only) = only {
            slips.when(
                // A kernel without keys has one number of them.
                (key, only) != ("k_heads", 0),
                key,
                format!("{only} and nothing else"),
                "write all that the kernel takes; it is right where the number is compiled in",
            );
        }
    }
    let (q, k) = (&m.q_heads, &m.k_heads);
    let fewest = k.at_least(1);
    slips.when(
        fewest.is_some_and(|fewest| q.at_most(i64::MAX).is_some_and(|most| fewest > most)),
        "k_heads",
        "more key heads than query heads in every call",
        "write key heads under k_heads, and query heads under q_heads",
    );
    let widest = m.head_dims.at_most(i64::MAX).unwrap_or(2);
    if m.partial_rotary {
        let narrowest = m.rotary_dims.at_least(2).unwrap_or(2);
        let first = m.rotary_offsets.at_least(0).unwrap_or(0);
        slips.when(
            narrowest >= widest,
            "rotary_dims",
            format!("no part is narrower than the widest head of head_dims, {widest}"),
            "write widths of a part, or leave partial_rotary out",
        );
        slips.when(
            narrowest < widest && first > widest - narrowest,
            "rotary_offsets",
            format!("a part of {narrowest} channels from channel {first} on ends after the widest head, {widest}"),
            "write the first channels of parts that lie inside of a head",
        );
    }
    let row = q.at_least(1).unwrap_or(1).saturating_mul(m.head_dims.at_least(2).unwrap_or(2));
    slips.when(
        m.max_offset < row,
        "max_offset",
        format!("less than one token of the smallest heads, {row} elements"),
        "write the largest distance of two elements of a tensor, such as 2147483647",
    );
}

fn memory(slips: &mut Slips, m: &Manifest, on_device: bool) {
    let name = m.name.to_string().to_lowercase().replace([' ', '-', '_'], "");
    slips.when(
        name.contains("inplace") && !m.alias.contains(&Alias::In),
        "alias",
        format!("\"{}\" does not take outputs on the inputs", m.name),
        "write [\"in\"], or [\"out\", \"in\"] if it takes both",
    );
    slips.when(
        m.copies && on_device,
        "copies",
        "the library exports the functions of device memory, so that nothing needs to be copied, and the checks of memory judge nothing",
        "leave it out",
    );
    slips.when(
        m.copies && !on_device && (m.alias.contains(&Alias::In) || m.strides != Strides::Packed),
        if m.alias.contains(&Alias::In) { "alias" } else { "strides" },
        "offered, and not judged: with copies the memory of a call is not what the kernel sees",
        "export the functions of device memory, or leave copies out if the kernel works on the memory of the call",
    );
    slips.when(
        !m.directions.contains(&1),
        "directions",
        "only the transpose of the rotation is offered",
        "write [1], or [1, -1] if it does both",
    );
}

fn positions(slips: &mut Slips, m: &Manifest) {
    slips.when(
        m.max_tokens < FEW_TOKENS,
        "max_tokens",
        format!("{} tokens in a call: loops, blocks and their tails are hardly met", m.max_tokens),
        "write the largest number of tokens that it takes, or leave it out",
    );
    slips.when(
        m.max_position < SHORT_CONTEXT - 1,
        "max_position",
        format!("no position above {}: the shortest contexts of models have {SHORT_CONTEXT}", m.max_position),
        "write the largest position that the kernel is for, or leave it out",
    );
    let reads = |offer: &LevelManifest| offer.consumes(Consume::Positions);
    let reading: Vec<&LevelManifest> = m.levels.iter().map(|(_, offer)| offer).filter(|offer| reads(offer)).collect();
    slips.when(
        m.min_position < 0 && !reading.is_empty() && reading.iter().all(|offer| offer.consumes(Consume::CosSinCache)),
        "min_position",
        format!("{}, and a cache has no rows below position 0", m.min_position),
        "leave it out",
    );
    let most = |dtype: &DType| match dtype {
        DType::I32 => i64::from(i32::MAX),
        DType::F32 => EXACT_IN_F32,
        _ => i64::MAX,
    };
    let held = m.position_dtypes.iter().map(most).max().unwrap_or(i64::MAX);
    let used = m.level(Level::Positions).is_some() || !reading.is_empty();
    slips.when(
        used && m.max_position > held && m.max_position != i64::from(i32::MAX),
        "max_position",
        format!("{}, and none of position_dtypes holds every integer above {held}", m.max_position),
        "add i64 to position_dtypes, or write less",
    );
}

#[cfg(test)]
#[path = "slips_tests.rs"]
mod tests;
