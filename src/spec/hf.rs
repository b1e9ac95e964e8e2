//! A `config.json` of Hugging Face's transformers, as a model: which scheme it has, its heads and parameters. What the
//! settings of a rope mean to a scheme, the scheme says itself (key `hf`).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::numeric::{DType, Number};

use super::diagnostic::{SourceFile, SpecError, SpecErrors};
use super::heads::HeadError;
use super::library::Library;
use super::model::{PairNumbers, Scheme};
use super::presets::ModelPreset;
use super::yaml::{self, Node, Value};

/// Maps that hold the language model of one that sees.
const TEXT: [&str; 2] = ["text_config", "llm_config"];
/// Maps of settings of the rope: of transformers from 5 on, and before.
const SETTINGS: [&str; 2] = ["rope_parameters", "rope_scaling"];
/// Settings whose meaning does not depend on the scheme.
const COMMON: [&str; 3] = ["rope_type", "type", "partial_rotary_factor"];
/// What types are called there.
const DTYPES: [(&str, DType); 3] = [("float32", DType::F32), ("float16", DType::F16), ("bfloat16", DType::BF16)];

/// The model that a `config.json` describes. JSON is read as the YAML that it is. `scheme` is what the user names; without
/// it the file's `model_type` and `rope_type` say it.
///
/// # Errors
/// What is missing, and what does not fit the scheme, with its place in the file.
pub fn model_of_config(
    file: &Arc<SourceFile>,
    library: &Library,
    scheme: Option<&Scheme>,
) -> Result<ModelPreset, SpecErrors> {
    let root = yaml::parse(file)?;
    root.map("a config.json")?;
    let config = Config::of(&root)?;
    let scheme = match scheme {
        Some(scheme) => {
            config.takes_rope_type(&[scheme])?;
            scheme
        }
        None => config.scheme(library)?,
    };
    Ok(config.model(scheme)?)
}

/// A file, and where the two parts of it stand that matter.
struct Config<'a> {
    root: &'a Node,
    text: &'a Node,
    settings: Option<&'a Node>,
}

impl<'a> Config<'a> {
    fn of(root: &'a Node) -> Result<Self, SpecError> {
        let map = |node: &&Node| matches!(node.value, Value::Map(_));
        let text = TEXT.iter().filter_map(|key| root.get(key)).find(map).unwrap_or(root);
        let places = [text, root].into_iter().flat_map(|place| SETTINGS.map(|key| place.get(key)));
        let settings = places.flatten().find(map);
        for (key, node) in settings.map_or(Ok(&[][..]), |node| node.map("settings"))? {
            if let Value::Map(_) = node.value {
                let why = format!("expected one rope for all layers, found one of their own for `{}`", key.text);
                return Err(SpecError::new(&key.location, why));
            }
        }
        Ok(Config { root, text, settings })
    }

    /// What stands at a path, in the settings of the rope, in the language model, or in the whole. `null` is nothing.
    fn find(&self, path: &str) -> Option<&'a Node> {
        let step = |node: &'a Node, key: &str| match &node.value {
            Value::Seq(items) => items.get(key.parse::<usize>().ok()?),
            _ => node.get(key),
        };
        let places = self.settings.into_iter().chain([self.text, self.root]);
        let mut found = places.filter_map(|place| path.split('.').try_fold(place, step));
        found.find(
            |node| !matches!(&node.value, Value::Scalar { text, plain: true } if text == "null" || text.is_empty()),
        )
    }

    fn required(&self, path: &str, why: &str) -> Result<&'a Node, SpecError> {
        self.find(path).ok_or_else(|| {
            let at = self.settings.unwrap_or(self.text);
            let start = at.location.span.start;
            let mut place = at.location.clone();
            place.span = start..start + 1;
            // A place in a list is there if the list is.
            let list = path.split('.').next().filter(|list| self.find(list).is_none()).unwrap_or(path);
            SpecError::new(&place, format!("expected `{list}`, found none{why}"))
        })
    }

    /// The scheme that says that it has this `model_type` and `rope_type`.
    fn scheme<'l>(&self, library: &'l Library) -> Result<&'l Scheme, SpecError> {
        let mut named = [self.root, self.text].into_iter().filter_map(|place| place.get("model_type"));
        for node in named.clone() {
            let name = node.text("a model type")?;
            let all = library.all().filter(|scheme| scheme.hf.model_types.iter().any(|known| known == name));
            let all: Vec<&Scheme> = all.map(|scheme| &**scheme).collect();
            if all.is_empty() {
                continue;
            }
            let taken = self.takes_rope_type(&all)?;
            if let Some(other) = taken.iter().find(|other| other.name != taken[0].name) {
                let both = format!("{} and {}", taken[0].name, other.name);
                return Err(node.error(format!("both {both} are of model type `{name}`: --scheme names one")));
            }
            return Ok(taken[0]);
        }
        let missing = || self.required("model_type", "; --scheme names the scheme");
        let node = named.next_back().map_or_else(missing, Ok)?;
        let name = node.text("a model type")?;
        let known = library.all().flat_map(|scheme| scheme.hf.model_types.iter().map(String::as_str));
        let why = format!("no scheme is said to be of model type `{name}`: --scheme names one");
        Err(node.error(why).suggest(name, known))
    }

    /// Those of some schemes, at least one, that take the file's `rope_type`.
    fn takes_rope_type<'s>(&self, all: &[&'s Scheme]) -> Result<Vec<&'s Scheme>, SpecError> {
        let of_settings = |key| self.settings.and_then(|settings| settings.get(key));
        let node = of_settings("rope_type").or_else(|| of_settings("type"));
        let name = node.map_or(Ok("default"), |node| node.text("a type of rope"))?;
        let takes = |scheme: &&&Scheme| scheme.hf.rope_types.iter().any(|known| known == name);
        let taken: Vec<&Scheme> = all.iter().filter(takes).copied().collect();
        if !taken.is_empty() {
            return Ok(taken);
        }
        let known: BTreeSet<&str> =
            all.iter().flat_map(|scheme| scheme.hf.rope_types.iter().map(String::as_str)).collect();
        let expected: Vec<String> = known.iter().map(|one| format!("`{one}`")).collect();
        let schemes: BTreeSet<&str> = all.iter().map(|scheme| scheme.name.as_str()).collect();
        let schemes = Vec::from_iter(schemes).join(" and ");
        let why = format!("expected a rope type that {schemes} has, {}, found `{name}`", expected.join(" or "));
        Err(node.or(self.settings).unwrap_or(self.text).error(why).suggest(name, known))
    }

    fn model(&self, scheme: &Scheme) -> Result<ModelPreset, SpecError> {
        let count = |node: &Node, key: &str| {
            let found = node.count(&format!("`{key}`"))?;
            if found == 0 { Err(node.error(format!("expected `{key}` from 1, found 0"))) } else { Ok(found) }
        };
        let optional = |key: &str| self.find(key).map(|node| count(node, key)).transpose();
        let q_node = self.required("num_attention_heads", "")?;
        let q_heads = count(q_node, "num_attention_heads")?;
        let k_heads = optional("num_key_value_heads")?.unwrap_or(q_heads);
        if q_heads % k_heads != 0 {
            let why = format!("expected a multiple of `num_key_value_heads`, {k_heads}, found {q_heads}");
            return Err(q_node.error(why));
        }
        let head_dim = match optional("head_dim")? {
            Some(width) => width,
            None => {
                let node = self.required("hidden_size", "; without `head_dim` it gives the width of a head")?;
                let hidden = count(node, "hidden_size")?;
                if hidden % q_heads != 0 {
                    let why = format!("expected a multiple of `num_attention_heads`, {q_heads}, found {hidden}");
                    return Err(node.error(why));
                }
                hidden / q_heads
            }
        };
        let parameters = self.parameters(scheme)?;
        self.settings_are_known(scheme)?;
        let dtype = self.find("dtype").or_else(|| self.find("torch_dtype"));
        let dtype = dtype.and_then(|node| Some(node.text("a type").ok()?.trim_start_matches("torch.")));
        let mut model = ModelPreset {
            name: self.root.location.file.name.clone(),
            title: String::new(),
            source: self.root.location.file.name.clone(),
            scheme: scheme.id(),
            q_heads,
            k_heads,
            head_dim,
            rotary_dim: 0,
            max_positions: optional("max_position_embeddings")?,
            dtype: dtype.and_then(|name| DTYPES.iter().find(|(known, _)| *known == name)).map(|(_, dtype)| *dtype),
            parameters,
            scheme_location: q_node.location.clone(),
            rotary_location: q_node.location.clone(),
            parameter_locations: Vec::new(),
        };
        let sections = match &scheme.hf.sections[..] {
            [] => None,
            _ => Some(self.required("mrope_section", &format!("; {} reads it", scheme.id()))?),
        };
        let misfit = |error: HeadError| sections.unwrap_or(q_node).error(error.to_string());
        let (rotary_dim, pairs) = model.rotated(scheme).map_err(misfit)?;
        model.rotary_dim = rotary_dim;
        self.rotates(scheme, head_dim, rotary_dim)?;
        if let Some(node) = sections {
            sections_fit(node, scheme, &pairs)?;
        }
        Ok(model)
    }

    /// Values of the scheme's parameters.
    fn parameters(&self, scheme: &Scheme) -> Result<Vec<(String, Number)>, SpecError> {
        let mut values = Vec::new();
        for one in &scheme.hf.parameters {
            let why = format!("; {} takes `{}` from it", scheme.id(), one.name);
            let node = match self.find(&one.path) {
                None if one.optional => continue,
                found => found.map_or_else(|| self.required(&one.path, &why), Ok)?,
            };
            let value = node.number(&format!("`{}`", one.path))?;
            let known = scheme.parameters.iter().find(|parameter| parameter.name == one.name);
            known
                .map_or(Ok(()), |known| known.check(&value))
                .map_err(|why| node.error(format!("`{}` {why}", one.path)))?;
            values.push((one.name.clone(), value));
        }
        Ok(values)
    }

    /// Whether the scheme knows every setting of the rope, with its value.
    fn settings_are_known(&self, scheme: &Scheme) -> Result<(), SpecError> {
        let hf = &scheme.hf;
        let lists: Vec<(&str, &Vec<Number>)> = scheme
            .per_pair
            .iter()
            .filter_map(|one| match &one.numbers {
                PairNumbers::List(list) => Some((one.name.as_str(), list)),
                PairNumbers::Formula(_) => None,
            })
            .collect();
        let first = |path: &'_ str| path.split('.').next().unwrap_or_default().to_owned();
        let of_scheme = hf.parameters.iter().map(|one| first(&one.path)).chain(hf.ignored.iter().cloned());
        let of_scheme = of_scheme.chain(hf.settings.iter().map(|(key, _)| key.clone()));
        let of_scheme = of_scheme.chain(lists.iter().map(|(name, _)| (*name).to_owned()));
        let sections = (!hf.sections.is_empty()).then(|| "mrope_section".to_owned());
        let known: Vec<String> = of_scheme.chain(sections).chain(COMMON.map(str::to_owned)).collect();
        for (key, _) in self.settings.map_or(Ok(&[][..]), |node| node.map("settings"))? {
            if !known.contains(&key.text) && self.find(&key.text).is_some() {
                let why = format!("{} knows no setting `{}` of the rope", scheme.id(), key.text);
                let names = known.iter().map(String::as_str);
                return Err(SpecError::new(&key.location, why).suggest(&key.text, names));
            }
        }
        for (key, value) in &hf.settings {
            if let Some(node) = self.find(key) {
                let found = node.text(&format!("`{key}`"))?;
                if found != value {
                    return Err(
                        node.error(format!("expected `{key}` to be {value} for {}, found {found}", scheme.id()))
                    );
                }
            }
        }
        for (name, numbers) in lists {
            let node = self.required(name, &format!("; {} has such a list", scheme.id()))?;
            let items = node.list(name)?;
            let differs =
                |(item, number): &(&Node, &Number)| item.number("a factor").is_ok_and(|found| found != **number);
            if items.len() != numbers.len() {
                let why =
                    format!("expected {} numbers as {} has them, found {}", numbers.len(), scheme.id(), items.len());
                return Err(node.error(why));
            }
            if let Some((item, number)) = items.iter().zip(numbers).find(differs) {
                return Err(item.error(format!("expected {number} as {} has it in `{name}`", scheme.id())));
            }
        }
        Ok(())
    }

    /// Whether as many channels rotate as the file says, where it says it.
    fn rotates(&self, scheme: &Scheme, head_dim: usize, rotary_dim: usize) -> Result<(), SpecError> {
        let Some(node) = self.find("partial_rotary_factor") else { return Ok(()) };
        let factor = node.number("`partial_rotary_factor`")?;
        let width = factor
            .mul(&Number::from_i64(head_dim as i64))
            .and_then(|width| width.floor())
            .ok()
            .and_then(|width| width.to_i64());
        if width == i64::try_from(rotary_dim).ok() {
            return Ok(());
        }
        let text = node.text("a factor")?;
        let turns = format!("{} rotates {rotary_dim} of {head_dim} channels", scheme.id());
        Err(node.error(format!("expected `partial_rotary_factor` {rotary_dim}/{head_dim}, found {text}: {turns}")))
    }
}

/// Whether the sections of a file are those of the axis map.
fn sections_fit(node: &Node, scheme: &Scheme, pairs: &[usize]) -> Result<(), SpecError> {
    let order = &scheme.hf.sections;
    let expected: Vec<usize> = order.iter().filter_map(|axis| pairs.get(*axis).copied()).collect();
    let found = node.list("`mrope_section`")?.iter().map(|item| item.count("a number of pairs"));
    let found = found.collect::<Result<Vec<usize>, _>>()?;
    if found == expected {
        return Ok(());
    }
    let axes: Vec<&str> = order.iter().filter_map(|axis| scheme.axes.get(*axis).map(String::as_str)).collect();
    let (all, sum) = (pairs.iter().sum::<usize>(), found.iter().sum::<usize>());
    let why = format!("expected `mrope_section` {expected:?}, found {found:?}");
    let note = format!("{} has {all} pairs here, of the axes {}; these are {sum}", scheme.id(), axes.join(", "));
    Err(node.error(why).note(note))
}
