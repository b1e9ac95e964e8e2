//! Known failures, as a configuration states them: which checks on which groups, by which cause, why, and until when.

use std::time::SystemTime;

use schemars::{Schema, json_schema};
use wildmatch::WildMatch;

use super::expected_by::ExpectedBy;
use crate::check::failure::Cause;
use crate::spec::diagnostic::{Sink, SpecError};
use crate::spec::fields::Fields;
use crate::spec::yaml::Node;

/// Most expectations of one file: every failing case is held against each.
const MOST: usize = 1_000;
/// Most characters of a pattern.
const LONGEST: usize = 128;

/// What patterns of an expectation are about.
pub(super) const FIELDS: [&str; 4] = ["check", "scheme", "dtype", "level"];

/// A check on a group, by what it is called in each of [`FIELDS`].
pub(super) type Names<'n> = [&'n str; FIELDS.len()];

/// Every expectation of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectations {
    /// The file, as reports name it.
    pub file: String,
    /// What it states, in its order.
    pub(super) all: Vec<Expectation>,
    /// When the run began, for what is expected until a date.
    pub(super) now: SystemTime,
}

/// Failures that are known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expectation {
    /// Its line in the file.
    pub(super) line: usize,
    /// Names of backends that it is about; none: all.
    pub(super) backends: Vec<Pattern>,
    /// Patterns of [`FIELDS`]; of a field without one everything is meant.
    pub(super) fields: [Vec<Pattern>; FIELDS.len()],
    /// Kinds of causes; none: any.
    pub(super) causes: Vec<String>,
    /// Why it is expected.
    pub(super) reason: String,
    /// Where more is said of it.
    pub(super) link: Option<String>,
    /// The last day on which it is expected, and when that is over.
    pub(super) until: Option<(String, SystemTime)>,
}

/// A name, in which `*` stands for anything and `?` for one character.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    pub(super) text: String,
    /// Its line in the file.
    pub(super) line: usize,
    wild: WildMatch,
}

impl Pattern {
    /// Whether it means a name. A scheme without a profile means all of them.
    pub(super) fn fits(&self, name: &str) -> bool {
        let whole = self.text.contains('@');
        self.wild.matches(name) || !whole && name.split_once('@').is_some_and(|(name, _)| self.wild.matches(name))
    }
}

impl Expectation {
    /// Whether it is about a backend of this name.
    pub(super) fn is_of(&self, backend: &str) -> bool {
        self.backends.is_empty() || self.backends.iter().any(|pattern| pattern.fits(backend))
    }

    /// Whether it is about a check on a group; `only`: of one field this pattern alone.
    pub(super) fn fits(&self, names: Names<'_>, only: Option<(usize, &Pattern)>) -> bool {
        names.iter().zip(&self.fields).enumerate().all(|(at, (name, patterns))| match only {
            Some((field, pattern)) if field == at => pattern.fits(name),
            _ => patterns.is_empty() || patterns.iter().any(|pattern| pattern.fits(name)),
        })
    }

    /// Whether it states a cause of this kind.
    pub(super) fn names(&self, cause: &Cause) -> bool {
        self.causes.is_empty() || self.causes.iter().any(|name| name == cause.name())
    }
}

impl Expectations {
    /// Reads a list of expectations; mistakes go to `sink`.
    pub(crate) fn read(file: &str, node: &Node, now: SystemTime, sink: &mut Sink) -> Expectations {
        let items = sink.take(node.list("expectations")).unwrap_or_default();
        if items.len() > MOST {
            sink.push(node.error(format!("at most {MOST} expectations may stand here, found {}", items.len())));
        }
        let all = items.iter().take(MOST).filter_map(|item| expectation(item, sink)).collect();
        Expectations { file: file.to_owned(), all, now }
    }

    /// What expects a failure of a check on a group; the first that does.
    pub(super) fn expects(&self, backend: &str, names: Names<'_>, cause: &Cause) -> Option<ExpectedBy> {
        let fits = |one: &&Expectation| one.is_of(backend) && one.names(cause) && one.fits(names, None);
        let Expectation { line, reason, link, .. } = self.all.iter().find(fits)?;
        Some(ExpectedBy { line: *line, reason: reason.clone(), link: link.clone() })
    }

    /// The JSON Schema of the list.
    #[must_use]
    pub fn schema() -> Schema {
        let one = |text: &str| json_schema!({"description": text, "type": "string", "minLength": 1});
        let some = |text: &str, item: &serde_json::Value| json_schema!({"description": text, "anyOf": [item, {"type": "array", "items": item, "minItems": 1}]});
        let pattern = serde_json::json!({"type": "string", "minLength": 1, "maxLength": LONGEST});
        let of = |what: &str| some(&format!("{what}, as patterns with * and ?; without it all"), &pattern);
        let mut properties = serde_json::Map::new();
        properties.insert("backend".into(), of("Names of backends, from their manifests").into());
        for name in FIELDS {
            properties.insert(name.into(), of(&format!("What of {name} is meant")).into());
        }
        let causes = serde_json::json!({"enum": Cause::names()});
        properties.insert("cause".into(), some("Kinds of causes; without it any", &causes).into());
        properties.insert("reason".into(), one("Why the failure is expected").into());
        properties.insert("link".into(), one("Where more is said of it").into());
        let until =
            json_schema!({"description": "The last day on which it is expected", "type": "string", "format": "date"});
        properties.insert("until".into(), until.into());
        json_schema!({
            "description": "Failures that are known", "type": "array", "maxItems": MOST,
            "items": {"type": "object", "properties": properties, "required": ["reason"], "additionalProperties": false},
        })
    }
}

fn expectation(node: &Node, sink: &mut Sink) -> Option<Expectation> {
    let mut fields = sink.take(Fields::new(node, "an expectation"))?;
    let backends = patterns(fields.optional("backend"), "backend", sink);
    let of = FIELDS.map(|name| patterns(fields.optional(name), name, sink));
    let causes = fields.optional("cause").map(|node| causes(node, sink)).unwrap_or_default();
    let reason = fields.required_text("reason", sink);
    let link = Some(fields.text("link", sink)).filter(|link| !link.is_empty());
    let until = fields.optional("until").and_then(|node| sink.take(date(node)));
    if of.iter().all(Vec::is_empty) && causes.is_empty() {
        let keys = FIELDS.join(", ");
        sink.push(node_head(&fields, format!("an expectation of everything hides everything: say {keys} or cause")));
    }
    fields.finish(sink);
    let line = node.location.line_column().0;
    Some(Expectation { line, backends, fields: of, causes, reason, link, until })
}

fn node_head(fields: &Fields<'_>, message: String) -> SpecError {
    SpecError::new(&fields.head(), message)
}

/// A scalar, or those of a list that is not empty.
fn scalars<'n>(node: &'n Node, what: &str, sink: &mut Sink) -> Vec<&'n Node> {
    let items = match node.list(what) {
        Ok([]) => {
            sink.push(node.error(format!("expected {what}, found an empty list")));
            return Vec::new();
        }
        Ok(items) => items.iter().collect(),
        Err(_) => vec![node],
    };
    items.into_iter().filter(|item| sink.take(item.text(what)).is_some()).collect()
}

fn patterns(node: Option<&Node>, what: &str, sink: &mut Sink) -> Vec<Pattern> {
    let what = format!("a pattern of {what}");
    let items = node.map(|node| scalars(node, &what, sink)).unwrap_or_default();
    let mut all = Vec::new();
    for item in items {
        let Ok(text) = item.text(&what) else { continue };
        if text.len() > LONGEST {
            sink.push(item.error(format!("{what} may have {LONGEST} bytes, this one has {}", text.len())));
            continue;
        }
        let line = item.location.line_column().0;
        all.push(Pattern { text: text.to_owned(), line, wild: WildMatch::new(text) });
    }
    all
}

fn causes(node: &Node, sink: &mut Sink) -> Vec<String> {
    let all: Vec<(&str, &str)> = Cause::names().into_iter().map(|name| (name, name)).collect();
    let items = scalars(node, "a kind of cause", sink);
    items.into_iter().filter_map(|item| sink.take(item.one_of("cause", &all))).map(str::to_owned).collect()
}

/// A day, and the moment in which it is over everywhere in UTC.
fn date(node: &Node) -> Result<(String, SystemTime), SpecError> {
    let text = node.text("a date")?;
    let over = humantime::parse_rfc3339(&format!("{text}T23:59:59Z")).ok().filter(|_| text.len() == 10);
    let over = over.ok_or_else(|| node.error(format!("expected a date such as 2027-01-31, found `{text:.40}`")))?;
    Ok((text.to_owned(), over))
}
