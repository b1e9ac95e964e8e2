//! The rows of the covering array of a level, each given to a scheme that has such heads.

use super::array::{Array, Choice, ROUNDS};
use super::classes::{Classes, ends};
use super::row::{CoverRow, Division, Octave};
use crate::backend::manifest::Integers;
use crate::case::{Alias, Consume, Dimension, Level, Order};
use crate::check::bands::holds;
use crate::check::depth::Depth;
use crate::check::generator::Generator;
use crate::check::heads::HeadPreset;
use crate::numeric::{DType, Rng};
use crate::spec::model::Pairing;

/// Most elements of a row's tensors, by round: large tokens go with few heads. Classes that meet in no smaller call do not
/// meet.
const MOST_ELEMENTS: [u64; ROUNDS as usize] = [1 << 13, 1 << 15, 1 << 18];
/// Elements that the rows of a level may take together; what does not fit is left out, and reach says so.
const BUDGET: u64 = 24 << 20;
/// Most rows of a level.
const MOST_ROWS: usize = 2500;
/// Most bytes of a cache of cosines and sines in a row: it has a row of its own for every position.
const MOST_CACHE: u64 = 1 << 24;

/// What the factors of the array choose between.
struct Factors {
    dtypes: Vec<DType>,
    pairings: Vec<Pairing>,
    heads: Vec<(u32, u32)>,
    widths: Vec<(HeadPreset, Vec<usize>)>,
    rows: Vec<Division>,
    tokens: Vec<u32>,
    alias: Vec<Alias>,
    orders: Vec<Order>,
    directions: Vec<i32>,
    scalings: Vec<Option<f64>>,
    position_dtypes: Vec<DType>,
    octaves: Vec<Octave>,
}

/// The factors, in this order; the orders of q, k and outputs are three.
const DTYPE: usize = 0;
const PAIRING: usize = 1;
const HEADS: usize = 2;
const WIDTH: usize = 3;
const ROWS: usize = 4;
const TOKENS: usize = 5;
const ALIAS: usize = 6;
const Q_ORDER: usize = 7;
const K_ORDER: usize = 8;
const OUT_ORDER: usize = 9;
const DIRECTION: usize = 10;
const SCALING: usize = 11;
const POSITION_DTYPE: usize = 12;
const OCTAVE: usize = 13;

/// The calls that cover a level of tensors, with a generator for every scheme that is judged on it, whatever its dtype and
/// pairing.
/// Deterministic under the seed of the generators.
#[must_use]
pub fn rows(schemes: &[Generator], classes: &Classes, depth: Depth) -> Vec<CoverRow> {
    let Some(first) = schemes.first() else { return Vec::new() };
    if first.group.level == Level::Positions {
        return Vec::new();
    }
    let mut rng = Rng::new(first.seed).fork(0x0063_6f76_6572);
    let options = Factors::new(schemes, classes, &mut rng);
    let factors = options.choices(classes, first);
    if factors.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let feasible = |row: &[Option<usize>], round| options.feasible(first, row, MOST_ELEMENTS[round as usize]);
    let apart = |a, b| classes.of_one_dimension(a, b);
    let mut array = Array::new(&factors, classes.all().len(), &feasible, &apart, rng.fork(1));
    array.cover_classes();
    if depth != Depth::Quick {
        array.cover_pairs(MOST_ROWS);
    }
    let (mut rows, mut spent) = (Vec::new(), 0);
    for (number, row) in array.rows.iter().enumerate() {
        let made = options.row(schemes, row, number, rng.next_u64());
        // Of the rows that take more than is left, the others are still made.
        if let Some(row) = made.filter(|row| spent + row.elements() <= BUDGET) {
            spent += row.elements();
            rows.push(row);
        }
    }
    rows
}

/// One value of every class of a dimension: the ends of a range and something inside it.
fn values(classes: &Classes, dimension: Dimension, rng: &mut Rng) -> Vec<i64> {
    let all = classes.all().iter().filter(|class| class.dimension == dimension);
    all.map(|class| rng.between(class.low, class.high)).collect()
}

/// As [`values`], of those that a set allows.
fn allowed(classes: &Classes, dimension: Dimension, integers: &Integers, rng: &mut Rng) -> Vec<u32> {
    let drawn = values(classes, dimension, rng).into_iter().filter_map(|value| {
        let number = classes.number(dimension, value);
        // The next that is allowed; from the start of the class where there is none above.
        let same = |value: &i64| classes.number(dimension, *value) == number;
        let low = classes.all()[usize::from(number?)].low;
        let found = integers.at_least(value).filter(same).or(integers.at_least(low).filter(same))?;
        u32::try_from(found).ok()
    });
    drawn.collect()
}

impl Factors {
    fn new(schemes: &[Generator], classes: &Classes, rng: &mut Rng) -> Factors {
        let first = &schemes[0];
        let m = first.manifest;
        let narrow = |values: Vec<i64>| values.into_iter().filter_map(|v| u32::try_from(v).ok()).collect::<Vec<_>>();
        let tokens = narrow(values(classes, Dimension::Tokens, rng));
        let mut rows: Vec<Division> = vec![Division::Batch(1)];
        let batches = narrow(values(classes, Dimension::Batch, rng));
        rows.extend(batches.into_iter().filter(|n| *n > 1).map(Division::Batch));
        if m.varlen {
            for sequences in narrow(values(classes, Dimension::Sequences, rng)).into_iter().filter(|n| *n > 0) {
                let empty = [0, 1, 2].into_iter().filter(|empty| *empty < sequences);
                rows.extend(empty.map(|empty| Division::Packed { sequences, empty }));
            }
        }
        let orders = Order::ALL.into_iter().map(|(_, order)| order);
        let orders = orders.filter(|order| classes.number(Dimension::QStrides, *order as i64).is_some()).collect();
        let scalings = if m.attention_scaling {
            vec![None, Some(0.7), Some(1.138_629_436_111_989), Some(1.5)]
        } else {
            vec![None]
        };
        Factors {
            dtypes: m.dtypes.clone(),
            pairings: m.pairings.clone(),
            heads: heads(first, classes, rng),
            widths: widths(schemes, classes, rng),
            rows,
            tokens,
            alias: m.alias.clone(),
            orders,
            directions: m.directions.iter().map(|d| if *d < 0 { -1 } else { 1 }).collect(),
            scalings,
            position_dtypes: if first.group.level == Level::Rotate {
                m.position_dtypes.clone()
            } else {
                m.position_dtypes.first().copied().into_iter().chain([DType::I64]).take(1).collect()
            },
            octaves: octaves(schemes),
        }
    }

    /// The classes of every option of every factor.
    fn choices(&self, classes: &Classes, g: &Generator) -> Vec<Vec<Choice>> {
        let choice = |values: &[(Dimension, i64)]| Choice {
            classes: values.iter().filter_map(|(dimension, value)| classes.number(*dimension, *value)).collect(),
        };
        let dtype = |dimension, dtype: &DType| choice(&[(dimension, Dimension::of_dtype(*dtype))]);
        let order = |dimension| self.orders.iter().map(|order| choice(&[(dimension, *order as i64)])).collect();
        let octave = |octave: &Octave| {
            let one = |axis: usize| (Dimension::of_axis(axis), crate::case::octave(octave.low as f64));
            match octave.axis {
                _ if g.group.level == Level::Apply => choice(&[]),
                Some(axis) => {
                    // The others are at 0.
                    let at = |other: usize| {
                        if other == usize::from(axis) { one(other) } else { (Dimension::of_axis(other), 0) }
                    };
                    choice(&[0, 1, 2, 3].map(at))
                }
                None => choice(&[0, 1, 2, 3].map(one)),
            }
        };
        let rows = |rows: &Division| match *rows {
            Division::Batch(n) => choice(&[(Dimension::Batch, n.into()), (Dimension::Sequences, 0)]),
            Division::Packed { sequences, empty } => choice(&[
                (Dimension::Batch, 1),
                (Dimension::Sequences, sequences.into()),
                (Dimension::EmptySequences, empty.into()),
            ]),
        };
        let heads = |(q, k): &(u32, u32)| {
            let group = q.checked_div(*k).unwrap_or(0);
            choice(&[
                (Dimension::QHeads, (*q).into()),
                (Dimension::KHeads, (*k).into()),
                (Dimension::Group, group.into()),
            ])
        };
        let width = |(heads, _): &(HeadPreset, Vec<usize>)| {
            let (width, offset) = heads.rotary.unwrap_or((heads.head_dim, 0));
            let rotated = Dimension::of_rotated(heads.head_dim as usize, width as usize, offset as usize);
            choice(&[(Dimension::HeadDim, heads.head_dim.into()), (Dimension::Rotated, rotated)])
        };
        let scaling =
            |scaling: &Option<f64>| choice(&[(Dimension::Scaling, Dimension::of_scaling(scaling.unwrap_or(1.0)))]);
        vec![
            self.dtypes.iter().map(|d| dtype(Dimension::Dtype, d)).collect(),
            self.pairings.iter().map(|p| choice(&[(Dimension::Pairing, i64::from(*p == Pairing::Adjacent))])).collect(),
            self.heads.iter().map(heads).collect(),
            self.widths.iter().map(width).collect(),
            self.rows.iter().map(rows).collect(),
            self.tokens.iter().map(|n| choice(&[(Dimension::Tokens, (*n).into())])).collect(),
            self.alias.iter().map(|a| choice(&[(Dimension::Alias, i64::from(*a == Alias::In))])).collect(),
            order(Dimension::QStrides),
            order(Dimension::KStrides),
            order(Dimension::OutStrides),
            self.directions.iter().map(|d| choice(&[(Dimension::Direction, i64::from(*d < 0))])).collect(),
            self.scalings.iter().map(scaling).collect(),
            self.position_dtypes.iter().map(|d| dtype(Dimension::PositionDtype, d)).collect(),
            self.octaves.iter().map(octave).collect(),
        ]
    }

    /// Whether a row that has these options so far can be made.
    fn feasible(&self, g: &Generator, row: &[Option<usize>], most: u64) -> bool {
        let heads = row[HEADS].map(|at| self.heads[at]);
        let width = row[WIDTH].map(|at| &self.widths[at].0);
        let rows = row[ROWS].map(|at| self.rows[at]);
        let tokens = row[TOKENS].map(|at| self.tokens[at]);
        let (batch, sequences) = match rows {
            Some(Division::Batch(n)) => (n, 1),
            Some(Division::Packed { sequences, empty }) => (1, (sequences - empty).max(1)),
            None => (1, 1),
        };
        let (q, k) = heads.unwrap_or((1, 0));
        let least = [u64::from(tokens.unwrap_or(1)), (q + k).into(), batch.into()];
        let elements: u64 = least.iter().product::<u64>() * u64::from(width.map_or(2, |w| w.head_dim));
        if elements > most || tokens.is_some_and(|tokens| tokens < sequences) {
            return false;
        }
        // An order that a tensor of one token, head or row cannot show is not there.
        let many = [batch, tokens.unwrap_or(2)];
        let shows = |order: Order, heads: u32| match order {
            Order::Packed | Order::Spread => true,
            Order::Padded => many[0] > 1 || many[1] > 1 || heads > 1,
            Order::HeadsFirst | Order::HeadsFirstPadded => many[1] > 1 && heads > 1,
            Order::TokensFirst => (rows.is_none() || many[0] > 1) && many[1] > 1,
        };
        let order = |factor: usize| row[factor].map(|at| self.orders[at]);
        let shown = |factor, count: Option<u32>| {
            order(factor).is_none_or(|order| count.is_none_or(|count| count == 0 || shows(order, count)))
        };
        let (q_heads, k_heads) = (heads.map(|h| h.0), heads.map(|h| h.1));
        if !shown(Q_ORDER, q_heads) || !shown(K_ORDER, k_heads) || !shown(OUT_ORDER, q_heads) {
            return false;
        }
        let alias = row[ALIAS].map(|at| self.alias[at]);
        if alias == Some(Alias::In) && order(Q_ORDER).zip(order(OUT_ORDER)).is_some_and(|(q, out)| q != out) {
            return false;
        }
        let octave = row[OCTAVE].map(|at| self.octaves[at]);
        if let (Some(octave), true) = (octave, g.level.consumes(Consume::CosSinCache)) {
            let row_bytes = 8 * u64::from(width.map_or(2, |w| w.rotary.map_or(w.head_dim, |(rotary, _)| rotary)));
            if octave.high.unsigned_abs().saturating_mul(row_bytes) > MOST_CACHE {
                return false;
            }
        }
        let position_dtype = row[POSITION_DTYPE].map(|at| self.position_dtypes[at]);
        match (octave, position_dtype) {
            (Some(octave), Some(dtype)) => holds(dtype, octave.low) && holds(dtype, octave.high) || dtype == DType::F32,
            _ => true,
        }
    }

    /// A row of the array as a call, on the first scheme from this turn on that has such heads.
    fn row(&self, schemes: &[Generator], row: &[usize], turn: usize, seed: u64) -> Option<CoverRow> {
        let (q_heads, k_heads) = self.heads[row[HEADS]];
        let (width, fitting) = &self.widths[row[WIDTH]];
        let heads = HeadPreset { q_heads, k_heads, ..width.clone() };
        let position_dtype = self.position_dtypes[row[POSITION_DTYPE]];
        let scheme = (0..fitting.len()).map(|i| fitting[(turn + i) % fitting.len()]).find(|at| {
            let g = &schemes[*at];
            g.fits(&heads) && (g.group.level != Level::Rotate || g.position_types().contains(&position_dtype))
        })?;
        Some(CoverRow {
            scheme: schemes[scheme].group.scheme.clone(),
            dtype: self.dtypes[row[DTYPE]],
            pairing: self.pairings[row[PAIRING]],
            heads,
            rows: self.rows[row[ROWS]],
            tokens: self.tokens[row[TOKENS]],
            alias: self.alias[row[ALIAS]],
            orders: [Q_ORDER, K_ORDER, OUT_ORDER].map(|factor| self.orders[row[factor]]),
            direction: self.directions[row[DIRECTION]],
            scaling: self.scalings[row[SCALING]],
            position_dtype,
            octave: self.octaves[row[OCTAVE]],
            seed,
        })
    }
}

/// Query and key heads of every class, and of every class of their ratio.
fn heads(g: &Generator, classes: &Classes, rng: &mut Rng) -> Vec<(u32, u32)> {
    let m = g.manifest;
    let q_heads = allowed(classes, Dimension::QHeads, &m.q_heads, rng);
    let k_heads = allowed(classes, Dimension::KHeads, &m.k_heads, rng);
    let most = u32::try_from(ends(&m.q_heads).1).unwrap_or(u32::MAX);
    let groups: Vec<u32> =
        values(classes, Dimension::Group, rng).into_iter().filter_map(|v| u32::try_from(v).ok()).collect();
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
    for head_dim in allowed(classes, Dimension::HeadDim, &m.head_dims, rng) {
        let mut parts: Vec<Option<(u32, u32)>> = vec![None];
        if m.partial_rotary {
            let half = (head_dim / 4 * 2).max(2);
            let quarter = (head_dim / 8 * 2).max(2);
            let inside = (head_dim.saturating_sub(half) / 2).max(1);
            let all = [(half, 0), (quarter, 0), (half, inside), (quarter, 3), (half, head_dim.saturating_sub(half))];
            parts.extend(all.into_iter().filter(|(width, at)| width + at <= head_dim && *width < head_dim).map(Some));
        }
        for rotary in parts {
            let heads = HeadPreset { head_dim, rotary, ..HeadPreset::NONE };
            let bases = m.bases.iter().filter_map(|base| crate::numeric::Number::parse(base).ok());
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

/// Every octave that may be asked for, on all axes and on each alone; on level fused, where a layout says where the tokens
/// are, on all.
fn octaves(schemes: &[Generator]) -> Vec<Octave> {
    let g = &schemes[0];
    let (least, most) = g.limits();
    let mut all = vec![Octave { axis: None, low: 0, high: 0 }];
    let axes = schemes.iter().map(|g| g.scheme.axes.len()).max().and_then(|n| u8::try_from(n).ok()).unwrap_or(1).min(4);
    let alone = g.group.level == Level::Rotate && axes > 1;
    let mut add = |low: i64, high: i64| {
        all.push(Octave { axis: None, low, high });
        all.extend((0..axes).filter(|_| alone).map(|axis| Octave { axis: Some(axis), low, high }));
    };
    let powers = || (0..53).map(|power| 1i64 << power);
    powers().filter(|low| *low <= most).for_each(|low| add(low, (2 * low - 1).min(most)));
    if g.group.level == Level::Rotate {
        powers().filter(|low| -*low >= least).for_each(|low| add((-(2 * low - 1)).max(least), -low));
    }
    all
}
