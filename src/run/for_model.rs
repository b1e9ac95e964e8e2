//! Narrows a run to a model: its scheme, parameters and heads.

use super::context::Options;
use super::groups::SelectionError;
use super::preset::PresetInForce;
use crate::backend::Manifest;
use crate::backend::manifest::Integers;
use crate::case::Level;
use crate::check::HeadPreset;
use crate::spec::presets::ModelPreset;
use crate::spec::{HeadShape, Library, LookupError};

impl Options {
    /// The same options for a model alone: its heads, its scheme if no other one is selected, and of its parameters those
    /// that all selected schemes have and nobody has set. `option` and `value` are what the user said.
    ///
    /// # Errors
    /// If there is no such scheme.
    pub fn for_model(
        mut self,
        library: &Library,
        model: &ModelPreset,
        (option, value): (&str, &str),
    ) -> Result<Self, LookupError> {
        let own = library.get(&model.scheme)?.id();
        if self.schemes.is_empty() {
            self.schemes.push(own.clone());
        }
        let schemes = self.schemes.iter().map(|name| library.get(name)).collect::<Result<Vec<_>, _>>()?;
        let mut parameters = Vec::new();
        for (name, number) in &model.parameters {
            let known = schemes.iter().all(|scheme| scheme.parameters.iter().any(|known| known.name == *name));
            if known && !self.parameters.iter().any(|(set, _)| set == name) {
                parameters.push(format!("{name}={number}"));
                self.parameters.push((name.clone(), number.clone()));
            }
        }
        let HeadShape { head_dim, q_heads, k_heads } = model.heads();
        let rotary_dim = u32::try_from(model.rotary_dim).unwrap_or(u32::MAX);
        // Another scheme than the model's rotates what it says itself.
        let of_model = self.schemes == [own.clone()] && rotary_dim < head_dim;
        let rotary = of_model.then_some((rotary_dim, 0));
        self.heads = Some(HeadPreset { q_heads, k_heads, head_dim, rotary, parameters: Vec::new() });
        self.preset = Some(PresetInForce {
            option: option.to_owned(),
            value: value.to_owned(),
            scheme: own,
            parameters,
            q_heads,
            k_heads,
            head_dim,
            rotary_dim,
            max_positions: model.max_positions,
            dtype: model.dtype.map(|dtype| dtype.name().to_owned()),
        });
        Ok(self)
    }

    /// What is left of a manifest: with the heads of a model these alone. What has positions alone has no heads.
    ///
    /// # Errors
    /// If they are not offered.
    pub fn narrowed(&self, manifest: &Manifest) -> Result<Manifest, SelectionError> {
        let mut left = manifest.clone();
        let Some(heads) = &self.heads else { return Ok(left) };
        let selected = |level: &Level| self.levels.is_empty() || self.levels.contains(level);
        let tensors = |level: &Level| *level != Level::Positions && selected(level);
        if !manifest.levels.iter().any(|(level, _)| tensors(level)) {
            return Ok(left);
        }
        // What takes no keys is judged without them.
        let no_keys = !left.k_heads.allows(heads.k_heads.into()) && left.k_heads.allows(0);
        let k_heads = if no_keys { 0 } else { heads.k_heads };
        for (name, offered, size) in [
            ("q_heads", &mut left.q_heads, heads.q_heads),
            ("k_heads", &mut left.k_heads, k_heads),
            ("head_dims", &mut left.head_dims, heads.head_dim),
        ] {
            if !offered.allows(size.into()) {
                let model = self.preset.as_ref().map_or_else(|| "the model".to_owned(), PresetInForce::words);
                let why = format!("{model} needs {name} {size}, and the backend does not offer that");
                return Err(SelectionError::Empty(why));
            }
            *offered = Integers::List(vec![size.into()]);
        }
        match heads.rotary {
            Some((width, _)) if left.rotary_dims.allows(width.into()) => {
                left.rotary_dims = Integers::List(vec![width.into()]);
            }
            Some(_) => {}
            None => left.partial_rotary = false,
        }
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend as _;
    use crate::backend::host::Host;

    /// Heads of a model alone are left, and what is not offered is said; positions have no heads.
    #[test]
    fn a_manifest_is_narrowed_to_the_heads_of_a_model_where_it_offers_them() {
        let library = Library::embedded().expect("the specs load");
        let of = |name: &str| {
            let model = library.model(name).expect("a model");
            Options::default().for_model(&library, model, ("preset", name)).expect("its scheme")
        };
        let host = Host::new().manifest().clone();
        let left = of("qwen2-vl-7b").narrowed(&host).expect("it offers them");
        let one = |size| Integers::List(vec![size]);
        assert_eq!((left.q_heads, left.k_heads, left.head_dims), (one(28), one(4), one(128)));
        assert!(host.partial_rotary && !left.partial_rotary);
        let part = of("glm-4.1v-9b").narrowed(&host).expect("it offers them");
        assert_eq!((part.partial_rotary, part.rotary_dims), (true, one(64)));
        let few = Manifest { q_heads: Integers::List(vec![1, 2]), ..host.clone() };
        let why = of("qwen2-vl-7b").narrowed(&few).expect_err("it does not");
        assert_eq!(why.to_string(), "--preset qwen2-vl-7b needs q_heads 28, and the backend does not offer that");
        let positions = host.levels.iter().find(|(level, _)| *level == Level::Rotate).cloned().expect("a level");
        let alone = Manifest { levels: vec![(Level::Positions, positions.1)], ..few };
        assert_eq!(of("qwen2-vl-7b").narrowed(&alone), Ok(alone));
        let no_keys = Manifest { k_heads: one(0), ..host };
        assert_eq!(of("qwen2-vl-7b").narrowed(&no_keys).expect("it takes none").k_heads, one(0));
    }

    /// What a user sets goes before what a model has, and a scheme takes what it knows.
    #[test]
    fn parameters_of_a_model_are_those_that_nobody_has_set() {
        let library = Library::embedded().expect("the specs load");
        let model = library.model("qwen3-vl-8b").expect("a model");
        let set = vec![("base".to_owned(), crate::numeric::Number::from_i64(7))];
        let options = Options { parameters: set.clone(), schemes: vec!["m-rope".into()], ..Options::default() };
        let options = options.for_model(&library, model, ("preset", "qwen3-vl-8b")).expect("its scheme");
        assert_eq!((options.parameters, options.schemes), (set, vec!["m-rope".to_owned()]));
    }
}
