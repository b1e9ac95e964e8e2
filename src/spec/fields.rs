//! A map whose keys are known: each is taken once, what is left over is an error with a suggestion.

use crate::numeric::Number;

use super::diagnostic::{Location, Sink, SpecError};
use super::suggest::choose;
use super::yaml::{Key, Node, Value};

/// A map that is being read. Call [`Fields::finish`] at the end.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    entries: &'a [(Key, Node)],
    place: &'a str,
    location: &'a Location,
    known: Vec<&'a str>,
    head: Option<Location>,
}

impl<'a> Fields<'a> {
    /// Reads a node as a map. `place` is what messages call it, such as "a parameter".
    pub(crate) fn new(node: &'a Node, place: &'a str) -> Result<Self, SpecError> {
        Ok(Fields { entries: node.map(place)?, place, location: &node.location, known: Vec::new(), head: None })
    }

    /// Says where a missing key is reported.
    pub(crate) fn set_head(&mut self, head: Location) {
        self.head = Some(head);
    }

    /// Value of an optional key.
    pub(crate) fn optional(&mut self, key: &'a str) -> Option<&'a Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// Key and value of an optional key.
    pub(crate) fn entry(&mut self, key: &'a str) -> Option<(&'a Key, &'a Node)> {
        self.known.push(key);
        self.entries.iter().find(|(other, _)| other.text == key).map(|(key, node)| (key, node))
    }

    /// Value of a key that must be there.
    pub(crate) fn required(&mut self, key: &'a str) -> Result<&'a Node, SpecError> {
        self.optional(key).ok_or_else(|| self.missing(key))
    }

    /// An error that says that a key is missing.
    pub(crate) fn missing(&self, key: &str) -> SpecError {
        SpecError::new(&self.head(), format!("{} needs the key `{key}`", self.place))
    }

    /// Text of an optional key; "" if absent.
    pub(crate) fn text(&mut self, key: &'a str, sink: &mut Sink) -> String {
        let node = self.optional(key);
        node.and_then(|node| sink.take(node.text(&format!("text for `{key}`")))).unwrap_or_default().to_owned()
    }

    /// Text of a key that must be there; "" if it is not, with the mistake noted.
    pub(crate) fn required_text(&mut self, key: &'a str, sink: &mut Sink) -> String {
        if self.optional(key).is_none() {
            sink.push(self.missing(key));
        }
        self.text(key, sink)
    }

    /// Notes every key that was never asked for.
    pub(crate) fn finish(self, sink: &mut Sink) {
        for (key, _) in self.entries {
            if !self.known.contains(&key.text.as_str()) {
                sink.push(self.unknown(key));
            }
        }
    }

    fn unknown(&self, key: &Key) -> SpecError {
        let mut known = self.known.clone();
        known.dedup();
        SpecError::new(&key.location, format!("{} has no key `{}`", self.place, key.text))
            .suggest(&key.text, known.iter().copied())
            .note(format!("keys here: {}", known.join(" ")))
    }

    /// Start of the map, if nothing else was set: its first own key, so that an excerpt stays short.
    pub(crate) fn head(&self) -> Location {
        if let Some(head) = &self.head {
            return head.clone();
        }
        // Not a key that comes from the defaults file.
        let own = self.entries.iter().map(|(key, _)| &key.location).find(|at| at.file == self.location.file);
        own.unwrap_or(self.location).clone()
    }
}

impl Node {
    /// An exact number.
    ///
    /// # Errors
    /// If it is none.
    pub fn number(&self, what: &str) -> Result<Number, SpecError> {
        let text = self.text(what)?;
        Number::parse(text).map_err(|_| self.error(format!("expected {what} (a number), found `{text}`")))
    }

    /// A whole number from 0.
    ///
    /// # Errors
    /// If it is none, or too large.
    pub fn count(&self, what: &str) -> Result<usize, SpecError> {
        let text = self.text(what)?;
        let found = || self.error(format!("expected {what} (a whole number from 0), found `{text}`"));
        text.parse::<u32>().map(|value| value as usize).map_err(|_| found())
    }

    /// `true` or `false`, without quotes.
    ///
    /// # Errors
    /// If it is neither.
    pub fn truth(&self, what: &str) -> Result<bool, SpecError> {
        match &self.value {
            Value::Scalar { text, plain: true } if text == "true" => Ok(true),
            Value::Scalar { text, plain: true } if text == "false" => Ok(false),
            Value::Scalar { text, .. } if !text.is_empty() => {
                Err(self.error(format!("expected {what} (true or false), found `{text}`")))
            }
            _ => Err(self.error(format!("expected {what} (true or false), found {}", self.kind()))),
        }
    }

    /// What a word of a closed list stands for.
    ///
    /// # Errors
    /// If it is none of the list, with the word that may have been meant.
    pub fn one_of<T: Copy>(&self, what: &str, all: &[(&str, T)]) -> Result<T, SpecError> {
        choose(what, self.text(what)?, all).map_err(|why| self.error(why))
    }

    /// A list of texts; a single scalar is a list of one.
    ///
    /// # Errors
    /// If it is a map, or an element is no text.
    pub fn texts(&self, what: &str) -> Result<Vec<String>, SpecError> {
        match &self.value {
            Value::Scalar { .. } => Ok(vec![self.text(what)?.to_owned()]),
            _ => self.list(what)?.iter().map(|node| Ok(node.text(what)?.to_owned())).collect(),
        }
    }
}

/// Whether a text is kebab-case: lower-case letters, digits and dots in parts joined by single `-`.
pub(crate) fn is_kebab(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.')
    };
    text.len() <= 64 && text.split('-').all(part)
}

/// Whether a text can be a name in a formula.
pub(super) fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.len() <= 64
}
