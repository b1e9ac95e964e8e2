//! Whether a manifest still offers what a recorded case asks for.

use crate::backend::Manifest;
use crate::backend::manifest::{LevelManifest, is_beside};
use crate::case::{Alias, Case, Consume, Level, Memory, Order, PositionSource, Strides, pairing_name};
use crate::check::offers::layouts_refused;
use crate::spec::Library;

/// Whether a case lies inside a manifest, as far as that shows in the case.
///
/// # Errors
/// Why not.
pub(super) fn offered(manifest: &Manifest, library: &Library, case: &Case) -> Result<(), String> {
    let scheme = library.get(&case.scheme).map_err(|e| format!("{e} (is a --spec missing?)"))?;
    let level = manifest.level(case.level).ok_or_else(|| format!("the manifest has no level {}", case.level))?;
    let no = |what: String| Err(format!("the manifest no longer offers {what}"));
    // On level apply a scheme is only where cosines and sines come from.
    if !level.offers(scheme) {
        return no(format!("{} on level {}", case.scheme, case.level));
    }
    if i64::try_from(case.tokens()).map_or(true, |tokens| tokens > manifest.max_tokens) {
        return no(format!("{} tokens", case.tokens()));
    }
    if case.window.is_some() && !manifest.token_ranges {
        return no("token ranges".into());
    }
    if case.layouts.len() > 1 && !(if case.packed { manifest.varlen } else { manifest.batch_layouts }) {
        return no("rows of different layouts".into());
    }
    if let Some(why) = layouts_refused(manifest, case.level, &case.layouts) {
        return no(why);
    }
    let positions = matches!(case.level, Level::Positions | Level::Rotate);
    if positions && !manifest.position_dtypes.is_empty() && !manifest.position_dtypes.contains(&case.position_dtype) {
        return no(format!("positions in {}", case.position_dtype));
    }
    if positions && !manifest.position_orders(case.level, scheme.axes.len()).contains(&case.position_order) {
        return no("positions that lie so".into());
    }
    if case.level == Level::Positions {
        return Ok(());
    }
    let scaled = case.scaling.is_some_and(|m| m != 1.0);
    let part = case.rotary.is_none_or(|(width, offset)| manifest.takes_part(case.head_dim, width, offset));
    for (ok, what) in [
        (manifest.dtypes.contains(&case.dtype), case.dtype.name().to_owned()),
        (types(manifest, case), "keys or outputs of such types".to_owned()),
        (manifest.pairings.contains(&case.pairing), format!("pairing {}", pairing_name(case.pairing))),
        (manifest.head_dims.allows(i64::from(case.head_dim)), format!("head_dim {}", case.head_dim)),
        (manifest.q_heads.allows(i64::from(case.q_heads)), format!("{} query heads", case.q_heads)),
        (manifest.k_heads.allows(i64::from(case.k_heads)), format!("{} key heads", case.k_heads)),
        (part, "such a part of a head rotated".to_owned()),
        (manifest.attention_scaling || !scaled, "attention scaling".to_owned()),
        (manifest.directions.contains(&i64::from(case.direction)), format!("direction {}", case.direction)),
        (manifest.alias.contains(&case.alias), alias(case.alias).to_owned()),
        (strides(manifest, case.memory), "tensors with such strides".to_owned()),
        (tables(manifest, level, case), "such tables of cosines and sines".to_owned()),
        (
            !matches!(case.place, PositionSource::Layout { shift } if shift > manifest.max_position),
            "such positions".to_owned(),
        ),
    ] {
        if !ok {
            return no(what);
        }
    }
    Ok(())
}

fn alias(alias: Alias) -> &'static str {
    if alias == Alias::In { "outputs on the inputs" } else { "outputs in memory of their own" }
}

fn types(manifest: &Manifest, case: &Case) -> bool {
    let keys = case.k_heads == 0 || is_beside(&manifest.k_dtypes, case.k_dtype, case.dtype);
    keys && (case.alias == Alias::In || is_beside(&manifest.output_dtypes, case.output_dtype, case.dtype))
}

fn tables(manifest: &Manifest, level: &LevelManifest, case: &Case) -> bool {
    let beside = is_beside(&manifest.table_dtypes, case.table_dtype, case.dtype);
    let width = !level.consumes(Consume::CosSin) || manifest.table_widths.contains(&case.table_width);
    let read = level.consumes(Consume::CosSin) || level.consumes(Consume::CosSinCache);
    !read || beside && width
}

fn strides(manifest: &Manifest, memory: Memory) -> bool {
    let guarded = matches!(memory, Memory::GuardEnd | Memory::GuardStart);
    let all = |orders: [Order; 3]| orders.into_iter().all(|order| manifest.takes_order(order));
    guarded || memory.orders().map_or(manifest.strides != Strides::Packed, all)
}
