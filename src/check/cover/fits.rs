//! Which options of the factors go together in one call.

use super::array::ROUNDS;
use super::factors::*;
use super::row::{Division, WIDE};
use crate::backend::manifest::is_beside;
use crate::case::{Alias, Consume, Level, Order, PositionOrder};
use crate::check::depth::Depth;
use crate::check::generator::Generator;
use crate::check::heads::HeadPreset;
use crate::numeric::DType;
use crate::positions::SegmentKind;

/// Positions beyond which the angle of a fast pair cannot be seen.
const FAR: u32 = 1 << 12;

/// Most cells of a grid of which a part is asked for.
const MOST_CELLS: u64 = 1 << 28;

/// Most elements of a row's tensors (on level positions, tokens), by round: large tokens go with few heads. Two classes that
/// meet in no such call do not meet; after the last round come calls of classes that are in none.
pub(super) fn most_elements(level: Level, depth: Depth, round: u32) -> u64 {
    let of_round: [u64; ROUNDS as usize + 1] = match level {
        Level::Positions => [1 << 8, 1 << 11, 1 << 14, 1 << 17],
        Level::Fused => [1 << 12, 1 << 14, 1 << 15, 1 << 18],
        _ => [1 << 13, 1 << 15, 1 << 16, 1 << 18],
    };
    let deeper = if depth == Depth::Deep { 16 } else { 1 };
    of_round.get(round as usize).copied().unwrap_or(0) * deeper
}

impl Factors {
    /// Whether a row that has these options so far can be made with so many elements.
    pub(super) fn feasible(&self, g: &Generator, row: &[Option<usize>], most: u64) -> bool {
        let division = row[ROWS].map(|at| self.rows[at]);
        let tokens = row[TOKENS].map(|at| self.tokens[at]);
        let (batch, sequences) = match division {
            Some(Division::Batch(n)) => (n, 1),
            Some(Division::Packed { sequences, empty }) => (1, (sequences - empty).max(1)),
            None => (1, 1),
        };
        let (q, k) = row[HEADS].map_or((1, 0), |at| self.heads[at]);
        let width = row[WIDTH].map_or(2, |at| self.widths[at].0.head_dim);
        let width = if g.group.level == Level::Positions { 1 } else { width };
        let least = [u64::from(tokens.unwrap_or(1)), (q + k).into(), batch.into(), width.into()];
        least.iter().product::<u64>() <= most
            && tokens.is_none_or(|tokens| tokens >= sequences)
            && self.tables_differ(row)
            && self.types_are_offered(g, row)
            && self.positions_show(row, division, tokens.unwrap_or(2))
            && self.orders_show(row, batch, tokens.unwrap_or(2), division.is_none())
            && self.layout_has_room(g, row, division, sequences)
    }

    /// Whether there are tables of several heads, and pairs in other places, where these shall differ.
    fn tables_differ(&self, row: &[Option<usize>]) -> bool {
        row[TABLES].is_none_or(|at| !self.tables[at])
            || row[HEADS].is_none_or(|at| self.heads[at].1 > 1) && row[WIDTH].is_none_or(|at| self.pairs(at) > 1)
    }

    /// Whether keys, outputs and tables of these types are offered beside queries of this type. Outputs on the inputs have
    /// their type.
    fn types_are_offered(&self, g: &Generator, row: &[Option<usize>]) -> bool {
        let Some(dtype) = row[DTYPE].map(|at| self.dtypes[at]) else { return true };
        let in_place = row[ALIAS].map(|at| self.alias[at]) == Some(Alias::In);
        let no_keys = row[HEADS].is_some_and(|at| self.heads[at].1 == 0);
        [
            (K_DTYPE, &self.k_dtypes, &g.manifest.k_dtypes, no_keys),
            (OUTPUT_DTYPE, &self.output_dtypes, &g.manifest.output_dtypes, in_place),
            (TABLE_DTYPE, &self.table_dtypes, &g.manifest.table_dtypes, false),
        ]
        .into_iter()
        .all(|(factor, options, offered, own)| {
            row[factor].is_none_or(|at| {
                if own { options[at].beside(dtype) == dtype } else { is_beside(offered, options[at], dtype) }
            })
        })
    }

    /// Whether positions show their order: those of one token have no stride, and several rows share one or
    /// lie otherwise than the axes or the tokens.
    fn positions_show(&self, row: &[Option<usize>], division: Option<Division>, tokens: u32) -> bool {
        let several = division.is_none_or(|rows| matches!(rows, Division::Batch(n) if n > 1));
        row[POSITION_ORDER].is_none_or(|at| match self.position_orders[at] {
            PositionOrder::Rows => true,
            PositionOrder::Spread | PositionOrder::AxesLast => tokens > 1,
            PositionOrder::Shared | PositionOrder::BatchAxisToken => several,
            PositionOrder::AxisTokenBatch | PositionOrder::TokenAxisBatch | PositionOrder::TokenBatchAxis => {
                several && tokens > 1
            }
        })
    }

    /// Rotated pairs of heads, where the scheme turns all that it is given.
    fn pairs(&self, at: usize) -> u32 {
        let heads = &self.widths[at].0;
        heads.rotary.map_or(heads.head_dim, |(width, _)| width) / 2
    }

    /// Whether every tensor shows its order: one of one token, head or row cannot. Outputs on the inputs have theirs.
    fn orders_show(&self, row: &[Option<usize>], batch: u32, tokens: u32, any_batch: bool) -> bool {
        let shows = |order: Order, heads: u32| match order {
            Order::Packed | Order::Spread | Order::Mirrored => true,
            Order::Padded | Order::Reversed => batch > 1 || tokens > 1 || heads > 1,
            Order::HeadsFirst | Order::HeadsFirstPadded => tokens > 1 && heads > 1,
            Order::TokensFirst => (any_batch || batch > 1) && tokens > 1,
        };
        let order = |factor: usize| row[factor].and_then(|at| self.orders.get(at).copied());
        let heads = row[HEADS].map(|at| self.heads[at]);
        let shown = |factor, count: Option<u32>| {
            order(factor).is_none_or(|order| count.is_none_or(|count| shows(order, count)))
        };
        // Keys that are not there have no order, and those that are have one.
        let keys = heads.map(|heads| heads.1);
        let no_order = row[K_ORDER].map(|at| at == self.orders.len());
        let astray = keys.zip(no_order).is_some_and(|(keys, none)| (keys == 0) != none);
        let in_place = row[ALIAS].map(|at| self.alias[at]) == Some(Alias::In);
        let moved = in_place && order(Q_ORDER).zip(order(OUT_ORDER)).is_some_and(|(q, out)| q != out);
        let queries = heads.map(|heads| heads.0);
        shown(Q_ORDER, queries) && shown(OUT_ORDER, queries) && shown(K_ORDER, keys) && !astray && !moved
    }

    /// Whether there is a layout of these sizes: with ranges any that is not too large, else one of as many tokens.
    fn layout_has_room(
        &self,
        g: &Generator,
        row: &[Option<usize>],
        division: Option<Division>,
        sequences: u32,
    ) -> bool {
        let cells: u64 = [FRAMES, HEIGHT, BREADTH]
            .into_iter()
            .zip(&self.sides)
            .map(|(factor, sides)| u64::from(row[factor].map_or(1, |at| sides[at])))
            .product();
        let text = u64::from(row[TEXT].map_or(0, |at| self.texts[at]));
        let segments = row[SEGMENTS].map(|at| self.segments[at]);
        let neighbours = row[NEIGHBOURS].is_some_and(|at| self.neighbours[at].is_some());
        if neighbours && segments.is_some_and(|n| n < with_neighbours(&g.manifest.layouts)) {
            return false;
        }
        let start = row[START].map(|at| self.starts[at]);
        let tokens = row[TOKENS].map(|at| u64::from(self.tokens[at]));
        if start.is_some_and(|start| start > FAR)
            && let Some(at) = row[WIDTH]
            && self.narrow_at_far(at)
        {
            return false;
        }
        if !self.layouts {
            return true;
        }
        let packed = matches!(division, Some(Division::Packed { .. }));
        let whole_grid = [FRAMES, HEIGHT, BREADTH].iter().all(|factor| row[*factor].is_some());
        if !g.manifest.layouts.has(SegmentKind::Text) && whole_grid {
            // Nothing else can fill up a layout.
            return cells <= MOST_CELLS && u64::from(start.unwrap_or(0)) + tokens.unwrap_or(1) <= cells;
        }
        if g.manifest.token_ranges && !packed {
            let float = row[POSITION_DTYPE].map(|at| self.position_dtypes[at]) == Some(DType::F32);
            let most = if float && g.group.level == Level::Positions { self.room.min(1 << 24) } else { self.room };
            return cells <= MOST_CELLS && cells + text + u64::from(start.unwrap_or(0)) + tokens.unwrap_or(1) <= most;
        }
        let begins = start.is_none_or(|start| start == 0);
        let room = tokens.map(|tokens| tokens - tokens.min(u64::from(sequences - 1)));
        begins && room.is_none_or(|room| cells + text + u64::from(segments.unwrap_or(2)) <= room + 2)
    }

    /// Whether heads are too narrow to show an angle far out, and others are not.
    fn narrow_at_far(&self, at: usize) -> bool {
        let narrow = |heads: &HeadPreset| heads.rotary.map_or(heads.head_dim, |(width, _)| width) < WIDE;
        narrow(&self.widths[at].0) && self.has_wide
    }

    /// Smallest and largest position that can be handed over in a type, to heads of so many rotated channels.
    pub(super) fn limits(&self, g: &Generator, dtype: DType, width: u32) -> (i64, i64) {
        /// Most bytes of a cache of cosines and sines, which has a row of its own for each position.
        const MOST_CACHE: i64 = 1 << 24;
        const LONG: i64 = i32::MAX as i64;
        let (mut least, mut most) = g.limits();
        if g.level.consumes(Consume::CosSinCache) {
            most = most.min(MOST_CACHE / (8 * i64::from(width.max(2))));
        }
        if dtype == DType::I32 {
            (least, most) = (least.max(-LONG), most.min(LONG));
        }
        (least, most.max(least))
    }
}
