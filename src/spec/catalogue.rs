//! `spec/invariants.yaml`: what a scheme can be asked, by name.

use std::sync::Arc;

use super::diagnostic::{Sink, SourceFile, SpecError, SpecErrors};
use super::fields::{Fields, is_kebab};
use super::model::Scope;
use super::yaml::{self, Key, Node};

/// One named invariant. Its formulas are resolved against each scheme that states it.
#[derive(Debug, Clone)]
pub struct CatalogueEntry {
    /// Kebab-case id.
    pub id: String,
    /// What it says, for people.
    pub statement: String,
    /// Where it comes from.
    pub source: String,
    /// Mistakes that it finds.
    pub catches: String,
    /// Mistakes that it cannot find.
    pub cannot_catch: String,
    /// Every scheme must state it, as holding or as failing.
    pub required: bool,
    pub(super) content: CatalogueContent,
}

/// What an invariant says, before names are resolved.
#[derive(Debug, Clone)]
pub(super) struct CatalogueContent {
    pub scope: Scope,
    pub when: Option<Node>,
    pub claim: ClaimNode,
}

/// `holds` or `equals`.
#[derive(Debug, Clone)]
pub(super) enum ClaimNode {
    Holds(Node),
    Equals(Node),
}

/// All named invariants, in file order.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    entries: Vec<CatalogueEntry>,
}

impl Catalogue {
    /// Reads the catalogue.
    ///
    /// # Errors
    /// Every mistake in the file.
    pub fn load(file: &Arc<SourceFile>) -> Result<Self, SpecErrors> {
        let root = yaml::parse(file)?;
        let mut sink = Sink::default();
        let mut entries = Vec::new();
        for (key, node) in root.map("the catalogue of invariants")? {
            entries.extend(sink.take(Self::entry(key, node)));
        }
        sink.finish(Some(Catalogue { entries }))
    }

    /// The same entries, none of them required.
    pub(super) fn without_requirements(&self) -> Self {
        let entries = self.entries.iter().map(|entry| CatalogueEntry { required: false, ..entry.clone() });
        Catalogue { entries: entries.collect() }
    }

    fn entry(key: &Key, node: &Node) -> Result<CatalogueEntry, SpecError> {
        check_id(key)?;
        let mut sink = Sink::default();
        let mut fields = Fields::new(node, "an invariant of the catalogue")?;
        let statement = fields.required_text("statement", &mut sink);
        let source = fields.required_text("source", &mut sink);
        let catches = fields.required_text("catches", &mut sink);
        let cannot_catch = fields.required_text("cannot_catch", &mut sink);
        let required = fields.optional("required").map(|node| node.truth("`required`")).transpose()?.unwrap_or(false);
        let content = content(&mut fields)?;
        fields.finish(&mut sink);
        if let Some(error) = sink.first() {
            return Err(error);
        }
        Ok(CatalogueEntry { id: key.text.clone(), statement, source, catches, cannot_catch, required, content })
    }

    /// Every entry, in file order.
    #[must_use]
    pub fn entries(&self) -> &[CatalogueEntry] {
        &self.entries
    }

    /// The entry of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&CatalogueEntry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// Every id, in file order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.id.as_str())
    }
}

/// Checks that an id is kebab-case.
pub(super) fn check_id(key: &Key) -> Result<(), SpecError> {
    if is_kebab(&key.text) {
        return Ok(());
    }
    let message = format!("expected an id of lower-case letters, digits and `-`, found `{}`", key.text);
    Err(SpecError::new(&key.location, message))
}

/// `for`, `when`, and one of `holds` and `equals`.
pub(super) fn content(fields: &mut Fields<'_>) -> Result<CatalogueContent, SpecError> {
    let scope = fields.optional("for");
    let when = fields.optional("when").cloned();
    let claim = match (fields.entry("holds"), fields.entry("equals")) {
        (Some((_, node)), None) => ClaimNode::Holds(node.clone()),
        (None, Some((_, node))) => ClaimNode::Equals(node.clone()),
        (None, None) => return Err(fields.missing("holds").note("or `equals`, with the name of a scheme")),
        (Some(_), Some((key, _))) => {
            return Err(SpecError::new(&key.location, "expected `holds` or `equals`, found both"));
        }
    };
    let scope = match (scope, &claim) {
        (Some(node), ClaimNode::Equals(_)) => {
            return Err(node.error("`equals` compares every token: it has no `for`"));
        }
        (None, ClaimNode::Equals(_)) => Scope::Token,
        (None, ClaimNode::Holds(_)) => return Err(fields.missing("for")),
        (Some(node), ClaimNode::Holds(_)) => node.one_of("scope", &Scope::ALL.map(|scope| (scope.name(), scope)))?,
    };
    Ok(CatalogueContent { scope, when, claim })
}
