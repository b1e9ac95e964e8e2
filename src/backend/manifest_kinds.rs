//! What values of a manifest must be: how they are read, and how JSON Schema says it.

use std::fmt;
use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::spec::suggest::choose;

/// Reads a value, or says what was expected.
type Read<'k, T> = Box<dyn Fn(&RawValue) -> Result<T, String> + 'k>;

/// What a value must be.
pub(super) struct Kind<'k, T> {
    /// As JSON Schema.
    pub(super) schema: Value,
    read: Read<'k, T>,
}

impl<'k, T> Kind<'k, T> {
    pub(super) fn new(schema: Value, read: impl Fn(&RawValue) -> Result<T, String> + 'k) -> Kind<'k, T> {
        Kind { schema, read: Box::new(read) }
    }

    /// Reads one.
    pub(super) fn read(&self, json: &RawValue) -> Result<T, String> {
        (self.read)(json)
    }

    /// The JSON Schema of a list of these, of `least` entries or more and none twice.
    pub(super) fn list(&self, least: usize) -> Value {
        json!({"type": "array", "items": self.schema, "minItems": least, "uniqueItems": true})
    }
}

/// A value of this type, if that is what is written.
pub(super) fn value<T: DeserializeOwned>(json: &RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}

pub(super) fn expected(what: impl fmt::Display, found: &RawValue) -> String {
    let found: Vec<&str> = found.get().split_whitespace().collect();
    format!("expected {what}, found {:.60}", found.join(" "))
}

/// `true` or `false`.
pub(super) fn truth() -> Kind<'static, bool> {
    Kind::new(json!({"type": "boolean"}), |json| value(json).ok_or_else(|| expected("true or false", json)))
}

/// One of these words.
pub(super) fn word<'k, T: Copy>(words: &'k [(&'k str, T)]) -> Kind<'k, T> {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    Kind::new(json!({"enum": names}), move |json| {
        let text: String = value(json).ok_or_else(|| expected(format!("one of {}", names.join(", ")), json))?;
        choose("value", &text, words)
    })
}

/// An integer within bounds.
pub(super) fn integer(within: RangeInclusive<i64>) -> Kind<'static, i64> {
    let (least, most) = (*within.start(), *within.end());
    Kind::new(json!({"type": "integer", "minimum": least, "maximum": most}), move |json| {
        let what = match (least, most) {
            (i64::MIN, most) => format!("an integer of at most {most}"),
            (least, i64::MAX) => format!("an integer of at least {least}"),
            (least, most) => format!("an integer from {least} to {most}"),
        };
        value(json).filter(|number| within.contains(number)).ok_or_else(|| expected(what, json))
    })
}
