//! Deterministic cases that stay inside a manifest: shapes, layouts, positions.

use std::ops::Range;
use std::sync::OnceLock;

use super::cover::CoverRow;
use super::depth::Depth;
use super::heads::HeadPreset;
use crate::backend::Manifest;
use crate::backend::manifest::{LevelManifest, beside};
use crate::case::{
    Alias, BesideDtype, Case, Consume, Data, Level, Memory, PositionOrder, PositionSource, Strides, TableWidth, holds,
};
use crate::numeric::{DType, Number, Rng};
use crate::positions::{Evaluation, Layout, Segment};
use crate::rotation::PlanCache;
use crate::spec::Library;
use crate::spec::Parameters;
use crate::spec::model::{Pairing, Scheme};

/// What a set of cases has in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// Scheme and profile.
    pub scheme: String,
    /// Level.
    pub level: Level,
    /// Pairing.
    pub pairing: Pairing,
    /// Storage type.
    pub dtype: DType,
}

/// Makes the cases of one group.
pub struct Generator<'a> {
    /// The group.
    pub group: Group,
    /// The scheme of the group.
    pub scheme: &'a Scheme,
    /// Every scheme.
    pub library: &'a Library,
    /// Rotation plans.
    pub plans: &'a PlanCache,
    /// What the backend says of itself.
    pub manifest: &'a Manifest,
    /// What it says of the level.
    pub level: &'a LevelManifest,
    /// Cases per check and band.
    pub cases: u32,
    /// How much is to be reached.
    pub depth: Depth,
    /// Seed of the run.
    pub seed: u64,
    /// Parameters set for the whole run.
    pub parameters: &'a [(String, Number)],
    /// Calls that cover what the level offers; none where that is not asked for.
    pub cover: &'a [CoverRow],
    /// Whether the scheme's positions are integers, once it was asked.
    pub whole: OnceLock<bool>,
}

impl Generator<'_> {
    /// A random stream for one check.
    #[must_use]
    pub fn rng(&self, check: &str) -> Rng {
        let mut rng = Rng::new(self.seed);
        let id = format!(
            "{check}/{}/{}/{:?}/{}",
            self.group.scheme,
            self.group.level,
            self.group.pairing,
            self.group.dtype.name()
        );
        for byte in id.bytes() {
            rng = rng.fork(u64::from(byte));
        }
        rng
    }

    /// A case of this group, with everything but layout and heads at its plainest.
    #[must_use]
    pub fn case(&self, check: &str, layouts: Vec<Layout>, heads: &HeadPreset, seed: u64) -> Case {
        let alias = if self.manifest.alias.contains(&Alias::Out) { Alias::Out } else { Alias::In };
        Case {
            check: check.to_owned(),
            scheme: self.group.scheme.clone(),
            parameters: self.parameters_of(heads),
            level: self.group.level,
            dtype: self.group.dtype,
            pairing: self.group.pairing,
            layouts,
            packed: false,
            window: None,
            place: PositionSource::Layout { shift: 0 },
            position_dtype: self.position_dtype(),
            position_order: PositionOrder::Rows,
            q_heads: heads.q_heads,
            k_heads: heads.k_heads,
            head_dim: heads.head_dim,
            rotary: heads.rotary,
            scaling: None,
            per_head: false,
            k_dtype: BesideDtype::Storage,
            output_dtype: beside(&self.manifest.output_dtypes, self.group.dtype)[0],
            table_dtype: self.manifest.table_dtypes_beside(self.group.dtype)[0],
            table_width: self.table_widths()[0],
            direction: self.manifest.directions.first().map_or(1, |d| if *d < 0 { -1 } else { 1 }),
            memory: Memory::Packed,
            alias,
            data: Data::Uniform,
            seed: seed & 0xffff_ffff,
            spec: None,
        }
    }

    /// Gives a case other heads: none of the parameters of those that it had stay.
    pub(super) fn set_heads(&self, case: &mut Case, heads: &HeadPreset) {
        (case.q_heads, case.k_heads) = (heads.q_heads, heads.k_heads);
        (case.head_dim, case.rotary) = (heads.head_dim, heads.rotary);
        case.parameters = self.parameters_of(heads);
    }

    /// Parameters of heads; those of the user go before.
    pub(super) fn parameters_of(&self, heads: &HeadPreset) -> Vec<(String, Number)> {
        let mut all = self.own_parameters();
        for (name, value) in &heads.parameters {
            let by_user = self.parameters.iter().any(|(other, _)| other == name);
            match all.iter_mut().find(|(other, _)| other == name) {
                Some(known) if !by_user => known.1.clone_from(value),
                Some(_) => {}
                None => all.push((name.clone(), value.clone())),
            }
        }
        all
    }

    /// The type that positions are handed over in: the first offered one that can hold this scheme's positions, integers
    /// preferred as the manifest orders them.
    #[must_use]
    pub fn position_dtype(&self) -> DType {
        let offered = &self.manifest.position_dtypes;
        let whole = self.integer_positions();
        let fits = |d: &&DType| whole || d.is_float();
        offered.iter().find(fits).or(offered.first()).copied().unwrap_or(DType::I64)
    }

    /// Whether the scheme's positions are integers, on a layout that shows it.
    #[must_use]
    pub fn integer_positions(&self) -> bool {
        *self.whole.get_or_init(|| {
            let probe = Layout::parse("text:2 video:3x2x3 image:4x3 text:2");
            let parameters = Parameters::resolve(self.scheme, &self.own_parameters());
            let (Ok(layout), Ok(parameters)) = (probe, parameters) else { return true };
            crate::positions::positions(self.scheme, &parameters, &layout)
                .is_ok_and(|p| p.columns().iter().all(|c| c.is_integral()))
        })
    }

    /// Whether this backend can be handed cases of these heads.
    #[must_use]
    pub fn fits(&self, heads: &HeadPreset) -> bool {
        self.misfit(heads).is_none()
    }

    pub(super) fn plan_fits(&self, heads: &HeadPreset) -> bool {
        self.plan_misfit(heads).is_none()
    }

    /// A small random layout: text, then one or two visual segments, then text.
    #[must_use]
    pub fn layout(&self, rng: &mut Rng) -> Layout {
        let small = |rng: &mut Rng, most: i64| u32::try_from(rng.between(1, most)).unwrap_or(1);
        let mut segments = vec![Segment::Text(small(rng, 6))];
        for _ in 0..rng.between(1, 2) {
            if rng.one_in(3) {
                segments.push(Segment::Image { h: small(rng, 5), w: small(rng, 5) });
            } else {
                let seconds = Number::from_i64(rng.between(1, 6)).div(&Number::from_i64(4)).unwrap_or(Number::ONE);
                let (t, h, w) = (small(rng, 4), small(rng, 4), small(rng, 5));
                segments.push(Segment::Video { t, h, w, seconds });
            }
            if rng.one_in(2) {
                segments.push(Segment::Text(small(rng, 3)));
            }
        }
        segments.push(Segment::Text(small(rng, 5)));
        let layout = Layout::new(segments).unwrap_or_else(|_| text(4));
        // What is no layout of the manifest is no case either: where it is planned, a gap says so.
        self.adapted(&layout).unwrap_or(layout)
    }

    /// Varies memory layout, aliasing, direction and batch within the manifest. `index` walks through the choices.
    pub fn vary(&self, case: &mut Case, index: u32, rng: &mut Rng) {
        let memories: &[Memory] = match self.manifest.strides {
            Strides::Packed => &[Memory::Packed],
            Strides::Rows => &[Memory::Packed, Memory::Padded, Memory::HeadsFirst],
            Strides::Any => &[Memory::Packed, Memory::Padded, Memory::HeadsFirst, Memory::Spread],
        };
        case.memory = memories[index as usize % memories.len()];
        if let Some(alias) = rng.choose(&self.manifest.alias) {
            case.alias = *alias;
        }
        if let Some(direction) = rng.choose(&self.manifest.directions) {
            case.direction = if *direction < 0 { -1 } else { 1 };
        }
        if let Some(dtype) = rng.choose(&self.position_types()) {
            case.position_dtype = *dtype;
        }
        let orders = self.manifest.position_orders(case.level, self.scheme.axes.len());
        case.position_order = orders[index as usize % orders.len()];
        if case.position_order == PositionOrder::Shared {
            // Rows that may differ have no row to share.
            case.position_order = PositionOrder::Spread;
        }
        let dtypes = self.manifest.table_dtypes_beside(case.dtype);
        case.table_dtype = dtypes[index as usize % dtypes.len()];
        let widths = self.table_widths();
        case.table_width = widths[index as usize % widths.len()];
    }

    /// Widths of the tables of the tokens, at least one; a cache has one width alone.
    pub(super) fn table_widths(&self) -> &[TableWidth] {
        let given = self.level.consumes(Consume::CosSin);
        if given { &self.manifest.table_widths } else { &[TableWidth::Half] }
    }

    /// Types that this scheme's positions can be handed over in.
    #[must_use]
    pub fn position_types(&self) -> Vec<DType> {
        let whole = self.integer_positions();
        self.manifest.position_dtypes.iter().copied().filter(|d| whole || d.is_float()).collect()
    }

    /// Smallest and largest position that a case may have: what the manifest allows, as far as an f64, the types of the
    /// positions and a cache of cosines can hold it. On level apply positions are nobody's concern.
    #[must_use]
    pub fn limits(&self) -> (i64, i64) {
        use crate::case::{Consume::CosSinCache, MAX_CACHE_ROWS};
        const EXACT: i64 = 1 << 53;
        const LONG: i64 = i32::MAX as i64;
        if self.group.level == Level::Apply {
            return (-LONG, LONG);
        }
        let (mut least, mut most) = (self.manifest.min_position.max(-EXACT), self.manifest.max_position.min(EXACT));
        let types = &self.manifest.position_dtypes;
        if self.group.level != Level::Fused && !types.is_empty() && types.iter().all(|d| *d == DType::I32) {
            (least, most) = (least.max(-LONG), most.min(LONG));
        }
        if self.level.consumes(CosSinCache) {
            (least, most) = (least.max(0), most.min(MAX_CACHE_ROWS as i64 - 1));
        }
        (least, most)
    }

    /// The largest position a case may have.
    #[must_use]
    pub fn max_position(&self) -> i64 {
        self.limits().1
    }

    /// The smallest and the largest position of a layout, rounded outwards; `None` if the scheme refuses it.
    #[must_use]
    pub fn extent(&self, case: &Case, layout: &Layout) -> Option<(i64, i64)> {
        let parameters = Parameters::resolve(self.scheme, &case.parameters).ok()?;
        let positions = crate::positions::positions(self.scheme, &parameters, layout).ok()?;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for column in positions.columns() {
            for position in (0..column.len()).filter_map(|i| column.get(i)) {
                let position = position.to_f64();
                (low, high) = (low.min(position), high.max(position));
            }
        }
        (low <= high).then(|| (low.floor() as i64, high.ceil() as i64))
    }

    /// Whether a call may ask for the whole layout: the manifest allows it, as many tokens, and all its
    /// positions.
    #[must_use]
    pub fn offers(&self, layout: &Layout) -> bool {
        let (least, most) = self.limits();
        let inside = |number: &Number| (least as f64..=most as f64).contains(&number.to_f64());
        let Ok(parameters) = Parameters::resolve(self.scheme, &self.own_parameters()) else { return false };
        self.layout_limits().is_none_or(|limits| limits.refusal(layout).is_none())
            && layout.tokens() <= self.manifest.max_tokens.unsigned_abs()
            && crate::positions::positions(self.scheme, &parameters, layout).is_ok_and(|found| {
                let next = (0..found.axes().len()).all(|axis| found.next().on(axis).is_some_and(inside));
                next && found.columns().iter().all(|column| column.to_numbers().iter().all(inside))
            })
    }

    /// Whether some tokens of a layout can be asked for: the manifest takes such layouts, there are positions
    /// for them and for what comes next, inside the limits, and the type, if one is given, holds them. An f32
    /// only where it holds every integer, or steps would be rounded. Of many tokens the first and the last
    /// ones are looked at: what is refused between them is not judged.
    #[must_use]
    pub fn places(&self, layout: &Layout, window: Range<u64>, dtype: Option<DType>) -> bool {
        let parameters = Parameters::resolve(self.scheme, &self.own_parameters());
        parameters.is_ok_and(|parameters| self.places_with(&parameters, layout, window, dtype))
    }

    /// As [`Self::places`], with these parameters of the scheme.
    pub(super) fn places_with(
        &self,
        parameters: &Parameters,
        layout: &Layout,
        window: Range<u64>,
        dtype: Option<DType>,
    ) -> bool {
        const LOOKED_AT: u64 = 24;
        let (start, end) = (window.start, window.end);
        let few = end - start <= 2 * LOOKED_AT;
        let placed = |window| self.all_placed(parameters, layout, window, dtype);
        self.layout_limits().is_none_or(|limits| limits.refusal(layout).is_none())
            && end - start <= self.manifest.max_tokens.unsigned_abs()
            && if few { placed(window) } else { placed(start..start + LOOKED_AT) && placed(end - LOOKED_AT..end) }
    }

    fn all_placed(&self, parameters: &Parameters, layout: &Layout, window: Range<u64>, dtype: Option<DType>) -> bool {
        let evaluation = Evaluation::new(self.scheme, parameters, layout).window(window);
        let Ok(found) = evaluation.run() else { return false };
        let (least, most) = self.limits();
        let least = Number::from_i64(least);
        let most = Number::from_i64(if dtype == Some(DType::F32) { most.min(1 << 24) } else { most });
        let held = |number: &Number| match dtype {
            Some(dtype) => {
                let whole = || number.to_i64().is_some_and(|whole| holds(dtype, whole));
                number.is_exact() && (dtype.is_float() || whole())
            }
            None => true,
        };
        let one = |number: &Number| *number >= least && *number <= most && held(number);
        let next = (0..self.scheme.axes.len()).all(|axis| found.next().on(axis).is_some_and(one));
        next && found.columns().iter().all(|c| (0..c.len()).all(|i| c.get(i).is_some_and(|number| one(&number))))
    }

    /// By how much positions grow from one text token to the next, at the start of a sequence; 1 where that is no whole
    /// number.
    #[must_use]
    pub fn text_step(&self) -> i64 {
        let step = || {
            let parameters = Parameters::resolve(self.scheme, &self.own_parameters()).ok()?;
            let positions = crate::positions::positions(self.scheme, &parameters, &text(2)).ok()?;
            positions.get(0, 1)?.to_i64()
        };
        step().filter(|step| *step > 0).unwrap_or(1)
    }
}

/// `n` text tokens.
#[must_use]
pub fn text(n: u32) -> Layout {
    // One segment with at least one token is always a layout.
    Layout::new(vec![Segment::Text(n.max(1))]).unwrap_or_default()
}
