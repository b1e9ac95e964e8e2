//! Key `hf` of a scheme: how a `config.json` of Hugging Face's transformers says that a model has it.

use super::diagnostic::{Sink, SpecError};
use super::fields::Fields;
use super::yaml::Node;

/// What a scheme is called in a `config.json`, and where its parameters stand there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HfNames {
    /// Values of `model_type` that mean this scheme; none: it is never meant unless a user says so.
    pub model_types: Vec<String>,
    /// Values of `rope_type` that it takes.
    pub rope_types: Vec<String>,
    /// Axes in the order of `mrope_section`, which must then be there; none: nothing is said of it.
    pub sections: Vec<usize>,
    /// Settings of the rope that must have this value where they are there.
    pub settings: Vec<(String, String)>,
    /// Settings of the rope that mean nothing to it.
    pub ignored: Vec<String>,
    /// Parameters, each with the path of its value.
    pub parameters: Vec<HfParameter>,
}

/// A parameter of a scheme in a `config.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HfParameter {
    /// Name of the parameter.
    pub name: String,
    /// Keys and places in lists, such as `mrope_section.1`.
    pub path: String,
    /// Whether the scheme's default stands for a value that is not there.
    pub optional: bool,
}

impl HfNames {
    /// Reads the key, against the axes and parameters of the scheme.
    pub(super) fn load(node: Option<&Node>, axes: &[String], parameters: &[&str], sink: &mut Sink) -> Option<Self> {
        let Some(node) = node else { return Some(HfNames::default()) };
        let before = sink.len();
        let mut fields = sink.take(Fields::new(node, "`hf`"))?;
        let mut texts = |key, sink: &mut Sink| {
            let found = fields.optional(key).map_or(Ok(Vec::new()), |node| node.texts(&format!("`{key}`")));
            sink.take(found).unwrap_or_default()
        };
        let model_types = texts("model_type", sink);
        let rope_types = texts("rope_type", sink);
        let ignored = texts("ignored", sink);
        let mut sections = Vec::new();
        let named = fields.optional("sections").and_then(|node| sink.take(node.list("axes")));
        for item in named.unwrap_or_default() {
            let Some(name) = sink.take(item.text("an axis")) else { continue };
            match axes.iter().position(|axis| axis == name) {
                Some(axis) => sections.push(axis),
                None => {
                    let error = item.error(format!("there is no axis `{name}`"));
                    sink.push(error.suggest(name, axes.iter().map(String::as_str)));
                }
            }
        }
        let mut settings = Vec::new();
        for (key, node) in fields.optional("settings").and_then(|n| sink.take(n.map("`settings`"))).unwrap_or_default()
        {
            settings.extend(sink.take(node.text("a value")).map(|value| (key.text.clone(), value.to_owned())));
        }
        let mut found = Vec::new();
        let named = fields.optional("parameters").and_then(|node| sink.take(node.map("`parameters`")));
        for (key, node) in named.unwrap_or_default() {
            if !parameters.contains(&key.text.as_str()) {
                let error = SpecError::new(&key.location, format!("there is no parameter `{}`", key.text));
                sink.push(error.suggest(&key.text, parameters.iter().copied()));
            } else if let Some(path) = sink.take(node.text("where the value stands, such as `rope_theta`")) {
                let (path, optional) = path.strip_suffix('?').map_or((path, false), |path| (path, true));
                found.push(HfParameter { name: key.text.clone(), path: path.to_owned(), optional });
            }
        }
        fields.finish(sink);
        let names = HfNames { model_types, rope_types, sections, settings, ignored, parameters: found };
        (sink.len() == before).then_some(names)
    }
}
