//! Files of named tensors: safetensors, written and read by the crate of that name.
//!
//! Files come from people and programs, so nothing in them is believed. The crate takes the last of two equal
//! keys and overlooks unknown ones; here a key that is there twice or means nothing is an error, and a
//! message says where, what was expected and what was found.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use safetensors::tensor::{Dtype, Metadata, TensorInfo, TensorView, serialize};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::numeric::DType;

/// The one key of the metadata: a JSON object as text. One key, because their order is not defined.
const KEY: &str = "ropecheck";
/// The keys of a tensor in a header, sorted.
const KEYS_OF_TENSOR: [&str; 3] = ["data_offsets", "dtype", "shape"];
/// Largest header in bytes.
pub const MAX_HEADER: usize = 16 << 20;
/// Most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// Numbers of a type that tensors can have.
    Number(DType),
    /// Small integers.
    U8,
}

impl ElementType {
    const ALL: [(ElementType, &str, Dtype); 7] = [
        (ElementType::Number(DType::F32), "F32", Dtype::F32),
        (ElementType::Number(DType::F16), "F16", Dtype::F16),
        (ElementType::Number(DType::BF16), "BF16", Dtype::BF16),
        (ElementType::Number(DType::F64), "F64", Dtype::F64),
        (ElementType::Number(DType::I32), "I32", Dtype::I32),
        (ElementType::Number(DType::I64), "I64", Dtype::I64),
        (ElementType::U8, "U8", Dtype::U8),
    ];

    /// Bytes of an element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            ElementType::Number(dtype) => dtype.size(),
            ElementType::U8 => 1,
        }
    }

    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        ElementType::ALL.iter().find(|(kind, ..)| *kind == self).map_or("?", |(_, name, _)| name)
    }

    fn dtype(self) -> Dtype {
        ElementType::ALL.iter().find(|(kind, ..)| *kind == self).map_or(Dtype::U8, |(.., dtype)| *dtype)
    }
}

/// A tensor: little-endian bytes, last dimension fastest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What its elements are.
    pub kind: ElementType,
    /// Elements per dimension.
    pub shape: Vec<usize>,
    /// The elements.
    pub bytes: Vec<u8>,
}

impl Stored {
    /// Values as numbers of `dtype`, each rounded to it.
    #[must_use]
    pub fn of(dtype: DType, shape: &[usize], values: &[f64]) -> Self {
        let mut bytes = vec![0; dtype.size() * values.len()];
        dtype.encode_slice(values, &mut bytes);
        Self { kind: ElementType::Number(dtype), shape: shape.to_vec(), bytes }
    }

    /// Integers.
    #[must_use]
    pub fn of_i64(shape: &[usize], values: &[i64]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { kind: ElementType::Number(DType::I64), shape: shape.to_vec(), bytes }
    }

    /// Small integers.
    #[must_use]
    pub fn of_u8(values: &[u8]) -> Self {
        Self { kind: ElementType::U8, shape: vec![values.len()], bytes: values.to_vec() }
    }

    /// The values of floats of this type; `None` if they are something else.
    #[must_use]
    pub fn floats(&self, dtype: DType) -> Option<Vec<f64>> {
        if self.kind != ElementType::Number(dtype) || !dtype.is_float() {
            return None;
        }
        let mut values = vec![0.0; self.bytes.len() / dtype.size()];
        dtype.decode_slice(&self.bytes, &mut values);
        Some(values)
    }

    /// The integers; `None` if they are something else.
    #[must_use]
    pub fn integers(&self) -> Option<Vec<i64>> {
        let whole = |chunk: &[u8]| chunk.try_into().map(i64::from_le_bytes).ok();
        (self.kind == ElementType::Number(DType::I64)).then(|| self.bytes.chunks_exact(8).filter_map(whole).collect())
    }
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TensorFile {
    /// A JSON object as text.
    pub metadata: String,
    /// By name.
    pub tensors: BTreeMap<String, Stored>,
}

/// Why bytes are no file of tensors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: expected {expected}, found {found}")]
pub struct TensorFileError {
    /// Where: the header, or a tensor by name.
    pub place: String,
    /// What must be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

fn wrong(place: impl fmt::Display, expected: impl fmt::Display, found: impl fmt::Display) -> TensorFileError {
    let short = |text: String| match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    };
    TensorFileError {
        place: short(place.to_string()),
        expected: short(expected.to_string()),
        found: short(found.to_string()),
    }
}

impl TensorFile {
    /// The bytes of the file. The same contents give the same bytes.
    ///
    /// # Errors
    /// If a tensor's bytes do not fit its shape.
    pub fn write(&self) -> Result<Vec<u8>, TensorFileError> {
        let mut views = Vec::with_capacity(self.tensors.len());
        for (name, stored) in &self.tensors {
            let view = TensorView::new(stored.kind.dtype(), stored.shape.clone(), &stored.bytes)
                .map_err(|e| wrong(format!("tensor {name:?}"), "bytes that fit its shape", e))?;
            views.push((name.as_str(), view));
        }
        let metadata = HashMap::from([(KEY.to_owned(), self.metadata.clone())]);
        serialize(views, Some(metadata)).map_err(|e| wrong("the file", "tensors that can be written", e))
    }

    /// Reads a file. Every byte of it must belong to the header or to one tensor.
    ///
    /// # Errors
    /// The first thing that is not as it must be. Nothing is allocated that the length of `bytes` does not
    /// justify.
    pub fn read(bytes: &[u8]) -> Result<Self, TensorFileError> {
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| {
            wrong(
                "byte 0",
                "a safetensors file: 8 bytes with the length of the header",
                format!("{} bytes", bytes.len()),
            )
        })?;
        let (length, most) = (u64::from_le_bytes(*length), MAX_HEADER.min(rest.len()));
        let fits = usize::try_from(length).ok().filter(|n| *n <= most).and_then(|n| rest.split_at_checked(n));
        let (header, data) = fits.ok_or_else(|| {
            let limit = format!("a header of at most {most} bytes (is it cut off, or no safetensors file?)");
            wrong("bytes 0 to 7", limit, length)
        })?;
        if header.first() != Some(&b'{') {
            let first = header.first().map_or_else(String::new, |byte| format!("{:?}", char::from(*byte)));
            return Err(wrong("header, byte 0", "'{'", first));
        }
        let header: Once<Once<Value>> =
            serde_json::from_slice(header).map_err(|e| wrong("header", "JSON of tensors", e))?;
        let (mut file, mut infos) = (TensorFile::default(), Vec::new());
        for (name, fields) in header.0 {
            if name == "__metadata__" {
                file.metadata = metadata(fields.0)?;
            } else {
                infos.push((name.clone(), info(&name, fields.0)?));
            }
        }
        infos.sort_by_key(|(_, info)| info.data_offsets);
        let all = Metadata::new(None, infos.clone())
            .map_err(|e| wrong("header", "data from byte 0 on, without gaps and overlaps", e))?;
        if all.data_len() != data.len() {
            let expected = format!("{} bytes of data (is the file truncated?)", all.data_len());
            return Err(wrong("the end of the file", expected, format!("{} bytes", data.len())));
        }
        for (name, TensorInfo { dtype, shape, data_offsets: (start, end) }) in infos {
            let Some((kind, ..)) = ElementType::ALL.iter().find(|(.., known)| *known == dtype) else {
                let names = ElementType::ALL.map(|(_, name, _)| name).join(", ");
                return Err(wrong(format!("tensor {name:?}"), format!("dtype {names}"), dtype));
            };
            file.tensors.insert(name, Stored { kind: *kind, shape, bytes: data[start..end].to_vec() });
        }
        Ok(file)
    }

    /// A tensor of this kind and shape.
    ///
    /// # Errors
    /// If there is none, or it has another kind or shape.
    pub fn tensor(&self, name: &str, kind: ElementType, shape: &[usize]) -> Result<&Stored, TensorFileError> {
        let wanted = format!("a tensor {} {shape:?}", kind.name());
        let stored = self.tensors.get(name).ok_or_else(|| wrong(format!("tensor {name:?}"), &wanted, "none"))?;
        if (stored.kind, stored.shape.as_slice()) == (kind, shape) {
            return Ok(stored);
        }
        Err(wrong(format!("tensor {name:?}"), wanted, format!("{} {:?}", stored.kind.name(), stored.shape)))
    }
}

/// The text of the one key that metadata may have.
fn metadata(mut fields: BTreeMap<String, Value>) -> Result<String, TensorFileError> {
    let place = "header, __metadata__";
    let text = fields.remove(KEY);
    if let Some(key) = fields.keys().next() {
        return Err(wrong(place, format!("{KEY:?} alone"), format!("{key:?}")));
    }
    match text {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(wrong(place, "a text", other)),
    }
}

/// A tensor's entry in the header, which is judged by itself first: so a message can name the tensor.
fn info(name: &str, fields: BTreeMap<String, Value>) -> Result<TensorInfo, TensorFileError> {
    let place = format!("tensor {name:?}");
    if !fields.keys().eq(&KEYS_OF_TENSOR) {
        let found = fields.into_keys().collect::<Vec<_>>().join(", ");
        return Err(wrong(place, format!("{} alone", KEYS_OF_TENSOR.join(", ")), found));
    }
    let info: TensorInfo = serde_json::from_value(fields.into_iter().collect())
        .map_err(|e| wrong(&place, "a type of element, sizes, and where data start and end", e))?;
    if info.shape.len() > MAX_DIMENSIONS {
        return Err(wrong(place, format!("at most {MAX_DIMENSIONS} dimensions"), info.shape.len()));
    }
    let (start, end) = info.data_offsets;
    let alone = TensorInfo { data_offsets: (0, end.saturating_sub(start)), ..info.clone() };
    Metadata::new(None, vec![(String::new(), alone)]).map_err(|e| {
        let expected = format!("the bytes of {} {:?}", info.dtype, info.shape);
        wrong(place, expected, format!("data_offsets {start} to {end} ({e})"))
    })?;
    Ok(info)
}

/// A JSON object in which no key is there twice.
struct Once<T>(BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Once<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once(BTreeMap::new()))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Once<T> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if self.0.contains_key(&key) {
                return Err(de::Error::custom(format!("expected each key once, found {key:?} twice")));
            }
            self.0.insert(key, map.next_value()?);
        }
        Ok(self)
    }
}

#[cfg(test)]
#[path = "tensor_file_tests.rs"]
mod tests;
