//! Why heads cannot be asked for: the filters that heads pass one after another, and the last one that
//! stopped some.

use super::generator::Generator;
use super::heads::HeadPreset;
use super::offers::parameters_refused;
use crate::backend::Refusal;
use crate::backend::manifest::Integers;
use crate::case::Level;
use crate::numeric::Number;
use crate::rotation::HeadShape;
use crate::spec::Parameters;

/// The filter that heads did not pass, in the order of the filters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Misfit {
    /// Counts of heads.
    Counts,
    /// The width of a head.
    HeadDim,
    /// Values of parameters, and which.
    Parameters(String),
    /// The scheme's plan, and why there is none.
    Plan(String),
    /// What the manifest offers.
    Refused(Refusal),
}

impl Misfit {
    /// What stopped them.
    fn words(&self) -> String {
        let words = match self {
            Misfit::Counts => "the manifest offers no such q_heads and k_heads",
            Misfit::HeadDim => "the manifest's head_dims hold no such width",
            Misfit::Parameters(why) => return why.clone(),
            Misfit::Plan(why) => return format!("the scheme has no plan for the manifest's head_dims: {why}"),
            Misfit::Refused(refusal) => return refusal.to_string(),
        };
        words.to_owned()
    }
}

impl Generator<'_> {
    /// What stops this backend from being handed cases of these heads; `None` if nothing does.
    pub(super) fn misfit(&self, heads: &HeadPreset) -> Option<Misfit> {
        let m = self.manifest;
        if !m.q_heads.allows(i64::from(heads.q_heads)) || !m.k_heads.allows(i64::from(heads.k_heads)) {
            return Some(Misfit::Counts);
        }
        if !m.head_dims.allows(i64::from(heads.head_dim)) {
            return Some(Misfit::HeadDim);
        }
        self.plan_misfit(heads)
    }

    /// The same of heads of a width that is offered, in numbers that are.
    pub(super) fn plan_misfit(&self, heads: &HeadPreset) -> Option<Misfit> {
        let (m, given) = (self.manifest, self.parameters_of(heads));
        let width = heads.rotary.map_or(heads.head_dim, |(width, _)| width);
        let shape = HeadShape { head_dim: width, q_heads: heads.q_heads, k_heads: heads.k_heads.max(1) };
        let plan = Parameters::resolve(self.scheme, &given)
            .map_err(|e| e.to_string())
            .and_then(|parameters| self.plans.plan(self.scheme, &parameters, shape).map_err(|e| e.to_string()));
        let plan = match plan {
            Ok(plan) => plan,
            Err(why) => return Some(Misfit::Plan(why)),
        };
        let refused = (self.group.level != Level::Apply)
            .then(|| parameters_refused(m, self.scheme, self.plans, &given, Some(shape)))
            .flatten();
        if let Some(why) = refused {
            return Some(Misfit::Parameters(why));
        }
        let offset = plan.rotary_offset + heads.rotary.map_or(0, |(_, offset)| offset);
        let refusal = m.refuses(self.group.level, self.scheme, &plan, (heads.head_dim, offset));
        // Narrow heads may have powers of a base where the scheme's others have none: that is not what is meant.
        let narrow = || m.knows_a_base_alone(self.group.level, self.scheme) && !self.has_powers_of_a_base();
        refusal.or_else(|| narrow().then_some(Refusal::NoBase)).map(Misfit::Refused)
    }

    /// Whether the frequencies of heads as wide as those of models are powers of the scheme's base.
    fn has_powers_of_a_base(&self) -> bool {
        let Ok(parameters) = Parameters::resolve(self.scheme, self.parameters) else { return false };
        let shape = |head_dim| HeadShape { head_dim, q_heads: 1, k_heads: 1 };
        let plan = |head_dim| self.plans.plan(self.scheme, &parameters, shape(head_dim)).ok();
        [128, 64, 96, 80, 256, 32].into_iter().find_map(plan).is_none_or(|plan| plan.base.is_some())
    }

    /// Why none of these heads fits, by the last filter that some of them came to.
    pub(super) fn why_none(&self, tried: impl IntoIterator<Item = HeadPreset>) -> String {
        let last = tried.into_iter().filter_map(|heads| self.misfit(&heads)).max();
        last.unwrap_or(Misfit::Counts).words()
    }

    /// Why no heads at all fit the manifest and the scheme.
    pub(super) fn why_no_heads(&self) -> String {
        format!("no heads fit the manifest and the scheme: {}", self.why_none(self.every_kind(false)))
    }

    /// Heads with keys, small ones first.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn heads_with_keys(&self) -> Result<Vec<HeadPreset>, String> {
        let keys = |heads: &HeadPreset| heads.k_heads > 0;
        let some: Vec<HeadPreset> = self.heads().into_iter().filter(keys).collect();
        if !some.is_empty() {
            return Ok(some);
        }
        if self.manifest.k_heads.at_least(1).is_none() {
            return Err("the backend takes no keys (the manifest's k_heads)".into());
        }
        let others: Vec<HeadPreset> = self.every_kind(true).collect();
        match others.iter().find(|heads| self.misfit(heads).is_none()) {
            Some(heads) => Ok(vec![heads.clone()]),
            None if others.is_empty() => Err("no k_heads above 0 of the manifest divide its q_heads".into()),
            None => Err(format!("no heads with keys fit the manifest and the scheme: {}", self.why_none(others))),
        }
    }

    /// Heads of every kind that the manifest offers: small counts, widths, and each base; with key heads that
    /// share out the query heads, if keys are asked for.
    pub(super) fn every_kind(&self, keys: bool) -> impl Iterator<Item = HeadPreset> {
        let m = self.manifest;
        let some = |allowed: &Integers, floors: &[i64]| {
            let mut all: Vec<u32> = floors
                .iter()
                .filter_map(|floor| allowed.at_least(*floor).and_then(|value| u32::try_from(value).ok()))
                .collect();
            all.dedup();
            all
        };
        let sharing =
            |q: u32| (1..=q.min(1 << 12)).filter(move |k| q.is_multiple_of(*k) && m.k_heads.allows((*k).into()));
        let mut counts: Vec<(u32, u32)> = Vec::new();
        for q in some(&m.q_heads, &[1, 2, 3, 4, 6, 8, 16, 32, 64]) {
            let k = if keys { sharing(q).next() } else { self.key_heads(q) };
            counts.extend(k.map(|k| (q, k)));
        }
        let mut parameters = vec![Vec::new()];
        parameters.extend(m.bases.iter().filter_map(|base| Some(vec![("base".to_owned(), Number::parse(base).ok()?)])));
        let known = |given: &Vec<(String, Number)>| {
            given.iter().all(|(name, _)| self.scheme.parameters.iter().any(|parameter| parameter.name == *name))
        };
        parameters.retain(known);
        let mut all = Vec::new();
        for head_dim in some(&m.head_dims, &[2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 192, 256, 512]) {
            // Of a part of a head small ones too: they may fit where the whole does not.
            let parts = [64, 16, 4, 2].into_iter().filter(|width| m.partial_rotary && *width < head_dim);
            for rotary in std::iter::once(None).chain(parts.map(|width| Some((width, 0)))) {
                for (q_heads, k_heads) in counts.iter().copied() {
                    let heads =
                        |given: &Vec<_>| HeadPreset { q_heads, k_heads, head_dim, rotary, parameters: given.clone() };
                    all.extend(parameters.iter().map(heads));
                }
            }
        }
        all.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Manifest;
    use crate::backend::host::Host;
    use crate::backend::manifest::LevelManifest;
    use crate::backend::parameter_offer::{OfferedValues, ParameterOffer};
    use crate::case::Consume;
    use crate::check::CATALOGUE;
    use crate::check::generator::Group;
    use crate::numeric::DType;
    use crate::rotation::PlanCache;
    use crate::spec::Library;
    use crate::spec::model::Pairing;

    /// The embedded kernel's manifest, with a level that finds frequencies from the base.
    fn manifest() -> Manifest {
        let mut manifest = crate::backend::Backend::manifest(&Host::new()).clone();
        let contracts = manifest.levels[0].1.contracts.clone();
        let consumes = vec![Consume::Positions, Consume::AxisOfPair, Consume::Base];
        manifest.levels = vec![(Level::Rotate, LevelManifest { consumes, schemes: vec!["*".into()], contracts })];
        manifest
    }

    /// The reasons that a check gives; none where it has only cases.
    fn reasons(check: &str, scheme: &str, manifest: &Manifest) -> String {
        let library = Library::embedded().expect("embedded specs load");
        let scheme = library.get(scheme).expect("a scheme");
        let generator = Generator {
            group: Group { scheme: scheme.id(), level: Level::Rotate, pairing: Pairing::Half, dtype: DType::F32 },
            scheme,
            library: &library,
            plans: &PlanCache::new(),
            manifest,
            level: manifest.level(Level::Rotate).expect("the level"),
            cases: 1,
            depth: Default::default(),
            seed: 1,
            parameters: &[],
            cover: &[],
            whole: std::sync::OnceLock::new(),
        };
        let check = CATALOGUE.iter().find(|c| c.id() == check).expect("a check");
        let gaps = check.schedule(&generator).gaps;
        gaps.into_iter().map(|gap| gap.why).collect::<Vec<_>>().join("; ")
    }

    /// Every place that finds no heads says the cause that holds.
    #[test]
    fn a_reason_is_the_filter_that_stopped_the_last_heads() {
        let all = manifest();
        let one = |value| Integers::List(vec![value]);
        let spatial = |value| {
            let values = OfferedValues::List(vec![Number::from_i64(value)]);
            Some(vec![ParameterOffer { name: "spatial_pairs".into(), values }])
        };
        let wide = Manifest { head_dims: one(128), partial_rotary: false, ..all.clone() };
        let parts = Manifest { head_dims: one(128), ..all.clone() };
        let odd = Manifest { head_dims: one(65), partial_rotary: false, ..all.clone() };
        let unscaled = Manifest { attention_scaling: false, ..all.clone() };
        let fixed = Manifest { parameters: spatial(1), ..wide.clone() };
        for (scheme, manifest, cause) in [
            // Of narrow heads they are, which is not what is meant.
            ("rope@yarn", &all, "the level consumes base, and the scheme's frequencies are no powers of a base"),
            ("rope@yarn", &parts, "the level consumes base, and the scheme's frequencies are no powers of a base"),
            ("rope@yarn", &unscaled, "the scheme scales attention, and the manifest's attention_scaling is false"),
            ("m-rope", &odd, "the scheme has no plan for the manifest's head_dims: "),
            ("qwen3-vl", &fixed, "spatial_pairs = 20, which the manifest's parameters do not offer"),
        ] {
            for check in ["relative-position", "superposition", "many-rows", "q-k-independence"] {
                let why = reasons(check, scheme, manifest);
                assert!(why.contains(cause), "{check} {scheme}: {why}");
            }
        }
        for check in ["relative-position", "superposition", "many-rows", "q-k-independence", "golden"] {
            assert_eq!(reasons(check, "m-rope", &all), "", "{check}");
        }
    }

    #[test]
    fn golden_cases_say_what_their_widths_lack() {
        let all = manifest();
        let bases = Manifest { bases: vec!["500000".into()], ..all.clone() };
        let whole = Manifest { head_dims: Integers::List(vec![256]), partial_rotary: false, ..all.clone() };
        let narrow = Manifest { head_dims: Integers::List(vec![32]), ..all.clone() };
        for (scheme, manifest, cause) in [
            ("m-rope", &bases, "the base is none of the manifest's bases"),
            ("m-rope", &whole, "a part of the head would be rotated"),
            ("m-rope", &narrow, "the manifest's head_dims hold no such width"),
            ("rope@yarn", &all, "the level consumes base, and the scheme's frequencies are no powers of a base"),
        ] {
            let why = reasons("golden", scheme, manifest);
            assert!(why.starts_with("no heads with so many rotated channels: ") && why.contains(cause), "{why}");
        }
    }

    #[test]
    fn keys_are_not_said_to_be_missing_where_others_are_offered() {
        let with = |q: &[i64], k: &[i64]| Manifest {
            q_heads: Integers::List(q.to_vec()),
            k_heads: Integers::List(k.to_vec()),
            ..manifest()
        };
        for check in ["relative-position", "q-k-independence"] {
            let why = |q: &[i64], k: &[i64]| reasons(check, "m-rope", &with(q, k));
            assert_eq!(why(&[1, 2], &[0]), "the backend takes no keys (the manifest's k_heads)", "{check}");
            assert_eq!(why(&[3], &[0, 2]), "no k_heads above 0 of the manifest divide its q_heads", "{check}");
            // Four keys for twelve queries are keys.
            assert_eq!(why(&[12], &[0, 4]), "", "{check}");
        }
    }
}
