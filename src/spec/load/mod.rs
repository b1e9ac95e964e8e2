//! A scheme file to [`Scheme`]s, one per profile.

mod axis_map;
mod coverage;
mod formula;
mod invariants;
mod offer;
mod overlay;
mod parameters;
mod per_pair;
mod positions;

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::catalogue::Catalogue;
use super::diagnostic::{Location, Sink, SourceFile, SpecError, SpecErrors};
use super::expr::Expr;
use super::fields::{Fields, is_identifier, is_kebab};
use super::hf_names::HfNames;
use super::meaning::hex;
use super::model::{Pairing, PerPair, Running, Scheme, Source};
use super::yaml::{self, Node};

pub(super) use invariants::Reference;
use offer::OfferContext;

/// Keys that a profile cannot replace.
const FIXED: [&str; 4] = ["scheme", "profile", "profiles", "aliases"];
/// Names that are keys of a position rule.
const RULE_KEYS: [&str; 4] = ["let", "every", "advance", "next"];
/// Which runs take a scheme: the value is [`Scheme::by_name`].
const JUDGED: [(&str, bool); 2] = [("always", false), ("by-name", true)];
const RUNNING: [(&str, Running); 2] = [("shared", Running::Shared), ("per-axis", Running::PerAxis)];

/// What a file holds: its scheme under each profile, the default profile first.
#[derive(Debug)]
pub(super) struct LoadedSchemes {
    pub schemes: Vec<Scheme>,
    pub references: Vec<Reference>,
    /// Where the name of the scheme stands.
    pub head: Location,
}

/// Reads one scheme file. `defaults` is the tree of the defaults file.
///
/// # Errors
/// Every mistake that was found.
pub(super) fn load(
    file: &Arc<SourceFile>,
    defaults: &Node,
    catalogue: &Catalogue,
) -> Result<LoadedSchemes, SpecErrors> {
    let root = yaml::parse(file)?;
    root.map("a scheme")?;
    let mut sink = Sink::default();
    let mut references = Vec::new();
    let base = overlay::overlay(defaults, &root);
    let sha256 = hex(&Sha256::digest(file.text.as_bytes()));
    let mut schemes = Vec::new();
    let name = root.get("profile").and_then(|node| sink.take(name_of(node, "a profile")));
    let name = name.unwrap_or_else(|| "default".to_owned());
    schemes.push(scheme(&base, file, &sha256, &name, true, catalogue, &mut references, &mut sink));
    let profiles = root.get("profiles").and_then(|node| sink.take(node.map("`profiles`"))).unwrap_or(&[]);
    for (key, node) in profiles {
        if let Err(error) = check_profile(&key.text, node, &name, &key.location) {
            sink.push(error);
            continue;
        }
        let tree = overlay::overlay(&base, node);
        schemes.push(scheme(&tree, file, &sha256, &key.text, false, catalogue, &mut references, &mut sink));
    }
    let head = root.get("scheme").map_or_else(|| root.location.clone(), |node| node.location.clone());
    let schemes: Option<Vec<Scheme>> = schemes.into_iter().collect();
    sink.finish(schemes.map(|schemes| LoadedSchemes { schemes, references, head }))
}

/// Reads a scheme under `profile` with `patch` laid over it, as a profile of its own would be: how a fault changes a scheme.
/// Statements about the scheme are kept as they are, and need not be true any more.
///
/// # Errors
/// Every mistake in the result.
pub(super) fn patched(
    file: &Arc<SourceFile>,
    defaults: &Node,
    catalogue: &Catalogue,
    profile: &str,
    patch: &Node,
) -> Result<Scheme, SpecErrors> {
    let root = yaml::parse(file)?;
    let mut tree = overlay::overlay(defaults, &root);
    let own = root.get("profiles").and_then(|profiles| profiles.get(profile));
    if let Some(own) = own {
        tree = overlay::overlay(&tree, own);
    }
    let mut sink = Sink::default();
    if let Err(error) = check_profile("patched", patch, profile, &patch.location) {
        sink.push(error);
        return sink.finish(None);
    }
    let tree = overlay::overlay(&tree, patch);
    let sha256 = hex(&Sha256::digest(file.text.as_bytes()));
    let scheme = scheme(&tree, file, &sha256, profile, own.is_none(), catalogue, &mut Vec::new(), &mut sink);
    sink.finish(scheme)
}

fn name_of(node: &Node, what: &str) -> Result<String, SpecError> {
    let text = node.text(&format!("the name of {what}"))?;
    if !is_kebab(text) {
        let message = format!("expected a name of lower-case letters, digits, `.` and `-`, found `{text}`");
        return Err(node.error(message));
    }
    Ok(text.to_owned())
}

fn check_profile(name: &str, node: &Node, default: &str, location: &Location) -> Result<(), SpecError> {
    if !is_kebab(name) {
        let message = format!("expected a name of lower-case letters, digits, `.` and `-`, found `{name}`");
        return Err(SpecError::new(location, message));
    }
    if name == default {
        return Err(SpecError::new(location, format!("`{name}` is the profile that the file itself states")));
    }
    for (key, _) in node.map("a profile")? {
        if FIXED.contains(&key.text.as_str()) {
            return Err(SpecError::new(&key.location, format!("a profile cannot change `{}`", key.text)));
        }
    }
    Ok(())
}

/// Reads the merged tree of one profile.
#[allow(clippy::too_many_arguments)]
fn scheme(
    root: &Node,
    file: &Arc<SourceFile>,
    sha256: &str,
    profile: &str,
    is_default_profile: bool,
    catalogue: &Catalogue,
    references: &mut Vec<Reference>,
    sink: &mut Sink,
) -> Option<Scheme> {
    let mut fields = sink.take(Fields::new(root, "a scheme"))?;
    let head = fields.entry("scheme").map_or_else(|| fields.head(), |(key, _)| key.location.clone());
    fields.set_head(head.clone());
    let name = fields.required("scheme").and_then(|node| name_of(node, "a scheme"));
    let name = sink.take(name);
    fields.optional("profile");
    fields.optional("profiles");
    let aliases = fields
        .optional("aliases")
        .map_or(Ok(Vec::new()), |node| node.list("aliases")?.iter().map(|alias| name_of(alias, "an alias")).collect());
    let aliases = sink.take(aliases);
    let judged = fields.optional("judged").map_or(Ok(false), |node| node.one_of("kind of run", &JUDGED));
    let by_name = sink.take(judged);
    let title = fields.required_text("title", sink);
    let sources = fields.required("sources").and_then(sources);
    let sources = sink.take(sources);
    let errata = fields.optional("errata").map_or(Ok(Vec::new()), |node| node.texts("errata"));
    let errata = sink.take(errata);
    let axes_node = sink.take(fields.required("axes"));
    let axes = axes_node.and_then(|node| sink.take(axes(node)));
    let unrotated = fields.optional("unrotated");
    let running =
        sink.take(fields.required("running").and_then(|node| node.one_of("kind of running position", &RUNNING)));
    let pairing = sink.take(fields.required("pairing").and_then(|node| node.one_of("pairing", &Pairing::NAMES)));
    let own_parameters = fields.optional("parameters");
    let positions = sink.take(fields.required("positions"));
    let rotary_dim = sink.take(fields.required("rotary_dim"));
    let rotary_offset = sink.take(fields.required("rotary_offset"));
    let map_node = sink.take(fields.required("axis_map"));
    let limits_node = fields.optional("pairs");
    let frequencies = sink.take(fields.required("frequencies"));
    let attention_scaling = sink.take(fields.required("attention_scaling"));
    let hf = fields.optional("hf");
    let own_invariants = fields.optional("invariants");
    fields.finish(sink);
    // From here on everything needs the axes.
    let (axes, running) = (axes?, running?);

    let mut fields = sink.take(Fields::new(frequencies?, "`frequencies`"))?;
    let base = fields.entry("base");
    let inv_freq_node = sink.take(fields.required("inv_freq"));
    let per_pair_node = fields.optional("per_pair");
    fields.finish(sink);
    let before = sink.len();
    let parameters = parameters::load(base, own_parameters, &axes, sink);
    if sink.len() > before {
        // Formulas that use a broken parameter would only repeat the mistake.
        return None;
    }
    let known = parameters::known(&parameters);
    let names: Vec<&str> = parameters.iter().map(|one| one.name.as_str()).collect();
    let hf = HfNames::load(hf, &axes, &names, sink);
    let context = OfferContext { axes: &axes, parameters: &known, running };
    let positions = positions::load(positions?, &context, &head, sink);
    let axis_map = map_node.and_then(|node| axis_map::load(node, &context, sink));
    let pairs = axis_map::limits(limits_node, axis_map.as_ref(), sink);
    let per_pair = per_pair::load(per_pair_node, &context, sink);
    let pairs = per_pair::limits(per_pair_node, per_pair.as_deref().unwrap_or_default(), pairs, sink);
    let rotary_dim_formula = sink.take(formula::number(rotary_dim?, &context.rotary_dim()));
    let rotary_offset = sink.take(formula::number(rotary_offset?, &context.plan("`rotary_offset`")));
    // A formula that uses a broken number would only repeat the mistake.
    let inv_freq = inv_freq_node.zip(per_pair.as_ref()).and_then(|(node, all)| inv_freq(node, &context, all, sink));
    let scaling = sink.take(formula::number(attention_scaling?, &context.of_a_sequence("`attention_scaling`")));
    let unrotated_axes = unrotated.map_or(Ok(Vec::new()), |node| unrotated_axes(node, &context));
    let unrotated_axes = sink.take(unrotated_axes);
    let positions = positions?;
    let around = invariants::SchemeParts {
        context: &context,
        catalogue,
        parameters: &parameters,
        video: &positions.video,
        image: positions.image.as_ref(),
    };
    let invariants = invariants::load(own_invariants, &around, &head, references, sink);
    let places = coverage::SchemePlaces {
        axes: axes_node?.location.clone(),
        axis_map: map_node?.location.clone(),
        frequencies: inv_freq_node?.location.clone(),
        parameters: own_parameters.unwrap_or(root).location.clone(),
        rotary_dim: rotary_dim?.location.clone(),
        attention_scaling: attention_scaling?.location.clone(),
        pairs: limits_node.or(map_node)?.location.clone(),
    };
    let mut scheme = Scheme {
        name: name?,
        profile: profile.to_owned(),
        is_default_profile,
        by_name: by_name?,
        aliases: aliases?,
        title,
        sources: sources?,
        errata: errata?,
        parameters,
        axes: axes.clone(),
        running,
        text: positions.text,
        image: positions.image,
        video: positions.video,
        pairing: pairing?,
        rotary_dim: rotary_dim_formula?,
        rotary_offset: rotary_offset?,
        axis_map: axis_map?,
        pairs: pairs?,
        per_pair: per_pair?,
        inv_freq: inv_freq?,
        attention_scaling: scaling?,
        hf: hf?,
        invariants,
        file: file.name.clone(),
        sha256: sha256.to_owned(),
        meaning: String::new(),
    };
    scheme.meaning = scheme.hashed();
    coverage::check(&scheme, &unrotated_axes?, &places, sink);
    Some(scheme)
}

fn sources(node: &Node) -> Result<Vec<Source>, SpecError> {
    const KINDS: [&str; 4] = ["paper", "code", "text", "ours"];
    let items = node.list("sources")?;
    if items.is_empty() {
        return Err(node.error("expected at least one source, found none"));
    }
    let one = |item: &Node| {
        let mut sink = Sink::default();
        let mut fields = Fields::new(item, "a source")?;
        let section = fields.optional("section").map(|node| Ok(node.text("a section")?.to_owned())).transpose()?;
        let found: Vec<_> = KINDS.iter().filter_map(|kind| fields.entry(kind)).collect();
        let head = fields.head();
        fields.finish(&mut sink);
        if let Some(error) = sink.first() {
            return Err(error);
        }
        match found[..] {
            [(kind, reference)] => {
                Ok(Source { kind: kind.text.clone(), reference: reference.text("a reference")?.to_owned(), section })
            }
            _ => Err(SpecError::new(&head, format!("a source has one of the keys {}", KINDS.join(" ")))),
        }
    };
    items.iter().map(one).collect()
}

fn axes(node: &Node) -> Result<Vec<String>, SpecError> {
    let mut axes: Vec<String> = Vec::new();
    let items = node.list("axes")?;
    if items.is_empty() || items.len() > 16 {
        return Err(node.error(format!("expected 1 to 16 axes, found {}", items.len())));
    }
    for item in items {
        let name = item.text("an axis")?;
        if !is_identifier(name) {
            return Err(item.error(format!("expected an axis name (letters, digits and `_`), found `{name}`")));
        }
        if name == "none" || name == "axis" || RULE_KEYS.contains(&name) {
            return Err(item.error(format!("an axis cannot be called `{name}`: that word is a key")));
        }
        if axes.iter().any(|axis| axis == name) {
            return Err(item.error(format!("there are two axes `{name}`")));
        }
        axes.push(name.to_owned());
    }
    Ok(axes)
}

fn unrotated_axes(node: &Node, context: &OfferContext<'_>) -> Result<Vec<usize>, SpecError> {
    let find = |item: &Node| {
        let name = item.text("an axis")?;
        let axes = context.axes.iter().map(String::as_str);
        context.axis(name).ok_or_else(|| item.error(format!("there is no axis `{name}`")).suggest(name, axes))
    };
    node.list("axes")?.iter().map(find).collect()
}

/// One formula for all axes, or one per axis.
fn inv_freq(node: &Node, context: &OfferContext<'_>, per_pair: &[PerPair], sink: &mut Sink) -> Option<Vec<Expr>> {
    let per_pair: Vec<String> = per_pair.iter().map(|one| one.name.clone()).collect();
    let names = context.frequency("`inv_freq`", &per_pair);
    if node.map("").is_err() {
        return Some(vec![sink.take(formula::number(node, &names))?]);
    }
    let mut fields = sink.take(Fields::new(node, "`inv_freq`"))?;
    let mut formulas = Vec::new();
    for axis in context.axes {
        match fields.optional(axis) {
            Some(node) => formulas.extend(sink.take(formula::number(node, &names))),
            None => sink.push(fields.missing(axis)),
        }
    }
    fields.finish(sink);
    (formulas.len() == context.axes.len()).then_some(formulas)
}
