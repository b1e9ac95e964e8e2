//! Deterministic cases that stay inside a manifest: shapes, layouts, positions.

use crate::backend::Manifest;
use crate::backend::manifest::LevelManifest;
use crate::case::{Alias, Case, Data, Level, Memory, Place, Strides};
use crate::numeric::{DType, Number, Rng};
use crate::plan::{HeadShape, Layout, Parameters, PlanCache, Segment};
use crate::spec::Library;
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

/// Heads, and the parameters that go with them.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadPreset {
    /// Query heads.
    pub q_heads: u32,
    /// Key heads.
    pub k_heads: u32,
    /// Channels of a head.
    pub head_dim: u32,
    /// Rotated channels and their offset, if not what the scheme says.
    pub rotary: Option<(u32, u32)>,
    /// Scheme parameters, such as the base of a model.
    pub parameters: Vec<(String, Number)>,
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
    /// Seed of the run.
    pub seed: u64,
    /// Parameters set for the whole run.
    pub parameters: &'a [(String, Number)],
}

/// Position bands of check `accuracy`: name, smallest, largest.
pub const BANDS: [(&str, i64, i64); 4] =
    [("0..255", 0, 255), ("256..2047", 256, 2047), ("2048..32767", 2048, 32_767), ("32768..131071", 32_768, 131_071)];

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
        let mut parameters = self.parameters.to_vec();
        for (name, value) in &heads.parameters {
            if !parameters.iter().any(|(n, _)| n == name) {
                parameters.push((name.clone(), value.clone()));
            }
        }
        let alias = if self.manifest.alias.contains(&Alias::Out) { Alias::Out } else { Alias::In };
        Case {
            check: check.to_owned(),
            scheme: self.group.scheme.clone(),
            parameters,
            level: self.group.level,
            dtype: self.group.dtype,
            pairing: self.group.pairing,
            layouts,
            window: None,
            place: Place::Layout { shift: 0 },
            position_dtype: self.position_dtype(),
            q_heads: heads.q_heads,
            k_heads: heads.k_heads,
            head_dim: heads.head_dim,
            rotary: heads.rotary,
            direction: self.manifest.directions.first().map_or(1, |d| if *d < 0 { -1 } else { 1 }),
            memory: Memory::Packed,
            alias,
            data: Data::Uniform,
            seed: seed & 0xffff_ffff,
        }
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
        let probe = Layout::parse("text:2 video:3x2x3 image:4x3 text:2");
        let parameters = Parameters::resolve(self.scheme, self.parameters);
        let (Ok(layout), Ok(parameters)) = (probe, parameters) else { return true };
        crate::plan::positions(self.scheme, &parameters, &layout)
            .is_ok_and(|p| p.columns().iter().all(|c| c.as_ints().is_some()))
    }

    /// Whether this backend can be handed cases of these heads.
    pub(super) fn fits(&self, heads: &HeadPreset) -> bool {
        let m = self.manifest;
        m.head_dims.allows(i64::from(heads.head_dim))
            && m.q_heads.allows(i64::from(heads.q_heads))
            && m.k_heads.allows(i64::from(heads.k_heads))
            && self.plan_fits(heads)
    }

    fn plan_fits(&self, heads: &HeadPreset) -> bool {
        let mut parameters = self.parameters.to_vec();
        parameters
            .extend(heads.parameters.iter().filter(|(n, _)| !self.parameters.iter().any(|(m, _)| m == n)).cloned());
        let Ok(parameters) = Parameters::resolve(self.scheme, &parameters) else { return false };
        let width = heads.rotary.map_or(heads.head_dim, |(width, _)| width);
        let shape = HeadShape { head_dim: width, q_heads: heads.q_heads, k_heads: heads.k_heads.max(1) };
        let Ok(plan) = self.plans.plan(self.scheme, &parameters, shape) else { return false };
        let m = self.manifest;
        let partial = plan.rotary_dim < heads.head_dim || plan.rotary_offset > 0 || heads.rotary.is_some();
        (m.partial_rotary || !partial)
            && (m.attention_scaling || plan.attention_scaling == 1.0)
            && (m.per_head || plan.map_heads <= 1)
            && (self.level.consumes(crate::case::Consume::InvFreq) || self.base_fits(plan.base))
    }

    /// A backend that makes its own frequencies can only do so from a base, and perhaps only from some bases.
    fn base_fits(&self, base: Option<f64>) -> bool {
        use crate::case::Consume::{Base, CosSin, CosSinCache};
        if self.group.level == Level::Apply || self.level.consumes(CosSin) || self.level.consumes(CosSinCache) {
            return true;
        }
        let Some(base) = base else { return !self.level.consumes(Base) };
        self.manifest.bases.is_empty() || self.manifest.bases.iter().any(|b| b.parse() == Ok(base))
    }

    /// A few head presets that this backend can be handed, small ones first: a compiled kernel is built per shape.
    #[must_use]
    pub fn heads(&self) -> Vec<HeadPreset> {
        let preset = |q_heads, k_heads, head_dim, rotary| HeadPreset {
            q_heads,
            k_heads,
            head_dim,
            rotary,
            parameters: Vec::new(),
        };
        let mut found: Vec<HeadPreset> = Vec::new();
        let mut add = |heads: HeadPreset| {
            if found.len() < 6 && !found.contains(&heads) && self.fits(&heads) {
                found.push(heads);
            }
        };
        let bases = self.scheme.parameters.iter().any(|p| p.name == "base");
        for (q, k, dim, rotary) in
            [(3, 1, 32, None), (2, 2, 96, Some((64, 16))), (5, 5, 48, None), (4, 2, 64, Some((32, 0)))]
        {
            add(preset(q, k, dim, rotary));
        }
        for model in self.library.models() {
            let of_this = model.scheme == self.scheme.name || self.group.level == Level::Apply;
            if of_this || bases && model.head_dim == 128 {
                let known = |(name, _): &&(String, Number)| self.scheme.parameters.iter().any(|p| p.name == *name);
                let parameters = model.parameters.iter().filter(known).cloned().collect();
                add(HeadPreset {
                    parameters,
                    ..preset(narrow(model.q_heads), narrow(model.k_heads), narrow(model.head_dim), None)
                });
            }
        }
        if found.is_empty() {
            // Whatever the manifest allows, smallest first, with each base it knows.
            let m = self.manifest;
            let smallest =
                |i: &crate::backend::manifest::Integers, floor| i.at_least(floor).and_then(|v| u32::try_from(v).ok());
            let bases: Vec<Vec<(String, Number)>> = if bases && !m.bases.is_empty() {
                m.bases.iter().filter_map(|b| Some(vec![("base".to_owned(), Number::parse(b).ok()?)])).collect()
            } else {
                vec![Vec::new()]
            };
            for floor in [8, 16, 32, 64, 2] {
                let (Some(q), Some(dim)) = (smallest(&m.q_heads, 1), smallest(&m.head_dims, floor)) else { continue };
                let Some(k) = smallest(&m.k_heads, 1).or(smallest(&m.k_heads, 0)) else { continue };
                for parameters in &bases {
                    let heads = HeadPreset { parameters: parameters.clone(), ..preset(q, k, dim, None) };
                    if found.len() < 4 && !found.contains(&heads) && self.fits(&heads) {
                        found.push(heads);
                    }
                }
            }
        }
        found
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
        Layout::new(segments).unwrap_or_else(|_| text(4))
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
        let whole = self.integer_positions();
        let types: Vec<DType> =
            self.manifest.position_dtypes.iter().copied().filter(|d| whole || d.is_float()).collect();
        if let Some(dtype) = rng.choose(&types) {
            case.position_dtype = *dtype;
        }
    }

    /// The largest position a case may have, from the manifest.
    #[must_use]
    pub fn max_position(&self) -> i64 {
        self.manifest.max_position
    }

    /// Whether every number up to `position` can be handed over in the case's position type.
    #[must_use]
    pub fn reaches(&self, position: i64, dtype: DType) -> bool {
        let exact = match dtype {
            DType::F32 => 1 << 24,
            DType::I32 => i64::from(i32::MAX),
            _ => 1 << 53,
        };
        position <= self.max_position() && position <= exact
    }
}

fn narrow(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// `n` text tokens.
#[must_use]
pub fn text(n: u32) -> Layout {
    // One segment with at least one token is always a layout.
    Layout::new(vec![Segment::Text(n.max(1))]).unwrap_or_default()
}
