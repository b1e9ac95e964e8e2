//! What a backend, or a user in its place, writes down as a contract: two names, and numbers that differ from theirs.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::arithmetic::Contract;
use super::keys::{ContractKey, KEYS, Setting, key};

/// A class, a way to frequencies, and what differs from what `spec/contracts.yaml` says of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Declaration {
    /// Such as `fused`, `cached`, `eager`.
    pub class: String,
    /// Such as `table`, `pow`.
    pub frequencies: String,
    /// What differs.
    pub settings: Settings,
}

/// Values of [`KEYS`], each at most once, in that order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings(Vec<(&'static ContractKey, Setting)>);

impl Settings {
    /// Every part of a contract.
    #[must_use]
    pub fn of(contract: &Contract) -> Self {
        Self(KEYS.iter().filter_map(|key| Some((key, (key.get)(contract)?))).collect())
    }

    /// Adds one.
    ///
    /// # Errors
    /// If it is there already.
    pub fn add(&mut self, key: &'static ContractKey, value: Setting) -> Result<(), String> {
        if self.0.iter().any(|(other, _)| *other == key) {
            return Err(format!("{} is given twice", key.name));
        }
        self.0.push((key, value));
        self.0.sort_by_key(|(key, _)| KEYS.iter().position(|other| other == *key));
        Ok(())
    }

    /// The value of a key, if it is there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Setting> {
        self.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static ContractKey, Setting)> {
        self.0.iter().copied()
    }
}

impl Declaration {
    /// A class and a way to frequencies as they stand.
    #[must_use]
    pub fn new(class: impl Into<String>, frequencies: impl Into<String>) -> Self {
        Self { class: class.into(), frequencies: frequencies.into(), settings: Settings::default() }
    }

    /// Reads `CLASS/FREQUENCIES[,KEY=VALUE...]`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let head = parts.next().unwrap_or_default();
        let Some((class, frequencies)) = head.split_once('/').filter(|(c, f)| !c.is_empty() && !f.is_empty()) else {
            return Err(format!("expected CLASS/FREQUENCIES such as fused/table, found {head:?}"));
        };
        let mut declaration = Self::new(class, frequencies);
        for part in parts {
            let Some((name, value)) = part.split_once('=') else {
                return Err(format!("expected KEY=VALUE such as trig_ulps=1, found {part:?}"));
            };
            let key = key(name)?;
            let value = key.takes.read(value).map_err(|why| format!("{name}: {why}"))?;
            declaration.settings.add(key, value)?;
        }
        Ok(declaration)
    }
}

impl fmt::Display for Declaration {
    /// As [`Declaration::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.class, self.frequencies)?;
        self.settings.iter().try_for_each(|(key, value)| write!(f, ",{}={value}", key.name))
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(key, value)| (key.name, value)))
    }
}

impl Serialize for Declaration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("class", &self.class)?;
        map.serialize_entry("frequencies", &self.frequencies)?;
        for (key, value) in self.settings.iter() {
            map.serialize_entry(key.name, &value)?;
        }
        map.end()
    }
}
