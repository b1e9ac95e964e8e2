//! `spec/models/*.yaml`: heads, widths and parameters of real models.

use std::sync::Arc;

use crate::numeric::{DType, Number};

use super::diagnostic::{Location, Sink, SourceFile, SpecErrors};
use super::fields::Fields;
use super::heads::{HeadError, HeadShape, HeadSizes};
use super::model::Scheme;
use super::parameters::Parameters;
use super::yaml;

/// Heads, widths and parameters of a model.
#[derive(Debug, Clone)]
pub struct ModelPreset {
    /// Kebab-case name, such as `qwen2-vl-7b`; of a `config.json` its file.
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
    /// Channels of a head that rotate, as the scheme has them at this width.
    pub rotary_dim: usize,
    /// Positions that the model was made for, where that is known.
    pub max_positions: Option<usize>,
    /// Type that its weights are in, where that is known.
    pub dtype: Option<DType>,
    /// Parameters of the scheme that the model sets.
    pub parameters: Vec<(String, Number)>,
    pub(super) scheme_location: Location,
    pub(super) rotary_location: Location,
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
        let dtypes = DType::STORAGE.map(|dtype| (dtype.name(), dtype));
        let dtype = fields.optional("dtype").and_then(|node| sink.take(node.one_of("dtype", &dtypes)));
        let count = |key, node: &yaml::Node, sink: &mut Sink| {
            let value = sink.take(node.count(&format!("`{key}`")))?;
            if value == 0 {
                sink.push(node.error(format!("expected `{key}` from 1, found 0")));
            }
            Some(value)
        };
        let max_positions = fields.optional("max_positions").and_then(|node| count("max_positions", node, &mut sink));
        let rotary_node = sink.take(fields.required("rotary_dim"));
        let rotary_dim = rotary_node.and_then(|node| count("rotary_dim", node, &mut sink));
        let mut required = |key| sink.take(fields.required(key)).and_then(|node| count(key, node, &mut sink));
        let (q_heads, k_heads, head_dim) = (required("q_heads"), required("k_heads"), required("head_dim"));
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
                rotary_dim: rotary_dim?,
                max_positions,
                dtype,
                parameters,
                scheme_location: scheme_node?.location.clone(),
                rotary_location: rotary_node?.location.clone(),
                parameter_locations,
            })
        })();
        sink.finish(preset)
    }

    /// Its heads.
    #[must_use]
    pub fn heads(&self) -> HeadShape {
        let narrow = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        HeadShape { head_dim: narrow(self.head_dim), q_heads: narrow(self.q_heads), k_heads: narrow(self.k_heads) }
    }

    /// Channels that the scheme rotates at these heads, and how many pairs of each axis they are.
    ///
    /// # Errors
    /// If the scheme is not defined for these heads and parameters.
    pub(super) fn rotated(&self, scheme: &Scheme) -> Result<(usize, Vec<usize>), HeadError> {
        let parameters = Parameters::resolve(scheme, &self.parameters)?;
        let sizes = HeadSizes::new(scheme, &parameters, self.heads())?;
        let mut pairs = vec![0; scheme.axes.len()];
        for axis in sizes.rows()?.first().into_iter().flatten() {
            if let Some(count) = pairs.get_mut(usize::from(*axis)) {
                *count += 1;
            }
        }
        Ok((sizes.rotary_dim as usize, pairs))
    }
}

/// A name whose numbers are in the order of their values, and not of their digits.
pub(super) fn natural(name: &str) -> String {
    let mut key = String::new();
    for part in name.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
        if !digits.is_empty() {
            key.push_str(&format!("{digits:0>6}"));
        }
        key.push_str(&part[digits.len()..]);
    }
    key
}
