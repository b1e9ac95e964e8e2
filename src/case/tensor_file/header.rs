//! The header of a safetensors file: JSON in which nothing may be there twice.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};

/// Most tensors of a file.
pub const MAX_TENSORS: usize = 100_000;
/// The one key of the metadata: a JSON object as text. One key, because their order is not defined.
pub(super) const KEY: &str = "ropecheck";

pub(super) struct Info {
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    pub(super) offsets: (usize, usize),
}

#[derive(Default)]
pub(super) struct Header {
    pub(super) metadata: Option<String>,
    pub(super) tensors: Vec<(String, Info)>,
}

pub(super) struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                let metadata: Once<String> = map.next_value()?;
                if let Some(key) = metadata.0.keys().find(|k| *k != KEY) {
                    return Err(de::Error::custom(format!("expected metadata {KEY:?} alone, found {key:?}")));
                }
                let own = metadata.0.into_iter().next().map(|(_, text)| text);
                if header.metadata.replace(own.unwrap_or_default()).is_some() {
                    return Err(de::Error::custom("expected each key once, found \"__metadata__\" twice"));
                }
                continue;
            }
            if !seen.insert(name.clone()) {
                return Err(de::Error::custom(format!("expected each tensor once, found {name:?} twice")));
            }
            if header.tensors.len() == MAX_TENSORS {
                return Err(de::Error::custom(format!("expected at most {MAX_TENSORS} tensors, found more")));
            }
            let info: Once<serde_json::Value> = map.next_value()?;
            let info = tensor_info(info.0).map_err(|why| de::Error::custom(format!("tensor {name:?}: {why}")))?;
            header.tensors.push((name, info));
        }
        Ok(header)
    }
}

fn tensor_info(mut fields: BTreeMap<String, serde_json::Value>) -> Result<Info, String> {
    let mut take = |key: &str| fields.remove(key).ok_or_else(|| format!("expected {key}, found none"));
    let (dtype, shape, offsets) = (take("dtype")?, take("shape")?, take("data_offsets")?);
    if let Some(key) = fields.keys().next() {
        return Err(format!("expected dtype, shape and data_offsets alone, found {key:?}"));
    }
    let dtype = dtype.as_str().ok_or("expected dtype as a text")?.to_owned();
    let sizes = |value: &serde_json::Value, what: &str| -> Result<Vec<usize>, String> {
        let list = value.as_array().ok_or_else(|| format!("expected {what} as a list, found {value}"))?;
        let size = |v: &serde_json::Value| v.as_u64().and_then(|n| usize::try_from(n).ok());
        let one = |v: &serde_json::Value| size(v).ok_or_else(|| format!("expected a size in {what}, found {v}"));
        list.iter().map(one).collect()
    };
    match sizes(&offsets, "data_offsets")?.as_slice() {
        [start, end] if start <= end => Ok(Info { dtype, shape: sizes(&shape, "shape")?, offsets: (*start, *end) }),
        other => Err(format!("expected data_offsets [START, END], found {other:?}")),
    }
}

/// A JSON object in which no key is there twice.
struct Once<T>(BTreeMap<String, T>);

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for Once<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys<T>(std::marker::PhantomData<T>);
        impl<'de, T: serde::Deserialize<'de>> Visitor<'de> for Keys<T> {
            type Value = Once<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once<T>, A::Error> {
                let mut all = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, T>()? {
                    if all.contains_key(&key) {
                        return Err(de::Error::custom(format!("expected each key once, found {key:?} twice")));
                    }
                    all.insert(key, value);
                }
                Ok(Once(all))
            }
        }
        deserializer.deserialize_map(Keys(std::marker::PhantomData))
    }
}
