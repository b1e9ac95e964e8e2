//! Classes of calls: sets of values that a kernel may treat alike, for every dimension of a level, as far as
//! a manifest offers them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::met::Met;
use super::parameters::Swept;
use crate::backend::Manifest;
use crate::backend::layout_limits::LayoutLimits;
use crate::backend::manifest::{Integers, beside};
use crate::case::{
    Alias, BesideDtype, CallDimensions, Consume, Dimension, Level, Order, TableWidth, octave, tables_are_read,
};
use crate::numeric::DType;
use crate::positions::SegmentKind;
use crate::spec::Library;
use crate::spec::model::{AxisMap, Pairing};

/// Largest batch, number of sequences and number of segments that are called for: no manifest bounds them.
pub(super) const MOST_ROWS: i64 = 64;
/// Largest side of a grid that is called for.
pub(super) const MOST_SIDE: i64 = 4096;
/// Most tokens of a text between images that are called for.
pub(super) const MOST_TEXT: i64 = 4096;

/// The classes of parts of a head that a manifest offers, 0 among them: the whole head.
fn rotated(manifest: &Manifest) -> BTreeSet<i64> {
    const SAMPLED: [i64; 6] = [2, 32, 64, 128, 256, 512];
    let heads = SAMPLED.into_iter().filter_map(|floor| manifest.head_dims.at_least(floor));
    let mut found = BTreeSet::from([0]);
    for head_dim in heads.filter_map(|dim| u32::try_from(dim).ok()) {
        for width in [2, head_dim / 4, head_dim / 2, head_dim.saturating_sub(2)] {
            let places = [0, 1, head_dim.saturating_sub(width) / 2, head_dim.saturating_sub(width)];
            let parts = places.into_iter().filter_map(|offset| manifest.part_near(head_dim, width, offset));
            let size = |n: u32| n as usize;
            found.extend(parts.map(|(width, at)| Dimension::of_rotated(size(head_dim), size(width), size(at))));
        }
    }
    found
}

/// Values of one dimension that a kernel may treat alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Class {
    /// The dimension.
    pub dimension: Dimension,
    /// Smallest value.
    pub low: i64,
    /// Largest value.
    pub high: i64,
}

impl Class {
    /// The values in words, such as `17-31`, `bf16` or `2^16-2^17`.
    #[must_use]
    pub fn label(&self) -> String {
        let Class { dimension, low, high } = *self;
        if let Some(word) = usize::try_from(low).ok().and_then(|at| dimension.words().get(at)) {
            return (*word).to_owned();
        }
        match dimension {
            Dimension::Position0 | Dimension::Position1 | Dimension::Position2 | Dimension::Position3 => match low {
                0 => "0".into(),
                1.. => format!("2^{}", low - 1),
                _ => format!("-2^{}", -low - 1),
            },
            _ if low == high => low.to_string(),
            _ => format!("{low}-{high}"),
        }
    }
}

/// The classes that a manifest offers on a level.
#[derive(Debug, Clone, PartialEq)]
pub struct Classes {
    all: Vec<Class>,
    /// Scheme parameters that the manifest offers values of.
    pub(super) swept: Swept,
    /// Whether positions follow from layouts, and are not handed over.
    derived_positions: bool,
}

impl Classes {
    /// Of a level, with the schemes that are judged on it. Those of level apply are its tensors' alone.
    #[must_use]
    pub fn new(manifest: &Manifest, level: Level, library: &Library, schemes: &[String]) -> Classes {
        let mut all = Vec::new();
        let mut add = |dimension, values: &[i64]| {
            all.extend(values.iter().map(|value| Class { dimension, low: *value, high: *value }));
        };
        let word = |on: bool| if on { &[0, 1][..] } else { &[0][..] };
        let at = |dtype: &DType| Dimension::of_dtype(*dtype);
        let schemes: Vec<_> = schemes.iter().filter_map(|id| library.get(id).ok().map(|scheme| &**scheme)).collect();
        let offered = manifest.level(level);
        let consumes = |what| offered.is_some_and(|level| level.consumes(what));
        let positions_given = level == Level::Rotate && consumes(Consume::Positions);
        if level == Level::Positions || positions_given {
            add(Dimension::PositionDtype, &manifest.position_dtypes.iter().map(at).collect::<Vec<_>>());
        }
        let axes = schemes.iter().map(|scheme| scheme.axes.len()).max().unwrap_or(1);
        let orders: Vec<i64> = manifest.position_orders(level, axes).into_iter().map(|order| order as i64).collect();
        if orders.len() > 1 {
            add(Dimension::PositionOrder, &orders);
        }
        let tensors = level != Level::Positions;
        if tensors {
            add(Dimension::Dtype, &manifest.dtypes.iter().map(at).collect::<Vec<_>>());
            let pairings = manifest.pairings.iter().map(|p| i64::from(*p == Pairing::Adjacent));
            add(Dimension::Pairing, &pairings.collect::<Vec<_>>());
            add(Dimension::Rotated, &rotated(manifest).into_iter().collect::<Vec<_>>());
            add(Dimension::Alias, &manifest.alias.iter().map(|a| i64::from(*a == Alias::In)).collect::<Vec<_>>());
            add(Dimension::Direction, &manifest.directions.iter().map(|d| i64::from(*d < 0)).collect::<Vec<_>>());
            let scalings: &[i64] = if manifest.attention_scaling { &[0, 1, 2] } else { &[0] };
            add(Dimension::Scaling, scalings);
            let per_head = |s: &crate::spec::model::Scheme| matches!(s.axis_map, AxisMap::PerHead(_));
            let given = offered.is_some_and(|offer| tables_are_read(level, &offer.consumes));
            let some = (given || schemes.iter().any(|s| per_head(s))) && manifest.per_head && level != Level::Apply;
            let shared = schemes.iter().any(|s| !per_head(s)) || level == Level::Apply;
            add(Dimension::PerHead, &word(some)[usize::from(!shared)..]);
            let given = level == Level::Apply || consumes(Consume::CosSin) || consumes(Consume::CosSinCache);
            for (dimension, offered, given) in [
                (Dimension::KDtype, &manifest.k_dtypes, manifest.k_heads.at_least(1).is_some()),
                (Dimension::OutputDtype, &manifest.output_dtypes, true),
                (Dimension::TableDtype, &manifest.table_dtypes, given),
            ] {
                if given && *offered != [BesideDtype::Storage] {
                    let all = manifest
                        .dtypes
                        .iter()
                        .flat_map(|dtype| beside(offered, *dtype).into_iter().map(|one| at(&one.beside(*dtype))));
                    add(dimension, &all.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
                }
            }
            if consumes(Consume::CosSin) && manifest.table_widths != [TableWidth::Half] {
                let widths = manifest.table_widths.iter().map(|width| i64::from(*width == TableWidth::Full));
                add(Dimension::TableWidth, &widths.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
            }
            let strides = Order::ALL.into_iter().filter(|(_, order)| manifest.takes_order(*order));
            let strides: &[i64] = &strides.map(|(_, order)| order as i64).collect::<Vec<_>>();
            add(Dimension::QStrides, strides);
            add(Dimension::OutStrides, strides);
            if manifest.k_heads.at_least(1).is_some() {
                add(Dimension::KStrides, strides);
            }
        }
        let layouts = matches!(level, Level::Positions | Level::Fused);
        let limits = &manifest.layouts;
        if layouts {
            add(Dimension::Neighbours, &neighbours(limits));
            // Only videos have a time between frames.
            let seconds: &[i64] = if limits.has(SegmentKind::Video) { &[0, 1, 2] } else { &[0] };
            add(Dimension::Seconds, if limits.has_visual() { seconds } else { &[] });
        }
        let mut ranges = Vec::new();
        let mut range = |dimension, low: i64, high: i64, extra: &[i64]| {
            ranges.extend(between(low, high, extra).into_iter().map(|(low, high)| Class { dimension, low, high }));
        };
        let models = |of: fn(&crate::spec::presets::ModelPreset) -> usize| {
            library.models_met(&schemes).filter_map(|model| i64::try_from(of(model)).ok()).collect::<Vec<_>>()
        };
        let least_row = if tensors { 1 } else { 0 };
        range(Dimension::Batch, 1, MOST_ROWS, &[]);
        range(Dimension::Tokens, 1, manifest.max_tokens.max(least_row).min(MOST_TOKENS), &[]);
        if layouts {
            range(Dimension::Segments, 1, MOST_ROWS.min(limits.segments), &[]);
            let side = if limits.has_visual() { MOST_SIDE } else { 0 };
            range(Dimension::Height, 1, side, &[]);
            range(Dimension::Width, 1, side, &[]);
            range(Dimension::Text, 1, if limits.has(SegmentKind::Text) { MOST_TEXT } else { 0 }, &[]);
        }
        if tensors {
            let varlen = if manifest.varlen { MOST_ROWS } else { 0 };
            range(Dimension::Sequences, 0, varlen, &[]);
            range(Dimension::EmptySequences, 0, varlen.min(2), &[]);
        }
        all.extend(ranges);
        if layouts {
            all.extend(frames(limits));
        }
        if layouts && manifest.token_ranges {
            // A start is a position as much as a size: its classes are octaves.
            let most = manifest.max_position.min(1 << 30);
            let lows = [0].into_iter().chain((0..=30).map(|power| 1 << power)).filter(|low| *low <= most);
            let high = |low: i64| (2 * low - 1).max(low).min(most);
            all.extend(lows.map(|low| Class { dimension: Dimension::Start, low, high: high(low) }));
        }
        if tensors {
            let integers = |dimension, allowed: &Integers, extra: &[i64]| {
                let (low, high) = ends(allowed);
                let classes = between(low, high, extra).into_iter();
                let some = classes.filter(|(low, high)| allowed.at_least(*low).is_some_and(|value| value <= *high));
                some.map(move |(low, high)| Class { dimension, low, high }).collect::<Vec<_>>()
            };
            all.extend(integers(Dimension::QHeads, &manifest.q_heads, &models(|m| m.q_heads)));
            all.extend(integers(Dimension::KHeads, &manifest.k_heads, &models(|m| m.k_heads)));
            all.extend(integers(Dimension::HeadDim, &manifest.head_dims, &models(|m| m.head_dim)));
            let (least, most) = (ends(&manifest.q_heads).1, ends(&manifest.k_heads));
            let group =
                Integers::Range { min: i64::from(most.1 > 0), max: if most.1 > 0 { least } else { 0 }, multiple: 1 };
            all.extend(integers(Dimension::Group, &group, &[]));
            if manifest.k_heads.allows(0) && most.1 > 0 {
                all.push(Class { dimension: Dimension::Group, low: 0, high: 0 });
            }
        }
        if level != Level::Apply {
            let axes = schemes.iter().map(|scheme| scheme.axes.len()).max().unwrap_or(0).min(4);
            let most = octave(manifest.max_position.min(1 << 53) as f64);
            let least = if level == Level::Rotate { octave(manifest.min_position.max(-(1 << 53)) as f64) } else { 0 };
            for axis in 0..axes {
                let dimension = Dimension::of_axis(axis);
                all.extend((least..=most).map(|value| Class { dimension, low: value, high: value }));
            }
        }
        let (swept, classes) = Swept::new(manifest, level, &schemes);
        all.extend(classes.into_iter().map(|(dimension, low)| Class { dimension, low, high: low }));
        all.sort_unstable();
        all.dedup();
        Classes { all, swept, derived_positions: layouts }
    }

    /// Every class, in order; their places are their numbers.
    #[must_use]
    pub fn all(&self) -> &[Class] {
        &self.all
    }

    /// The number of the class of a value; `None` for a dimension or a value that is not offered.
    #[must_use]
    pub fn number(&self, dimension: Dimension, value: i64) -> Option<u16> {
        let after = self.all.partition_point(|class| (class.dimension, class.low) <= (dimension, value));
        let class = self.all.get(after.checked_sub(1)?)?;
        let inside = class.dimension == dimension && value <= class.high;
        u16::try_from(after - 1).ok().filter(|_| inside)
    }

    /// Lets the classes of a call meet: those of one token or one grid where one has both, all others in the
    /// call.
    pub fn meet(&self, met: &mut Met, call: &CallDimensions) {
        let number = |(dimension, value)| Some((dimension, self.number(dimension, value)?));
        let all: Vec<(Dimension, u16)> = call.iter().chain(self.swept.of(call)).filter_map(number).collect();
        for (i, (one, a)) in all.iter().enumerate() {
            met.add(*a, *a);
            all[i + 1..].iter().filter(|(other, _)| !one.of_one_thing(*other)).for_each(|(_, b)| met.add(*a, *b));
        }
        for one in call.together() {
            met.add_all(&one.filter_map(number).map(|(_, class)| class).collect::<Vec<_>>());
        }
    }

    /// Whether pairs of the classes of two dimensions are offered. Where positions follow from layouts, which
    /// octave goes with what is the scheme's affair: there they are counted alone. Values of parameters always are.
    #[must_use]
    pub fn pairs_are_offered(&self, one: Dimension, other: Dimension) -> bool {
        let derived = |dimension: Dimension| self.derived_positions && dimension.of_one_thing(Dimension::Position0);
        let alone = |dimension: Dimension| derived(dimension) || dimension.is_of_a_parameter();
        one != other && !alone(one) && !alone(other)
    }

    /// Whether no call has to have two classes together.
    #[must_use]
    pub fn need_not_meet(&self, a: u16, b: u16) -> bool {
        let dimension = |number: u16| self.all.get(usize::from(number)).map(|class| class.dimension);
        dimension(a).zip(dimension(b)).is_none_or(|(one, other)| !self.pairs_are_offered(one, other))
    }
}

/// Kinds side by side and kinds that begin a layout, as far as they are offered.
fn neighbours(limits: &LayoutLimits) -> Vec<i64> {
    let kind = |at: i64| usize::try_from(at).ok().and_then(|at| SegmentKind::NAMES.get(at)).map(|(_, kind)| *kind);
    let offered = |value: &i64| match *value {
        pair @ 0..9 => kind(pair / 3).zip(kind(pair % 3)).is_some_and(|(a, b)| limits.may_follow(a, b)),
        first => kind(first - 9).is_some_and(|kind| limits.may_begin(kind)),
    };
    (0..12).filter(offered).collect()
}

/// Frames of a grid: those that are offered of a video, and the one of an image.
fn frames(limits: &LayoutLimits) -> Vec<Class> {
    let least = if limits.has(SegmentKind::Video) { limits.frames.at_least(1) } else { None };
    let most = limits.frames.at_most(MOST_SIDE).filter(|_| least.is_some());
    let image = limits.has(SegmentKind::Image).then_some(1);
    let (Some(low), Some(high)) = (image.or(least), most.or(image)) else { return Vec::new() };
    let some = |(low, high): &(i64, i64)| {
        *low <= 1 && limits.takes_frames(1)
            || least.is_some() && limits.frames.at_least(*low).is_some_and(|frames| frames <= *high)
    };
    let classes = between(low, high, &[]).into_iter().filter(some);
    classes.map(|(low, high)| Class { dimension: Dimension::Frames, low, high }).collect()
}

/// Most tokens of a call that are called for.
pub(super) const MOST_TOKENS: i64 = 65_537;
/// Most heads and channels that a range is tried to.
const MOST_SIZE: i64 = 4096;

/// The smallest and the largest integer of a set; 0 and 0 of none.
pub(super) fn ends(integers: &Integers) -> (i64, i64) {
    match integers {
        Integers::List(values) => {
            (values.iter().min().copied().unwrap_or(0), values.iter().max().copied().unwrap_or(0))
        }
        // No model has more, and exact frequencies of far wider heads take minutes. The verdict says what
        // more is offered.
        Integers::Range { min, max, .. } => (*min, (*max).min(MOST_SIZE).max(*min)),
    }
}

/// low..=high cut at its ends and their neighbours, at powers of two and both of their neighbours, and at
/// `extra`: each of these is a class, and what lies between two of them is one.
fn between(low: i64, high: i64, extra: &[i64]) -> Vec<(i64, i64)> {
    let powers = (0..62).map(|power| 1i64 << power).flat_map(|power| [power - 1, power, power + 1]);
    let mut points: Vec<i64> = powers.chain([low, low + 1, high - 1, high]).chain(extra.iter().copied()).collect();
    points.retain(|point| (low..=high).contains(point));
    points.sort_unstable();
    points.dedup();
    let mut classes = Vec::new();
    for (index, point) in points.iter().enumerate() {
        classes.push((*point, *point));
        if let Some(next) = points.get(index + 1)
            && point + 1 < *next
        {
            classes.push((point + 1, next - 1));
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_powers_of_two_and_at_its_ends() {
        assert_eq!(between(1, 5, &[]), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
        let classes = between(1, 40, &[28]);
        assert!(classes.contains(&(10, 14)) && classes.contains(&(28, 28)) && classes.contains(&(18, 27)));
        assert!(classes.contains(&(31, 31)) && classes.contains(&(32, 32)) && classes.contains(&(33, 33)));
        // They are a partition.
        let all: Vec<i64> = classes.iter().flat_map(|(low, high)| *low..=*high).collect();
        assert_eq!(all, (1..=40).collect::<Vec<_>>());
    }

    /// What a manifest does not offer of layouts has no class.
    #[test]
    fn classes_of_layouts_are_those_that_are_offered() {
        let library = Library::embedded().unwrap();
        let host = crate::backend::host::Host::new();
        let host = crate::backend::Backend::manifest(&host).clone();
        let labels = |layouts: LayoutLimits, dimension| {
            let manifest = Manifest { layouts, ..host.clone() };
            let classes = Classes::new(&manifest, Level::Positions, &library, &[]);
            let all = classes.all().iter().filter(|class| class.dimension == dimension);
            all.map(Class::label).collect::<Vec<_>>().join(" ")
        };
        let any = LayoutLimits::default;
        let one = Integers::List(vec![1]);
        let ports = LayoutLimits { text_before: true, text_between: true, frames: one, segments: 5, ..any() };
        let beside = "text-text text-image text-video image-text video-text begins-text";
        assert_eq!(labels(ports.clone(), Dimension::Neighbours), beside);
        assert_eq!(labels(ports.clone(), Dimension::Frames), "1");
        assert_eq!(labels(ports, Dimension::Segments), "1 2 3 4 5");
        let even = LayoutLimits { frames: Integers::Range { min: 2, max: 9, multiple: 2 }, ..any() };
        assert_eq!(labels(even.clone(), Dimension::Frames), "1 2 4 6 8");
        let videos = LayoutLimits { kinds: vec![SegmentKind::Text, SegmentKind::Video], ..even };
        assert_eq!(labels(videos, Dimension::Frames), "2 4 6 8");
        let images = LayoutLimits { kinds: vec![SegmentKind::Image], ..any() };
        assert_eq!(labels(images.clone(), Dimension::Neighbours), "image-image begins-image");
        assert_eq!(
            (labels(images.clone(), Dimension::Seconds).as_str(), labels(images, Dimension::Text)),
            ("1", String::new())
        );
        let text = LayoutLimits { kinds: vec![SegmentKind::Text], ..any() };
        assert_eq!(labels(text.clone(), Dimension::Height) + &labels(text.clone(), Dimension::Frames), "");
        assert_eq!(labels(text, Dimension::Seconds), "");
    }

    /// Text is at (0, 0, 0), (1, 1, 1), (2, 2, 2): no token is at 0 on one axis and at 1 on another.
    #[test]
    fn octaves_of_two_axes_meet_in_one_token_alone() {
        let library = Library::embedded().unwrap();
        let host = crate::backend::host::Host::new();
        let manifest = crate::backend::Backend::manifest(&host);
        let scheme = library.get("m-rope").unwrap();
        let classes = Classes::new(manifest, Level::Rotate, &library, &[scheme.id()]);
        let case = "accuracy,scheme=m-rope@default,level=rotate,dtype=f32,pairing=half,layout=text:3,positions=i64,\
                    heads=2/1,head-dim=128,memory=packed,alias=out,data=mixed,seed=7";
        let consumes = &manifest.level(Level::Rotate).unwrap().consumes;
        let plans = crate::rotation::PlanCache::new();
        let prepared = crate::case::prepare(&case.parse().unwrap(), scheme, &plans, consumes, 1).unwrap();
        let mut met = Met::none(classes.all().len());
        classes.meet(&mut met, &CallDimensions::of(&prepared));
        let number = |dimension, value| classes.number(dimension, value).unwrap();
        let at = |axis, value| number(Dimension::of_axis(axis), value);
        for (one, other) in (0..3).flat_map(|one| (0..3).map(move |other| (one, other))) {
            assert_eq!(met.has(at(0, one), at(1, other)), one == other, "{one} {other}");
            // Each meets what the whole call has.
            assert!(met.has(at(0, one), number(Dimension::Tokens, 3)) && met.has(at(0, one), at(0, one)));
        }
        assert!(!met.has(at(0, 3), at(0, 3)) && !met.has(number(Dimension::QHeads, 2), number(Dimension::Tokens, 2)));
    }
}
