//! What the JSON of a manifest is read with: every mistake names its place, what was expected and what was found.

use std::fmt;

use serde_json::{Map, Value};

use super::manifest::{Integers, ManifestError};
use crate::spec::suggest;

pub(super) fn fail<T>(place: &str, text: impl fmt::Display) -> Result<T, ManifestError> {
    Err(ManifestError(format!("manifest, {place}: {text}")))
}

pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 60 { format!("{}...", text.chars().take(57).collect::<String>()) } else { text }
}

/// Picks a name out of a closed list, or says which was meant.
pub(super) fn choose<T: Copy>(place: &str, value: &Value, all: &[(&str, T)]) -> Result<T, ManifestError> {
    let Some(text) = value.as_str() else {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        return fail(place, format!("expected one of {}, found {}", names.join(", "), shown(value)));
    };
    suggest::choose("value", text, all).or_else(|why| fail(place, why))
}

pub(super) fn choose_list<T: Copy + PartialEq>(
    place: &str,
    value: &Value,
    all: &[(&str, T)],
) -> Result<Vec<T>, ManifestError> {
    let Some(items) = value.as_array() else {
        return fail(place, format!("expected a list, found {}", shown(value)));
    };
    let mut chosen = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let one = choose(&format!("{place}[{index}]"), item, all)?;
        if chosen.contains(&one) {
            return fail(place, format!("{} is listed twice", shown(item)));
        }
        chosen.push(one);
    }
    Ok(chosen)
}

/// An object whose keys are all known.
pub(super) struct Object<'a> {
    place: String,
    pub(super) map: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    pub(super) fn new(place: &str, value: &'a Value, known: &[&str]) -> Result<Self, ManifestError> {
        let Some(map) = value.as_object() else {
            return fail(place, format!("expected an object, found {}", shown(value)));
        };
        for key in map.keys() {
            if !known.contains(&key.as_str()) {
                return fail(place, format!("unknown key {key:?}{}", suggest::hint(key, known.iter().copied())));
            }
        }
        Ok(Object { place: place.to_owned(), map })
    }

    pub(super) fn at(&self, key: &str) -> String {
        if self.place == "top level" { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    pub(super) fn need(&self, key: &str) -> Result<&'a Value, ManifestError> {
        self.map.get(key).map_or_else(|| fail(&self.place, format!("key {key:?} is missing")), Ok)
    }

    pub(super) fn text(&self, key: &str) -> Result<String, ManifestError> {
        match self.need(key)?.as_str() {
            Some(text) if !text.is_empty() && text.len() <= 200 => Ok(text.to_owned()),
            _ => fail(&self.at(key), "expected a text of 1 to 200 bytes"),
        }
    }

    pub(super) fn boolean(&self, key: &str, default: bool) -> Result<bool, ManifestError> {
        match self.map.get(key) {
            None => Ok(default),
            Some(value) => value
                .as_bool()
                .map_or_else(|| fail(&self.at(key), format!("expected true or false, found {}", shown(value))), Ok),
        }
    }

    pub(super) fn integer(&self, key: &str, default: i64, least: i64) -> Result<i64, ManifestError> {
        match self.map.get(key) {
            None => Ok(default),
            Some(value) => match value.as_i64() {
                Some(number) if number >= least => Ok(number),
                _ => fail(&self.at(key), format!("expected an integer of at least {least}, found {}", shown(value))),
            },
        }
    }

    pub(super) fn integers(&self, key: &str, least: i64) -> Result<Integers, ManifestError> {
        let place = self.at(key);
        let value = self.need(key)?;
        let one = |v: &Value| match v.as_i64() {
            Some(n) if n >= least => Ok(n),
            _ => fail(&place, format!("expected an integer of at least {least}, found {}", shown(v))),
        };
        match value {
            Value::Number(_) => Ok(Integers::List(vec![one(value)?])),
            Value::Array(items) if !items.is_empty() => {
                let mut list = items.iter().map(one).collect::<Result<Vec<_>, _>>()?;
                list.sort_unstable();
                list.dedup();
                Ok(Integers::List(list))
            }
            Value::Object(_) => {
                let range = Object::new(&place, value, &["min", "max", "multiple"])?;
                range.need("min")?;
                range.need("max")?;
                let (min, max) = (range.integer("min", 0, least)?, range.integer("max", 0, least)?);
                let range = Integers::Range { min, max, multiple: range.integer("multiple", 1, 1)? };
                match range.at_least(min) {
                    Some(_) => Ok(range),
                    None => fail(&place, "no integer lies in this range"),
                }
            }
            _ => fail(&place, format!("expected an integer, a list or {{min, max, multiple}}, found {}", shown(value))),
        }
    }
}
