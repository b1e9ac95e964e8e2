//! The JSON of a manifest, read value by value, so that no mistake hides another.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::manifest::{Integers, ManifestError, ManifestMistake};
use super::manifest_kinds::{Kind, expected, integer, truth};
use crate::spec::suggest::hint;

const MAX_BYTES: usize = 1 << 20;
/// Most mistakes that are kept, and most characters of each.
const MOST_MISTAKES: usize = 100;
const MOST_CHARACTERS: usize = 800;

/// The mistakes that were found so far; or, where there is no manifest and only the way in which one is read,
/// its JSON Schema as far as it was asked for.
#[derive(Default)]
pub(super) struct Mistakes {
    found: RefCell<BTreeSet<ManifestMistake>>,
    schema: Option<RefCell<Value>>,
}

impl Mistakes {
    pub(super) fn note(&self, place: &str, what: impl fmt::Display) {
        let mut all = self.found.borrow_mut();
        if all.len() < MOST_MISTAKES {
            let what = format!("{:.MOST_CHARACTERS$}", what.to_string().replace(char::is_control, " "));
            all.insert(ManifestMistake { place: place.to_owned(), what });
        }
    }

    /// The value of a result, or nothing with its mistake noted.
    pub(super) fn take<T>(&self, place: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|why| self.note(place, why)).ok()
    }

    /// `value`, if there was no mistake.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, ManifestError> {
        let mistakes = self.found.into_inner();
        value.filter(|_| mistakes.is_empty()).ok_or_else(|| ManifestError(mistakes.into_iter().collect()))
    }

    /// The JSON Schema of what `read` asks for.
    pub(super) fn schema(read: impl FnOnce(Object)) -> Value {
        let mistakes = Mistakes { schema: Some(RefCell::new(json!({"type": "object"}))), ..Mistakes::default() };
        read(mistakes.empty(String::new(), String::new()));
        mistakes.schema.map(RefCell::into_inner).unwrap_or_default()
    }

    fn empty(&self, place: String, pointer: String) -> Object<'_> {
        Object { place, pointer, members: Vec::new(), known: Vec::new(), mistakes: self }
    }

    /// The object that a text holds.
    pub(super) fn top<'a>(&'a self, text: &'a str) -> Option<Object<'a>> {
        let read = match text.len() {
            0..=MAX_BYTES => serde_json::from_str(text).map_err(|e| format!("the manifest is not JSON: {e}")),
            more => Err(format!("the manifest has {more} bytes, more than {MAX_BYTES}")),
        };
        self.object(String::new(), self.take("", read)?)
    }

    pub(super) fn object<'a>(&'a self, place: String, json: &'a RawValue) -> Option<Object<'a>> {
        let read = serde_json::from_str(json.get()).map_err(|_| expected("an object", json));
        let Members(members) = self.take(&place, read)?;
        let object = Object { members, ..self.empty(place, String::new()) };
        let mut keys = BTreeSet::new();
        for (key, _) in object.members.iter().filter(|(key, _)| !keys.insert(key)) {
            self.note(&object.at(key), "expected once, found twice");
        }
        Some(object)
    }
}

/// The members of an object as they stand: serde_json would silently take the last of those with the same key.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                std::iter::from_fn(|| map.next_entry().transpose()).collect::<Result<_, _>>().map(Members)
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// An object, read key by key. What is absent, or cannot be read, is `None`; the latter is noted.
pub(super) struct Object<'a> {
    pub(super) place: String,
    /// Where its JSON Schema stands, if one is made.
    pointer: String,
    members: Vec<(String, &'a RawValue)>,
    /// Keys that were asked for.
    known: Vec<&'static str>,
    pub(super) mistakes: &'a Mistakes,
}

impl<'a> Object<'a> {
    pub(super) fn at(&self, key: &str) -> String {
        let dot = if self.place.is_empty() { "" } else { "." };
        format!("{}{dot}{:.60}", self.place, key.escape_debug().to_string())
    }

    fn member(&mut self, key: &'static str) -> Option<&'a RawValue> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.members.iter().find(|(name, _)| name == key).map(|(_, json)| *json)
    }

    /// Whether nothing is read, and only its JSON Schema is made.
    pub(super) fn makes_schema(&self) -> bool {
        self.mistakes.schema.is_some()
    }

    /// Puts a value into the JSON Schema of the object, if one is made.
    fn record(&self, value: impl FnOnce(&mut Value)) {
        if let Some(root) = &self.mistakes.schema
            && let Some(here) = root.borrow_mut().pointer_mut(&self.pointer)
        {
            value(here);
        }
    }

    /// The same of a key.
    fn property(&self, key: &str, schema: impl FnOnce() -> Value) {
        self.record(|here| here["properties"][key] = schema());
    }

    /// Something else that must hold of the object, as JSON Schema: a reader asks for what it can, and notes
    /// the rest.
    pub(super) fn rule(&self, schema: impl FnOnce() -> Value) {
        self.record(|here| match &mut here["allOf"] {
            Value::Array(rules) => rules.push(schema()),
            none => *none = json!([schema()]),
        });
    }

    /// An object of the JSON Schema below this one, if one is made.
    pub(super) fn recorded(&self, pointer: &str) -> Option<Object<'a>> {
        let below = || self.mistakes.empty(String::new(), format!("{}/{pointer}", self.pointer));
        self.mistakes.schema.as_ref().map(|_| below())
    }

    /// Notes which of these keys are missing.
    pub(super) fn need(&self, keys: &[&str]) {
        self.record(|here| here["required"] = json!(keys));
        self.lacks(keys);
    }

    /// The same of keys that are needed beside others alone.
    pub(super) fn lacks(&self, keys: &[&str]) {
        for key in keys.iter().filter(|key| self.members.iter().all(|(name, _)| name != *key)) {
            self.mistakes.note(&self.at(key), "this key is missing");
        }
    }

    pub(super) fn read<T>(&mut self, key: &'static str, kind: Kind<T>) -> Option<T> {
        self.property(key, || kind.schema.clone());
        let json = self.member(key)?;
        self.mistakes.take(&self.at(key), kind.read(json))
    }

    pub(super) fn truth(&mut self, key: &'static str) -> Option<bool> {
        self.read(key, truth())
    }

    pub(super) fn object(&mut self, key: &'static str) -> Option<Object<'a>> {
        self.property(key, || json!({"type": "object"}));
        let json = self.member(key);
        let recorded = self.recorded(&format!("properties/{key}"));
        recorded.or_else(|| self.mistakes.object(self.at(key), json?))
    }

    /// An object of a kind that stands in several places.
    pub(super) fn shared(&mut self, key: &'static str, kind: &str) -> Option<Object<'a>> {
        self.property(key, || json!({"$ref": format!("#/$defs/{kind}")}));
        let json = self.member(key);
        if let Some(root) = &self.mistakes.schema {
            root.borrow_mut()["$defs"][kind] = json!({"type": "object"});
            return Some(self.mistakes.empty(String::new(), format!("/$defs/{kind}")));
        }
        self.mistakes.object(self.at(key), json?)
    }

    /// Members whatever their key.
    pub(super) fn others(&self, schema: impl FnOnce() -> Value) {
        self.record(|here| here["additionalProperties"] = schema());
    }

    /// A list without repetitions, of `least` entries or more.
    pub(super) fn list<T: PartialEq>(&mut self, key: &'static str, least: usize, kind: Kind<T>) -> Option<Vec<T>> {
        self.property(key, || kind.list(least));
        let json = self.member(key)?;
        self.list_at(&self.at(key), json, least, &kind)
    }

    /// The same of a value at a place.
    pub(super) fn list_at<T: PartialEq>(
        &self,
        place: &str,
        json: &RawValue,
        least: usize,
        kind: &Kind<T>,
    ) -> Option<Vec<T>> {
        let items: Result<Vec<&RawValue>, _> = serde_json::from_str(json.get()).map_err(|_| expected("a list", json));
        let items = self.mistakes.take(place, items)?;
        let mut found = Vec::new();
        for (index, json) in items.iter().enumerate() {
            let fresh = |one| if found.contains(&one) { Err(expected("no entry twice", json)) } else { Ok(one) };
            let one = kind.read(json).and_then(fresh);
            found.extend(self.mistakes.take(&format!("{place}[{index}]"), one));
        }
        if items.len() < least {
            self.mistakes.note(place, "expected at least one entry, found []");
        }
        Some(found).filter(|found| found.len() == items.len())
    }

    /// Every member whatever its key: key, value and place.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &'a RawValue, String)> {
        self.members.iter().map(|(key, json)| (key.as_str(), *json, self.at(key)))
    }

    /// An integer, a list of them, or a range of which the least lies within bounds.
    pub(super) fn integers(&mut self, key: &'static str, within: RangeInclusive<i64>) -> Option<Integers> {
        let one = || integer(within.clone());
        self.property(key, || json!({"anyOf": [one().schema, one().list(1), {"type": "object"}]}));
        if let Some(range) = self.recorded(&format!("properties/{key}/anyOf/2")) {
            read_range(range, &within);
        }
        let json = self.member(key)?;
        match json.get().as_bytes() {
            [b'[', ..] => {
                let mut list = self.list_at(&self.at(key), json, 1, &one())?;
                list.sort_unstable();
                Some(Integers::List(list))
            }
            [b'{', ..] => {
                let range = read_range(self.mistakes.object(self.at(key), json)?, &within)?;
                let least = range.at_least(i64::MIN).filter(|least| within.contains(least));
                let what = format!("a range that holds an integer from {} to {}", within.start(), within.end());
                self.mistakes.take(&self.at(key), least.map(|_| range).ok_or_else(|| expected(what, json)))
            }
            _ => self.mistakes.take(&self.at(key), one().read(json)).map(|one| Integers::List(vec![one])),
        }
    }

    /// Notes keys that were never asked for. The others mean what `docs` says.
    pub(super) fn finish(self, docs: &[(&str, &str)]) {
        self.record(|here| {
            here["additionalProperties"] = json!(false);
            for (key, doc) in docs {
                if let Some(property) = here["properties"].get_mut(*key) {
                    property["description"] = json!(doc);
                }
            }
        });
        let unknown = self.members.iter().filter(|(key, _)| !self.known.contains(&key.as_str()));
        for (key, _) in unknown.take(MOST_MISTAKES) {
            let meant = hint(key, self.known.iter().copied());
            let known = if meant.is_empty() { format!(", expected one of {}", self.known.join(", ")) } else { meant };
            self.mistakes.note(&self.at(key), format!("unknown key{known}"));
        }
    }
}

fn read_range(mut range: Object, within: &RangeInclusive<i64>) -> Option<Integers> {
    range.need(&["min", "max"]);
    let (min, max) = (range.read("min", integer(within.clone())), range.read("max", integer(0..=i64::MAX)));
    let multiple = range.read("multiple", integer(1..=i64::MAX)).unwrap_or(1);
    range.finish(&[
        ("min", "The smallest."),
        ("max", "The largest."),
        ("multiple", "Every one is a multiple of it (default 1)."),
    ]);
    Some(Integers::Range { min: min?, max: max?, multiple })
}
