//! Rows of the covering array as cases.

use std::collections::BTreeSet;

use super::layouts::divided;
use super::row::{CoverRow, Division, Laid};
use crate::case::{Alias, BesideDtype, Case, Data, Level, Memory, Order, PositionOrder, PositionSource};
use crate::check::generator::{Generator, text};
use crate::numeric::{DType, Rng};
use crate::positions::{Layout, Segment};
use crate::spec::model::Pairing;

/// The band of cases from the covering array.
pub const COVER: &str = "cover";

/// The cases of the generator's group, for a check.
pub fn cases(g: &Generator, check: &str) -> Vec<Case> {
    let alike = |row: &&CoverRow| row.dtype == g.group.dtype && row.pairing == g.group.pairing;
    let ours = g.cover.iter().filter(|row| row.scheme == g.group.scheme);
    // Level positions has neither type nor pairing.
    ours.filter(|row| g.group.level == Level::Positions || alike(row)).filter_map(|row| case(row, g, check)).collect()
}

/// The place of a group among those of its scheme that have calls.
pub struct Turns {
    kinds: usize,
    schemes: usize,
    at: usize,
}

impl Turns {
    /// Of the generator's group; none where there are no calls.
    pub fn of(g: &Generator) -> Option<Turns> {
        let kinds: BTreeSet<(DType, Pairing)> = g.cover.iter().map(|row| (row.dtype, row.pairing)).collect();
        let schemes: BTreeSet<&str> = g.cover.iter().map(|row| row.scheme.as_str()).collect();
        let kind = kinds.iter().position(|kind| *kind == (g.group.dtype, g.group.pairing))?;
        let scheme = schemes.iter().position(|scheme| *scheme == g.group.scheme).unwrap_or(0);
        let first = (scheme + usize::try_from(g.seed % kinds.len() as u64).unwrap_or(0)) % kinds.len();
        Some(Turns { kinds: kinds.len(), schemes: schemes.len(), at: (kind + kinds.len() - first) % kinds.len() })
    }

    /// Whether the group is the one of its scheme that does what is dear: another one for each scheme.
    pub fn is_first(&self) -> bool {
        self.at == 0
    }

    /// Whether the group does this one of many things, so that each is done on every scheme, and with every type and pairing.
    pub fn has(&self, thing: usize) -> bool {
        (self.at + thing) % self.kinds < self.kinds.div_ceil(self.schemes)
    }
}

/// The call as a case of a check; `None` where the scheme has no such layout.
pub(super) fn case(row: &CoverRow, g: &Generator, check: &str) -> Option<Case> {
    let mut rng = Rng::new(row.seed);
    let mut case = g.case(check, Vec::new(), &row.heads, row.seed);
    case.data = match (g.group.level, row.seed % 4) {
        (Level::Positions, _) => Data::Uniform,
        (_, 0) => Data::NotFinite,
        _ => Data::Mixed,
    };
    case.alias = row.alias;
    case.direction = row.direction;
    case.scaling = row.scaling;
    case.per_head = row.per_head;
    for (to, dtype) in [
        (&mut case.k_dtype, row.k_dtype),
        (&mut case.output_dtype, row.output_dtype),
        (&mut case.table_dtype, row.table_dtype),
    ] {
        *to = if dtype.beside(case.dtype) == case.dtype { BesideDtype::Storage } else { dtype };
    }
    case.table_width = row.table_width;
    case.position_order = row.position_order;
    let [q, k, out] = row.orders;
    // Outputs on the inputs have the order of the inputs.
    let out = if row.alias == Alias::In { Order::Packed } else { out };
    case.memory = match (q, k, out) {
        (Order::Packed, Order::Packed, Order::Packed) => Memory::Packed,
        (q, k, out) => Memory::Each { q, k, out },
    };
    if g.group.level != Level::Fused {
        case.position_dtype = row.position_dtype;
    }
    case.packed = matches!(row.rows, Division::Packed { .. });
    let turn = usize::try_from(row.seed % (1 << 16)).unwrap_or(0);
    if matches!(g.group.level, Level::Positions | Level::Fused) {
        (case.layouts, case.window) = row.laid.get_or_init(|| laid(row, g)).clone()?;
        g.vary_parameters(&mut case, turn);
        return Some(case);
    }
    case.layouts = match row.rows {
        Division::Batch(n) => vec![text(row.tokens); n as usize],
        Division::Packed { sequences, empty } => divided(row.tokens, sequences, empty, 0, &mut rng)
            .into_iter()
            .map(|n| if n == 0 { Layout::default() } else { text(n) })
            .collect(),
    };
    let (least, most) = row.limits;
    let may_differ = g.manifest.batch_layouts && row.position_order != PositionOrder::Shared;
    case.place = if may_differ || row.batch() == 1 {
        row.walk()
    } else {
        // All rows are in the same places.
        let most = most - i64::from(row.tokens);
        let octave = rng.between(0, 30);
        let shift = rng.between(0, most.clamp(0, 1 << octave));
        PositionSource::Layout { shift: (least <= most).then(|| shift.clamp(least, most))? }
    };
    g.vary_parameters(&mut case, turn);
    Some(case)
}

/// Layouts that have what the row wishes, or text where the scheme has none such.
fn laid(row: &CoverRow, g: &Generator) -> Option<Laid> {
    let (layouts, window) = row.layouts(g.manifest)?;
    let dtype = (g.group.level == Level::Positions).then_some(row.position_dtype);
    let places = |layout: &Layout| {
        let (start, count) = window.unwrap_or((0, layout.tokens()));
        g.places(layout, start..start + count, dtype)
    };
    if layouts.iter().all(places) {
        return Some((layouts, window));
    }
    let plain = |layout: &Layout| match layout.tokens() {
        0 => Some(Layout::default()),
        tokens => Layout::new(vec![Segment::Text(u32::try_from(tokens).ok()?)]).ok(),
    };
    let layouts: Vec<Layout> = layouts.iter().map(plain).collect::<Option<_>>()?;
    layouts.iter().all(places).then_some((layouts, window))
}
