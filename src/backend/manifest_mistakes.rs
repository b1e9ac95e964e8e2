//! The JSON of a manifest, read value by value, so that no mistake hides another.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::manifest::{Integers, ManifestError, ManifestMistake};
use crate::spec::suggest::{choose, hint};

const MAX_BYTES: usize = 1 << 20;
/// Most mistakes that are kept, and most characters of each.
const MOST_MISTAKES: usize = 100;
const MOST_CHARACTERS: usize = 800;

/// A value of this type, if that is what is written.
pub(super) fn value<T: DeserializeOwned>(json: &RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}

pub(super) fn expected(what: impl fmt::Display, found: &RawValue) -> String {
    let found: Vec<&str> = found.get().split_whitespace().collect();
    format!("expected {what}, found {:.60}", found.join(" "))
}

/// Reads one of these words.
pub(super) fn word<T: Copy>(words: &[(&str, T)]) -> impl Fn(&RawValue) -> Result<T, String> {
    |json| {
        let known = || words.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let text: String = value(json).ok_or_else(|| expected(format!("one of {}", known()), json))?;
        choose("value", &text, words)
    }
}

/// Reads an integer within bounds.
pub(super) fn integer(within: RangeInclusive<i64>) -> impl Fn(&RawValue) -> Result<i64, String> {
    move |json| {
        let what = match (within.start(), within.end()) {
            (&i64::MIN, most) => format!("an integer of at most {most}"),
            (least, &i64::MAX) => format!("an integer of at least {least}"),
            (least, most) => format!("an integer from {least} to {most}"),
        };
        value(json).filter(|number| within.contains(number)).ok_or_else(|| expected(what, json))
    }
}

/// The mistakes that were found so far.
#[derive(Default)]
pub(super) struct Mistakes(RefCell<BTreeSet<ManifestMistake>>);

impl Mistakes {
    pub(super) fn note(&self, place: &str, what: impl fmt::Display) {
        let mut all = self.0.borrow_mut();
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
        let mistakes = self.0.into_inner();
        value.filter(|_| mistakes.is_empty()).ok_or_else(|| ManifestError(mistakes.into_iter().collect()))
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
        let object = Object { place, members, known: Vec::new(), mistakes: self };
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

    /// Notes which of these keys are missing.
    pub(super) fn need(&self, keys: &[&str]) {
        for key in keys.iter().filter(|key| self.members.iter().all(|(name, _)| name != *key)) {
            self.mistakes.note(&self.at(key), "this key is missing");
        }
    }

    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&'a RawValue) -> Result<T, String>,
    ) -> Option<T> {
        let json = self.member(key)?;
        self.mistakes.take(&self.at(key), read(json))
    }

    pub(super) fn truth(&mut self, key: &'static str) -> Option<bool> {
        self.read(key, |json| value(json).ok_or_else(|| expected("true or false", json)))
    }

    pub(super) fn object(&mut self, key: &'static str) -> Option<Object<'a>> {
        let json = self.read(key, Ok)?;
        self.mistakes.object(self.at(key), json)
    }

    /// A list without repetitions, of `least` entries or more.
    pub(super) fn list<T: PartialEq>(
        &mut self,
        key: &'static str,
        least: usize,
        read: impl Fn(&RawValue) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let json = self.member(key)?;
        self.list_at(&self.at(key), json, least, read)
    }

    /// The same of a value at a place.
    pub(super) fn list_at<T: PartialEq>(
        &self,
        place: &str,
        json: &RawValue,
        least: usize,
        read: impl Fn(&RawValue) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let items: Result<Vec<&RawValue>, _> = serde_json::from_str(json.get()).map_err(|_| expected("a list", json));
        let items = self.mistakes.take(place, items)?;
        let mut found = Vec::new();
        for (index, json) in items.iter().enumerate() {
            let fresh = |one| if found.contains(&one) { Err(expected("no entry twice", json)) } else { Ok(one) };
            let one = read(json).and_then(fresh);
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
        match self.member(key)?.get().as_bytes() {
            [b'[', ..] => {
                let mut list = self.list(key, 1, integer(within))?;
                list.sort_unstable();
                Some(Integers::List(list))
            }
            [b'{', ..] => {
                let mut range = self.object(key)?;
                range.need(&["min", "max"]);
                let (min, max) = (range.read("min", integer(within.clone())), range.read("max", integer(0..=i64::MAX)));
                let multiple = range.read("multiple", integer(1..=i64::MAX)).unwrap_or(1);
                range.finish();
                let (min, range) = (min?, Integers::Range { min: min?, max: max?, multiple });
                let least = range.at_least(min).filter(|least| within.contains(least));
                let what = format!("a range that holds an integer from {} to {}", within.start(), within.end());
                self.read(key, |json| least.map(|_| range).ok_or_else(|| expected(what, json)))
            }
            _ => self.read(key, integer(within)).map(|one| Integers::List(vec![one])),
        }
    }

    /// Notes keys that were never asked for.
    pub(super) fn finish(self) {
        let unknown = self.members.iter().filter(|(key, _)| !self.known.contains(&key.as_str()));
        for (key, _) in unknown.take(MOST_MISTAKES) {
            let meant = hint(key, self.known.iter().copied());
            let known = if meant.is_empty() { format!(", expected one of {}", self.known.join(", ")) } else { meant };
            self.mistakes.note(&self.at(key), format!("unknown key{known}"));
        }
    }
}
