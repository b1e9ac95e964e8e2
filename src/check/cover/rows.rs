//! The rows of the covering array of a level, each given to a scheme that has such heads.

use std::cell::RefCell;
use std::sync::OnceLock;

use super::array::{Array, Row, classes_of};
use super::cases::case;
use super::classes::Classes;
use super::factors::*;
use super::fits::most_elements;
use super::met::Met;
use super::row::{CoverRow, Division, Wish};
use super::walks::Walks;
use crate::case::{CallDimensions, Level, Order};
use crate::check::depth::Depth;
use crate::check::generator::Generator;
use crate::check::heads::HeadPreset;
use crate::numeric::Rng;

/// Elements that the rows of a level may take together (on level positions, tokens); what does not fit is left out, and reach
/// says so.
fn budget(level: Level) -> u64 {
    if level == Level::Positions { 4 << 20 } else { 60 << 20 }
}

/// Most rows of a level.
const MOST_ROWS: usize = 6000;

/// The calls that cover a level, with a generator for every scheme that is judged on it, whatever its dtype and pairing; and
/// the pairs of classes that no such call can have.
/// Deterministic under the seed of the generators.
#[must_use]
pub(super) fn rows(schemes: &[Generator], classes: &Classes, depth: Depth) -> (Vec<CoverRow>, Met) {
    let nothing = || (Vec::new(), Met::none(classes.all().len()));
    let Some(first) = schemes.first() else { return nothing() };
    let level = first.group.level;
    let mut rng = Rng::new(first.seed).fork(0x0063_6f76_6572);
    let options = Factors::new(schemes, classes, &mut rng);
    let factors = options.choices(classes);
    if factors.iter().any(Vec::is_empty) {
        return nothing();
    }
    let feasible = |row: &[Option<usize>], round| options.feasible(first, row, most_elements(level, depth, round));
    let apart = |a, b| classes.need_not_meet(a, b);
    let seeds = rng.fork(3);
    // The rows of the array as calls.
    let calls: RefCell<Vec<CoverRow>> = RefCell::default();
    let meet = |met: &mut Met, row: &Row, number: usize| {
        let seed = seeds.fork(number as u64).next_u64();
        let Some(call) = options.row(schemes, row, number, seed) else { return false };
        let Some(g) = schemes.iter().find(|g| g.group.scheme == call.scheme) else { return false };
        let Some(case) = case(&call, g, "") else { return false };
        calls.borrow_mut().push(call);
        if !options.layouts {
            met.add_all(&classes_of(&factors, row));
            return true;
        }
        let base = classes_of(&factors[..FRAMES], row);
        met.add_all(&base);
        let of_layouts = CallDimensions::of_layouts(&case.layouts);
        classes.meet(met, &of_layouts);
        for class in of_layouts.iter().filter_map(|(dimension, value)| classes.number(dimension, value)) {
            base.iter().for_each(|other| met.add(*other, class));
        }
        true
    };
    let mut array = Array::new(&factors, classes.all().len(), &feasible, &apart, &meet, rng.fork(1));
    let deeper = if depth == Depth::Deep { 4 } else { 1 };
    array.cover_classes();
    if depth != Depth::Quick {
        array.cover_modes(MOST_ROWS * deeper);
        array.cover_pairs(MOST_ROWS * deeper);
    }
    let (mut rows, mut spent) = (Vec::new(), 0);
    let mut walks = Walks::new(classes, array.met.clone(), rng.fork(2));
    for (chosen, mut row) in array.rows.iter().zip(calls.take()) {
        // Of the rows that take more than is left, the others are still made.
        if spent + row.elements() <= budget(level) * deeper as u64 {
            spent += row.elements();
            if level == Level::Rotate {
                let axes = schemes.iter().find(|g| g.group.scheme == row.scheme).map_or(0, |g| g.scheme.axes.len());
                walks.give_turn(&mut row, &classes_of(&factors, chosen), axes);
            }
            rows.push(row);
        }
    }
    rows.extend(at_octaves(schemes, &rows));
    let impossible = if depth == Depth::Quick { Met::none(classes.all().len()) } else { array.impossible() };
    (rows, impossible)
}

/// Few tokens on both sides of every power of two that a window of a layout reaches, on the schemes that have most axes, in
/// turn: the array's own rows begin anywhere in a class of starts.
fn at_octaves(schemes: &[Generator], rows: &[CoverRow]) -> Vec<CoverRow> {
    const TOKENS: u32 = 4;
    let axes =
        |row: &&CoverRow| schemes.iter().find(|g| g.group.scheme == row.scheme).map_or(0, |g| g.scheme.axes.len());
    let is_windowed = |row: &&CoverRow| {
        let level = schemes[0].group.level;
        matches!(level, Level::Fused | Level::Positions)
            && schemes[0].manifest.token_ranges
            && matches!(row.rows, Division::Batch(_))
            && (level == Level::Positions || row.is_wide())
    };
    let mut like: Vec<&CoverRow> = rows.iter().filter(is_windowed).collect();
    let most = like.iter().map(axes).max();
    like.retain(|row| Some(axes(row)) == most);
    like.sort_by_key(|row| row.elements() / u64::from(row.tokens.max(1)) / u64::from(row.batch()));
    like.truncate(1 << 5);
    let at = |octave: u32| {
        let like = *like.get(octave as usize % like.len().max(1))?;
        let start = (1u32 << octave).checked_sub(TOKENS / 2)?;
        let wish = Wish { start, sides: [1; 3], text: 1, neighbours: None, segments: 2, ..like.wish.clone() };
        let laid = OnceLock::new();
        let row = CoverRow { rows: Division::Batch(1), tokens: TOKENS, wish, laid, ..like.clone() };
        let g = schemes.iter().find(|g| g.group.scheme == row.scheme)?;
        case(&row, g, "").is_some().then_some(row)
    };
    (1..31).filter_map(at).collect()
}

impl Factors {
    /// A row of the array as a call, on the first scheme from this turn on that has such heads.
    fn row(&self, schemes: &[Generator], row: &[usize], turn: usize, seed: u64) -> Option<CoverRow> {
        let (q_heads, k_heads) = self.heads[row[HEADS]];
        let (width, fitting) = &self.widths[row[WIDTH]];
        let heads = HeadPreset { q_heads, k_heads, ..width.clone() };
        let position_dtype = self.position_dtypes[row[POSITION_DTYPE]];
        let level = schemes[0].group.level;
        let in_turn = (0..fitting.len()).map(|i| fitting[(turn + i) % fitting.len()]);
        // A position on an axis that few schemes have has to meet as much as any other.
        let axes = |at: &usize| schemes[*at].scheme.axes.len();
        let most = fitting.iter().map(axes).max();
        let rare = in_turn.clone().filter(|at| turn.is_multiple_of(3) && Some(axes(at)) == most);
        let scheme = rare.chain(in_turn).find(|at| {
            let g = &schemes[*at];
            let order = self.position_orders[row[POSITION_ORDER]];
            (level == Level::Positions || g.fits(&heads))
                && g.manifest.position_orders(level, g.scheme.axes.len()).contains(&order)
                && (level == Level::Fused || level == Level::Apply || g.position_types().contains(&position_dtype))
        })?;
        let order = |factor: usize| self.orders.get(row[factor]).copied().unwrap_or(Order::Packed);
        let [t, h, w] = [0, 1, 2].map(|axis| self.sides[axis][row[FRAMES + axis]]);
        Some(CoverRow {
            scheme: schemes[scheme].group.scheme.clone(),
            dtype: self.dtypes[row[DTYPE]],
            pairing: self.pairings[row[PAIRING]],
            limits: self.limits(
                &schemes[scheme],
                position_dtype,
                heads.rotary.map_or(heads.head_dim, |(width, _)| width),
            ),
            heads,
            rows: self.rows[row[ROWS]],
            tokens: self.tokens[row[TOKENS]],
            alias: self.alias[row[ALIAS]],
            orders: [order(Q_ORDER), order(K_ORDER), order(OUT_ORDER)],
            direction: self.directions[row[DIRECTION]],
            scaling: self.scalings[row[SCALING]],
            per_head: self.tables[row[TABLES]],
            table_dtype: self.table_dtypes[row[TABLE_DTYPE]],
            k_dtype: self.k_dtypes[row[K_DTYPE]],
            output_dtype: self.output_dtypes[row[OUTPUT_DTYPE]],
            position_order: self.position_orders[row[POSITION_ORDER]],
            table_width: self.table_widths[row[TABLE_WIDTH]],
            position_dtype,
            axis: self.walks[row[WALK]],
            turn: 0,
            wish: Wish {
                start: self.starts[row[START]],
                sides: [t, h, w],
                seconds: self.seconds[row[SECONDS]],
                text: self.texts[row[TEXT]],
                neighbours: self.neighbours[row[NEIGHBOURS]],
                segments: self.segments[row[SEGMENTS]],
            },
            seed,
            laid: OnceLock::new(),
        })
    }
}
