//! `spec/models/*.yaml`: heads, widths and parameters of real models.

use std::sync::Arc;

use crate::numeric::Number;

use super::diagnostic::{Location, Sink, SourceFile, SpecErrors};
use super::fields::Fields;
use super::yaml;

/// Heads, widths and parameters of a model.
#[derive(Debug, Clone)]
pub struct ModelPreset {
    /// Kebab-case name, such as `qwen2-vl-7b`.
    pub name: String,
    /// One line.
    pub title: String,
    /// Where the numbers come from.
    pub source: String,
    /// `scheme` or `scheme@profile`.
    pub scheme: String,
    /// Query heads.
    pub q_heads: usize,
    /// Key/value heads.
    pub k_heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Parameters of the scheme that the model sets.
    pub parameters: Vec<(String, Number)>,
    pub(super) scheme_location: Location,
    pub(super) parameter_locations: Vec<Location>,
}

impl ModelPreset {
    /// Reads a preset.
    ///
    /// # Errors
    /// Every mistake in the file.
    pub fn load(file: &Arc<SourceFile>) -> Result<Self, SpecErrors> {
        let root = yaml::parse(file)?;
        let mut sink = Sink::default();
        let mut fields = Fields::new(&root, "a model")?;
        let name = fields.required_text("model", &mut sink);
        let title = fields.required_text("title", &mut sink);
        let source = fields.required_text("source", &mut sink);
        let scheme_node = sink.take(fields.required("scheme"));
        let scheme = scheme_node.and_then(|node| sink.take(node.text("a scheme")));
        let mut count = |key| {
            let node = sink.take(fields.required(key))?;
            let value = sink.take(node.count(&format!("`{key}`")))?;
            if value == 0 {
                sink.push(node.error(format!("expected `{key}` from 1, found 0")));
            }
            Some(value)
        };
        let (q_heads, k_heads, head_dim) = (count("q_heads"), count("k_heads"), count("head_dim"));
        if let (Some(q), Some(k @ 1..)) = (q_heads, k_heads)
            && q % k != 0
        {
            sink.push(root.error(format!("expected a multiple of {k} key/value heads, found {q} query heads")));
        }
        let mut parameters = Vec::new();
        let mut parameter_locations = Vec::new();
        if let Some(entries) = fields.optional("parameters").and_then(|node| sink.take(node.map("`parameters`"))) {
            for (key, node) in entries {
                if let Some(value) = sink.take(node.number(&format!("a value of `{}`", key.text))) {
                    parameters.push((key.text.clone(), value));
                    parameter_locations.push(key.location.clone());
                }
            }
        }
        fields.finish(&mut sink);
        let preset = (|| {
            Some(ModelPreset {
                name,
                title,
                source,
                scheme: scheme?.to_owned(),
                q_heads: q_heads?,
                k_heads: k_heads?,
                head_dim: head_dim?,
                parameters,
                scheme_location: scheme_node?.location.clone(),
                parameter_locations,
            })
        })();
        sink.finish(preset)
    }
}
