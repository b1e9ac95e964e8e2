//! What the rows of a level's covering array choose between, and which classes each choice has.

use super::array::Choice;
use super::classes::{Classes, ends};
use super::row::{Division, WIDE};
use crate::backend::Manifest;
use crate::backend::layout_limits::LayoutLimits;
use crate::backend::manifest::{Integers, beside};
use crate::case::{Alias, BesideDtype, Consume, Dimension, Level, Order, PositionOrder, TableWidth, tables_are_read};
use crate::check::generator::Generator;
use crate::check::heads::HeadPreset;
use crate::numeric::{DType, Number, Rng};
use crate::positions::SegmentKind;
use crate::spec::model::Pairing;

/// The factors, in this order; the orders of q, k and outputs are three.
pub(super) const DTYPE: usize = 0;
pub(super) const PAIRING: usize = 1;
pub(super) const HEADS: usize = 2;
pub(super) const WIDTH: usize = 3;
pub(super) const ROWS: usize = 4;
pub(super) const TOKENS: usize = 5;
pub(super) const ALIAS: usize = 6;
pub(super) const Q_ORDER: usize = 7;
pub(super) const K_ORDER: usize = 8;
pub(super) const OUT_ORDER: usize = 9;
pub(super) const DIRECTION: usize = 10;
pub(super) const SCALING: usize = 11;
pub(super) const POSITION_DTYPE: usize = 12;
pub(super) const WALK: usize = 13;
pub(super) const START: usize = 14;
pub(super) const FRAMES: usize = 15;
pub(super) const HEIGHT: usize = 16;
pub(super) const BREADTH: usize = 17;
pub(super) const TEXT: usize = 18;
pub(super) const SECONDS: usize = 19;
pub(super) const NEIGHBOURS: usize = 20;
pub(super) const SEGMENTS: usize = 21;
pub(super) const TABLES: usize = 22;
pub(super) const TABLE_DTYPE: usize = 23;
pub(super) const TABLE_WIDTH: usize = 24;
pub(super) const POSITION_ORDER: usize = 25;
pub(super) const K_DTYPE: usize = 26;
pub(super) const OUTPUT_DTYPE: usize = 27;

/// Fewest segments of a layout that shows two kinds side by side beside its grid; fewer where no more are
/// offered.
pub(super) fn with_neighbours(limits: &LayoutLimits) -> u32 {
    u32::try_from(limits.segments).unwrap_or(u32::MAX).min(8)
}

/// What the factors choose between.
pub(super) struct Factors {
    pub(super) dtypes: Vec<DType>,
    pub(super) pairings: Vec<Pairing>,
    pub(super) heads: Vec<(u32, u32)>,
    /// Each with the numbers of the schemes that have such heads.
    pub(super) widths: Vec<(HeadPreset, Vec<usize>)>,
    pub(super) rows: Vec<Division>,
    pub(super) tokens: Vec<u32>,
    pub(super) alias: Vec<Alias>,
    pub(super) orders: Vec<Order>,
    pub(super) directions: Vec<i32>,
    pub(super) scalings: Vec<Option<f64>>,
    pub(super) position_dtypes: Vec<DType>,
    /// The one axis on which tokens are anywhere; `None`: all.
    pub(super) walks: Vec<Option<u8>>,
    pub(super) starts: Vec<u32>,
    /// T, H and W.
    pub(super) sides: [Vec<u32>; 3],
    pub(super) texts: Vec<u32>,
    /// Time from one frame to the next, as a fraction.
    pub(super) seconds: Vec<[i64; 2]>,
    /// Two kinds side by side, or the one that begins a layout, as the dimension has them; `None`: neither is asked for.
    pub(super) neighbours: Vec<Option<u8>>,
    pub(super) segments: Vec<u32>,
    /// Whether tables that the scheme has for all heads differ per head.
    pub(super) tables: Vec<bool>,
    /// Types of the cosines and sines that are handed over; `Storage` alone where there are no others.
    pub(super) table_dtypes: Vec<BesideDtype>,
    pub(super) table_widths: Vec<TableWidth>,
    pub(super) position_orders: Vec<PositionOrder>,
    /// Types of keys and of outputs, as those of the tables.
    pub(super) k_dtypes: Vec<BesideDtype>,
    pub(super) output_dtypes: Vec<BesideDtype>,
    /// Whether some heads have slow pairs.
    pub(super) has_wide: bool,
    /// Whether calls have layouts.
    pub(super) layouts: bool,
    /// Tokens for which every scheme has positions.
    pub(super) room: u64,
}

/// One value of every class of a dimension.
fn values(classes: &Classes, dimension: Dimension, rng: &mut Rng) -> Vec<i64> {
    let all = classes.all().iter().filter(|class| class.dimension == dimension);
    all.map(|class| rng.between(class.low, class.high)).collect()
}

/// As [`values`], as sizes; `otherwise` where the level has no such dimension.
fn sizes(classes: &Classes, dimension: Dimension, otherwise: u32, rng: &mut Rng) -> Vec<u32> {
    let found: Vec<u32> =
        values(classes, dimension, rng).into_iter().filter_map(|value| u32::try_from(value).ok()).collect();
    if found.is_empty() { vec![otherwise] } else { found }
}

/// Frames of every class, each of which some grid may have.
fn frames(manifest: &Manifest, classes: &Classes, rng: &mut Rng) -> Vec<u32> {
    let limits = &manifest.layouts;
    let offered = |value: u32| {
        let value = i64::from(value);
        if limits.takes_frames(value) {
            return Some(value);
        }
        // The next that is allowed; the first of the class where there is none above.
        let class = classes.number(Dimension::Frames, value).and_then(|at| classes.all().get(usize::from(at)))?;
        let inside = |frames: &i64| *frames <= class.high;
        limits.frames.at_least(value).filter(inside).or_else(|| limits.frames.at_least(class.low))
    };
    let drawn = sizes(classes, Dimension::Frames, 1, rng).into_iter();
    drawn.filter_map(|value| offered(value).map_or(Some(value), |frames| u32::try_from(frames).ok())).collect()
}

/// Values of every class of a dimension that a set allows: of a range of values some, those of `common` first.
fn allowed(
    classes: &Classes,
    dimension: Dimension,
    integers: &Integers,
    common: impl Fn(i64) -> bool,
    rng: &mut Rng,
) -> Vec<u32> {
    const ANY: usize = 2;
    let mut all = Vec::new();
    for class in classes.all().iter().filter(|class| class.dimension == dimension) {
        let inside = |value: &i64| (class.low..=class.high).contains(value);
        let drawn = (0..ANY).map(|_| rng.between(class.low, class.high));
        let drawn: Vec<i64> = drawn.chain([class.low]).collect();
        let known = (class.low..=class.high.min(MOST_COMMON)).filter(|value| common(*value) && integers.allows(*value));
        // The next that is allowed; from the start of the class where there is none above.
        let some = drawn.into_iter().filter_map(|value| integers.at_least(value).filter(inside)).take(ANY);
        all.extend(known.chain(some).filter_map(|value| u32::try_from(value).ok()));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Largest number of heads or channels that is common.
const MOST_COMMON: i64 = 256;

impl Factors {
    /// Of a level, with a generator for every scheme that is judged on it.
    pub(super) fn new(schemes: &[Generator], classes: &Classes, rng: &mut Rng) -> Factors {
        let first = &schemes[0];
        let (m, level) = (first.manifest, first.group.level);
        let tensors = level != Level::Positions;
        let mut rows: Vec<Division> = vec![Division::Batch(1)];
        rows.extend(sizes(classes, Dimension::Batch, 1, rng).into_iter().filter(|n| *n > 1).map(Division::Batch));
        if m.varlen && tensors {
            for sequences in sizes(classes, Dimension::Sequences, 0, rng).into_iter().filter(|n| *n > 0) {
                let empty = [0, 1, 2].into_iter().filter(|empty| *empty < sequences);
                rows.extend(empty.map(|empty| Division::Packed { sequences, empty }));
            }
        }
        let orders = Order::ALL.into_iter().map(|(_, order)| order);
        let orders = orders.filter(|order| classes.number(Dimension::QStrides, *order as i64).is_some());
        let axes = schemes.iter().map(|g| g.scheme.axes.len()).max().and_then(|n| u8::try_from(n).ok()).unwrap_or(1);
        let alone = (0..axes.min(4)).filter(|_| level == Level::Rotate && axes > 1).map(Some);
        let layouts = matches!(level, Level::Positions | Level::Fused);
        // Images have no time between frames.
        let seconds = if m.layouts.has(SegmentKind::Video) { 8 } else { 1 };
        let seconds: &[[i64; 2]] = if layouts {
            &[[1, 1], [1, 2], [3, 4], [7, 2], [1, 3], [1, 24], [1001, 30_000], [10, 3]][..seconds]
        } else {
            &[[1, 1]]
        };
        // A token takes as many positions as text does, or fewer.
        let room = |g: &Generator| g.limits().1.unsigned_abs().min(1 << 31) / g.text_step().unsigned_abs().max(1);
        let beside = |kinds: u8| classes.number(Dimension::Neighbours, kinds.into()).is_some();
        let side = |dimension, rng: &mut Rng| sizes(classes, dimension, 1, rng);
        let widths = if tensors {
            widths(schemes, classes, rng)
        } else {
            vec![(HeadPreset::NONE, (0..schemes.len()).collect())]
        };
        let is_wide = |heads: &HeadPreset| heads.rotary.map_or(heads.head_dim, |(width, _)| width) >= WIDE;
        Factors {
            has_wide: widths.iter().any(|(heads, _)| is_wide(heads)),
            dtypes: if tensors { m.dtypes.clone() } else { vec![first.group.dtype] },
            pairings: if tensors { m.pairings.clone() } else { vec![first.group.pairing] },
            heads: if tensors { heads(first, classes, rng) } else { vec![(1, 0)] },
            widths,
            rows,
            tokens: sizes(classes, Dimension::Tokens, 1, rng),
            alias: if tensors { m.alias.clone() } else { vec![Alias::Out] },
            orders: if tensors { orders.collect() } else { vec![Order::Packed] },
            directions: if tensors {
                m.directions.iter().map(|d| if *d < 0 { -1 } else { 1 }).collect()
            } else {
                vec![1]
            },
            scalings: if m.attention_scaling && tensors {
                vec![None, Some(0.7), Some(1.138_629_436_111_989), Some(1.5)]
            } else {
                vec![None]
            },
            position_dtypes: match level {
                Level::Rotate | Level::Positions if !m.position_dtypes.is_empty() => m.position_dtypes.clone(),
                _ => vec![first.position_dtype()],
            },
            walks: [None].into_iter().chain(alone).collect(),
            starts: sizes(classes, Dimension::Start, 0, rng),
            sides: [frames(m, classes, rng), side(Dimension::Height, rng), side(Dimension::Width, rng)],
            texts: sizes(classes, Dimension::Text, 1, rng),
            seconds: seconds.to_vec(),
            neighbours: [None].into_iter().chain((0..12).filter(|kinds| beside(*kinds)).map(Some)).collect(),
            segments: sizes(classes, Dimension::Segments, 3, rng),
            tables: if m.per_head && tables_are_read(level, &first.level.consumes) {
                vec![false, true]
            } else {
                vec![false]
            },
            table_dtypes: table_dtypes(first),
            table_widths: first.table_widths().to_vec(),
            position_orders: m.position_orders(level, axes.into()),
            k_dtypes: if tensors { named(&m.k_dtypes, &m.dtypes) } else { vec![BesideDtype::Storage] },
            output_dtypes: if tensors { named(&m.output_dtypes, &m.dtypes) } else { vec![BesideDtype::Storage] },
            layouts,
            room: schemes.iter().map(room).min().unwrap_or(0),
        }
    }

    /// The classes of every option of every factor, and the modes of those that are combined by threes.
    pub(super) fn choices(&self, classes: &Classes) -> Vec<Vec<Choice>> {
        let choice = |values: &[(Dimension, i64)]| Choice {
            classes: values.iter().filter_map(|(dimension, value)| classes.number(*dimension, *value)).collect(),
            mode: None,
        };
        let one = |dimension, value: i64| choice(&[(dimension, value)]);
        let all = |dimension, values: &[u32]| values.iter().map(|n| one(dimension, (*n).into())).collect();
        let dtype = |dimension, dtype: &DType| one(dimension, Dimension::of_dtype(*dtype));
        let order = |dimension| self.orders.iter().map(|order| one(dimension, *order as i64)).collect::<Vec<_>>();
        // Beside every order none at all, of keys that are not there.
        let k_orders = [order(Dimension::KStrides), vec![Choice::default()]].concat();
        let rows = |rows: &Division| match *rows {
            Division::Batch(n) => Choice {
                mode: Some(u8::from(n > 1)),
                ..choice(&[(Dimension::Batch, n.into()), (Dimension::Sequences, 0)])
            },
            Division::Packed { sequences, empty } => Choice {
                mode: Some(2 + u8::from(empty > 0)),
                ..choice(&[
                    (Dimension::Batch, 1),
                    (Dimension::Sequences, sequences.into()),
                    (Dimension::EmptySequences, empty.into()),
                ])
            },
        };
        let heads = |(q, k): &(u32, u32)| {
            let group = q.checked_div(*k).unwrap_or(0);
            let values = [(Dimension::QHeads, *q), (Dimension::KHeads, *k), (Dimension::Group, group)];
            choice(&values.map(|(dimension, value)| (dimension, value.into())))
        };
        let width = |(heads, _): &(HeadPreset, Vec<usize>)| {
            let (width, offset) = heads.rotary.unwrap_or((heads.head_dim, 0));
            let rotated = Dimension::of_rotated(heads.head_dim as usize, width as usize, offset as usize);
            let classes = choice(&[(Dimension::HeadDim, heads.head_dim.into()), (Dimension::Rotated, rotated)]);
            Choice { mode: u8::try_from(rotated).ok(), ..classes }
        };
        let scaling = |scaling: &Option<f64>| one(Dimension::Scaling, Dimension::of_scaling(scaling.unwrap_or(1.0)));
        let seconds = |seconds: &[i64; 2]| one(Dimension::Seconds, Dimension::of_seconds(*seconds));
        let neighbours =
            |kinds: &Option<u8>| kinds.map_or_else(Choice::default, |k| one(Dimension::Neighbours, k.into()));
        // What mode each option is of, where the options of a factor are its modes.
        let modes = |options: Vec<Choice>| {
            let mode = |(at, choice)| Choice { mode: u8::try_from(at).ok(), ..choice };
            options.into_iter().enumerate().map(mode).collect::<Vec<_>>()
        };
        let of_type = |dimension| {
            move |one: &BesideDtype| match one {
                BesideDtype::Storage => Choice::default(),
                BesideDtype::Of(one) => dtype(dimension, one),
            }
        };
        let [frames, height, wide] = &self.sides;
        // Those that the scheme has may differ already.
        let tables =
            self.tables.iter().map(|per_head| if *per_head { one(Dimension::PerHead, 1) } else { Choice::default() });
        vec![
            modes(self.dtypes.iter().map(|d| dtype(Dimension::Dtype, d)).collect()),
            self.pairings.iter().map(|p| one(Dimension::Pairing, i64::from(*p == Pairing::Adjacent))).collect(),
            self.heads.iter().map(heads).collect(),
            self.widths.iter().map(width).collect(),
            self.rows.iter().map(rows).collect(),
            all(Dimension::Tokens, &self.tokens),
            modes(self.alias.iter().map(|a| one(Dimension::Alias, i64::from(*a == Alias::In))).collect()),
            modes(order(Dimension::QStrides)),
            modes(k_orders),
            modes(order(Dimension::OutStrides)),
            modes(self.directions.iter().map(|d| one(Dimension::Direction, i64::from(*d < 0))).collect()),
            modes(self.scalings.iter().map(scaling).collect()),
            modes(self.position_dtypes.iter().map(|d| dtype(Dimension::PositionDtype, d)).collect()),
            self.walks.iter().map(|_| Choice::default()).collect(),
            all(Dimension::Start, &self.starts),
            all(Dimension::Frames, frames),
            all(Dimension::Height, height),
            all(Dimension::Width, wide),
            all(Dimension::Text, &self.texts),
            self.seconds.iter().map(seconds).collect(),
            self.neighbours.iter().map(neighbours).collect(),
            all(Dimension::Segments, &self.segments),
            modes(tables.collect()),
            modes(self.table_dtypes.iter().map(of_type(Dimension::TableDtype)).collect()),
            modes(
                self.table_widths
                    .iter()
                    .map(|w| one(Dimension::TableWidth, i64::from(*w == TableWidth::Full)))
                    .collect(),
            ),
            modes(self.position_orders.iter().map(|order| one(Dimension::PositionOrder, *order as i64)).collect()),
            modes(self.k_dtypes.iter().map(of_type(Dimension::KDtype)).collect()),
            modes(self.output_dtypes.iter().map(of_type(Dimension::OutputDtype)).collect()),
        ]
    }
}

/// Every type of tables beside some type of tensors, by name; `Storage` where tables are of that type alone, or of none.
fn table_dtypes(g: &Generator) -> Vec<BesideDtype> {
    let given =
        g.group.level == Level::Apply || g.level.consumes(Consume::CosSin) || g.level.consumes(Consume::CosSinCache);
    if given { named(&g.manifest.table_dtypes, &g.manifest.dtypes) } else { vec![BesideDtype::Storage] }
}

/// Every type that a list offers beside some type of tensors, by name; `Storage` where it offers no other.
fn named(offered: &[BesideDtype], dtypes: &[DType]) -> Vec<BesideDtype> {
    if offered == [BesideDtype::Storage] {
        return offered.to_vec();
    }
    let mut all = Vec::new();
    for dtype in dtypes {
        for one in beside(offered, *dtype) {
            let one = BesideDtype::Of(one.beside(*dtype));
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}

/// Query and key heads of every class, and of every class of their ratio.
fn heads(g: &Generator, classes: &Classes, rng: &mut Rng) -> Vec<(u32, u32)> {
    let m = g.manifest;
    let q_heads = allowed(classes, Dimension::QHeads, &m.q_heads, |n| n <= 64 && n % 4 == 0, rng);
    let k_heads = allowed(classes, Dimension::KHeads, &m.k_heads, |n| n <= 16 && n % 2 == 0, rng);
    let most = u32::try_from(ends(&m.q_heads).1).unwrap_or(u32::MAX);
    let groups = sizes(classes, Dimension::Group, 0, rng);
    let mut all: Vec<(u32, u32)> = Vec::new();
    for k in k_heads.iter().copied().filter(|k| *k > 0) {
        let of_groups = groups.iter().filter_map(|group| k.checked_mul(*group));
        all.extend(of_groups.filter(|q| *q > 0 && *q <= most).map(|q| (q, k)));
    }
    for q in q_heads {
        all.extend((0..=q).filter(|k| *k == 0 || q.is_multiple_of(*k)).map(|k| (q, k)));
    }
    all.retain(|(q, k)| m.q_heads.allows((*q).into()) && m.k_heads.allows((*k).into()));
    all.sort_unstable();
    all.dedup();
    all
}

/// Widths of every class, whole and in parts, each with the schemes that have such heads.
fn widths(schemes: &[Generator], classes: &Classes, rng: &mut Rng) -> Vec<(HeadPreset, Vec<usize>)> {
    let m = schemes[0].manifest;
    let mut all = Vec::new();
    for head_dim in allowed(classes, Dimension::HeadDim, &m.head_dims, |n| n % 32 == 0 || n <= 128 && n % 8 == 0, rng) {
        let mut parts: Vec<Option<(u32, u32)>> = vec![None];
        if m.partial_rotary {
            let half = (head_dim / 4 * 2).max(2);
            let quarter = (head_dim / 8 * 2).max(2);
            let inside = (head_dim.saturating_sub(half) / 2).max(1);
            let all = [(half, 0), (quarter, 0), (half, inside), (quarter, 3), (half, head_dim.saturating_sub(half))];
            let fitting = all.into_iter().filter(|(width, at)| width + at <= head_dim && *width < head_dim);
            for part in fitting.filter_map(|(width, at)| m.part_near(head_dim, width, at)) {
                if !parts.contains(&Some(part)) {
                    parts.push(Some(part));
                }
            }
        }
        for rotary in parts {
            let heads = HeadPreset { head_dim, rotary, ..HeadPreset::NONE };
            let bases = m.bases.iter().filter_map(|base| Number::parse(base).ok());
            let with = bases.map(|base| vec![("base".to_owned(), base)]);
            let found = std::iter::once(Vec::new()).chain(with).find_map(|parameters| {
                let heads = HeadPreset { parameters, ..heads.clone() };
                let fitting: Vec<usize> = (0..schemes.len()).filter(|at| schemes[*at].plan_fits(&heads)).collect();
                (!fitting.is_empty()).then_some((heads, fitting))
            });
            all.extend(found);
        }
    }
    all
}
