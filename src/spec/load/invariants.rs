//! `invariants:`, what a scheme states about itself.

use crate::numeric::Number;
use crate::spec::catalogue::{self, Catalogue, CatalogueContent, ClaimNode};
use crate::spec::diagnostic::{Location, Sink, SpecError};
use crate::spec::expr::Type;
use crate::spec::fields::Fields;
use crate::spec::model::{Claim, Invariant, Parameter, Scope, Stated, VisualRule};
use crate::spec::witness;
use crate::spec::yaml::{Key, Node};

use super::formula::formula;
use super::offer::{KnownLet, OfferContext};

/// An `equals` that has to be looked up once all schemes are known.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub scheme: String,
    pub location: Location,
}

/// What invariants are read against.
pub(super) struct SchemeParts<'a> {
    pub context: &'a OfferContext<'a>,
    pub catalogue: &'a Catalogue,
    pub parameters: &'a [Parameter],
    pub video: &'a VisualRule,
    pub image: Option<&'a VisualRule>,
}

/// Reads `invariants`. `head` is where a missing one is reported.
pub(super) fn load(
    node: Option<&Node>,
    around: &SchemeParts<'_>,
    head: &Location,
    references: &mut Vec<Reference>,
    sink: &mut Sink,
) -> Vec<Invariant> {
    let entries = node.and_then(|node| sink.take(node.map("`invariants`"))).unwrap_or(&[]);
    let mut invariants = Vec::new();
    for (key, node) in entries {
        invariants.extend(sink.take(one(key, node, around, references)));
    }
    let missing: Vec<&str> = around
        .catalogue
        .entries()
        .iter()
        .filter(|entry| entry.required && !entries.iter().any(|(key, _)| key.text == entry.id))
        .map(|entry| entry.id.as_str())
        .collect();
    if !missing.is_empty() {
        let message = format!("the scheme does not say whether it keeps: {}", missing.join(", "));
        let note = "state each as `holds`, or as {fails: LAYOUT} with a layout that shows it";
        sink.push(SpecError::new(head, message).note(note));
    }
    invariants
}

fn one(
    key: &Key,
    node: &Node,
    around: &SchemeParts<'_>,
    references: &mut Vec<Reference>,
) -> Result<Invariant, SpecError> {
    catalogue::check_id(key)?;
    let named = around.catalogue.get(&key.text);
    let line = key.location.line_column().0;
    if node.map("").is_err() {
        let text = node.text("`holds`, or a map")?;
        if text != "holds" {
            let error = node.error(format!("expected `holds` or {{fails: LAYOUT}}, found `{text}`"));
            return Err(error.suggest(text, ["holds"]));
        }
        let entry = named.ok_or_else(|| unknown(key, around.catalogue))?;
        return build(
            key,
            &entry.content,
            entry.statement.clone(),
            (Vec::new(), None),
            Stated::Holds,
            line,
            around,
            references,
        );
    }
    let mut sink = Sink::default();
    let mut fields = Fields::new(node, "an invariant")?;
    let verdict = match fields.optional("fails") {
        None => Stated::Holds,
        Some(node) => {
            let witness = node.text("a layout")?.to_owned();
            witness::check(&witness).map_err(|message| node.error(format!("this is no layout: {message}")))?;
            Stated::Fails { witness }
        }
    };
    let with_node = fields.optional("with");
    let with = with_node.map_or(Ok(Vec::new()), |node| with(node, around))?;
    let like = fields.optional("like");
    let statement = fields.text("statement", &mut sink);
    let (content, statement) = match (named, like) {
        (Some(_), Some(node)) => return Err(node.error("an invariant of the catalogue cannot be `like` another")),
        (Some(entry), None) => (entry.content.clone(), entry.statement.clone()),
        (None, Some(node)) => {
            let id = node.text("an invariant")?;
            let entry = around.catalogue.get(id).ok_or_else(|| {
                node.error(format!("the catalogue has no invariant `{id}`")).suggest(id, around.catalogue.ids())
            })?;
            let statement = if statement.is_empty() { entry.statement.clone() } else { statement };
            (entry.content.clone(), statement)
        }
        (None, None) if statement.is_empty() => return Err(unknown(key, around.catalogue)),
        (None, None) => (catalogue::content(&mut fields)?, statement),
    };
    fields.finish(&mut sink);
    if let Some(error) = sink.first() {
        let fixed = named.is_some() || like.is_some();
        return Err(if fixed { error.note("the catalogue says what this invariant is") } else { error });
    }
    let length = with_node.map_or(Ok(None), |node| length(node, content.scope))?;
    let with = (with, length);
    build(key, &content, statement, with, verdict, line, around, references)
}

fn unknown(key: &Key, catalogue: &Catalogue) -> SpecError {
    SpecError::new(&key.location, format!("the catalogue has no invariant `{}`", key.text))
        .suggest(&key.text, catalogue.ids())
        .note("one of the scheme's own needs `statement`, `for` and `holds`")
}

/// What `with` calls the length of the sequence that a statement about frequencies is about.
const LENGTH: &str = "length";

fn length(node: &Node, scope: Scope) -> Result<Option<Number>, SpecError> {
    let Some((key, node)) = node.map("`with`")?.iter().find(|(key, _)| key.text == LENGTH) else { return Ok(None) };
    if scope != Scope::Frequencies {
        let message = "a sequence has the length of its layout: only statements for `frequencies` can set it";
        return Err(SpecError::new(&key.location, message));
    }
    let value = node.number("the length of a sequence")?;
    if value < Number::ONE {
        return Err(node.error(format!("`{LENGTH}` must be at least 1, found {value}")));
    }
    Ok(Some(value))
}

fn with(node: &Node, around: &SchemeParts<'_>) -> Result<Vec<(String, Number)>, SpecError> {
    let mut values = Vec::new();
    for (key, node) in node.map("`with`")? {
        if key.text == LENGTH {
            continue;
        }
        let parameter = around.parameters.iter().find(|parameter| parameter.name == key.text).ok_or_else(|| {
            let names = around.parameters.iter().map(|parameter| parameter.name.as_str());
            SpecError::new(&key.location, format!("the scheme has no parameter `{}`", key.text))
                .suggest(&key.text, names)
        })?;
        let value = node.number(&format!("a value of `{}`", key.text))?;
        parameter.check(&value).map_err(|wrong| node.error(format!("`{}` {wrong}", key.text)))?;
        values.push((key.text.clone(), value));
    }
    Ok(values)
}

#[allow(clippy::too_many_arguments)]
fn build(
    key: &Key,
    content: &CatalogueContent,
    statement: String,
    (with, length): (Vec<(String, Number)>, Option<Number>),
    verdict: Stated,
    line: usize,
    around: &SchemeParts<'_>,
    references: &mut Vec<Reference>,
) -> Result<Invariant, SpecError> {
    let lets = shared_lets(around);
    let names = match content.claim {
        ClaimNode::Holds(_) => around.context.scope(content.scope, &lets),
        ClaimNode::Equals(_) => around.context.segments(),
    };
    let when = content.when.as_ref().map(|node| formula(node, &names, Type::Boolean)).transpose()?;
    let claim = match &content.claim {
        ClaimNode::Holds(node) => Claim::Holds(formula(node, &names, Type::Boolean)?),
        ClaimNode::Equals(node) => {
            let scheme = node.text("the name of a scheme")?.to_owned();
            references.push(Reference { scheme: scheme.clone(), location: node.location.clone() });
            Claim::Equals(scheme)
        }
    };
    let mut names: Vec<_> = when.iter().flat_map(|when| when.names().iter().copied()).collect();
    if let Claim::Holds(claim) = &claim {
        names.extend_from_slice(claim.names());
    }
    let per_axis = names.iter().any(|name| name.is_per_axis());
    let (id, scope) = (key.text.clone(), content.scope);
    Ok(Invariant { id, statement, scope, when, with, length, claim, verdict, per_axis, line })
}

/// The lets that mean the same in the video rule and in the image rule: those of the video rule, up to the first that
/// an image rule of its own does not have at the same place.
fn shared_lets(around: &SchemeParts<'_>) -> Vec<KnownLet> {
    let video = &around.video.lets;
    let shared = match around.image {
        None => video.len(),
        Some(image) => video.iter().zip(&image.lets).take_while(|(a, b)| a.name == b.name).count(),
    };
    video[..shared].iter().map(|one| KnownLet { name: one.name.clone(), tier: one.tier }).collect()
}
