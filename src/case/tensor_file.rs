//! Files of named tensors: safetensors, written by the crate of that name, read strictly.
//!
//! Files come from people and programs, so nothing in them is believed: every size is bounded before it is used, a key that
//! is there twice is an error (the crate takes the last one), and a message says where, what was expected and what was found.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use safetensors::tensor::{Dtype, TensorView, serialize};
use serde::Deserializer as _;

use crate::numeric::DType;

mod header;

pub use header::MAX_TENSORS;
use header::{HeaderVisitor, KEY};

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
    /// The first thing that is not as it must be. Nothing is allocated that the length of `bytes` does not justify.
    pub fn read(bytes: &[u8]) -> Result<Self, TensorFileError> {
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| {
            wrong(
                "byte 0",
                "a safetensors file: 8 bytes with the length of the header",
                format!("{} bytes", bytes.len()),
            )
        })?;
        let length = u64::from_le_bytes(*length);
        let most = MAX_HEADER.min(rest.len());
        let length = usize::try_from(length).ok().filter(|n| *n <= most).ok_or_else(|| {
            let limit =
                format!("the length of a header of at most {most} bytes (is it cut off, or no safetensors file?)");
            wrong("bytes 0 to 7", limit, length)
        })?;
        let (header, data) = rest.split_at(length);
        let text = std::str::from_utf8(header)
            .map_err(|e| wrong(format!("header, byte {}", e.valid_up_to()), "UTF-8", "something else"))?;
        if !text.starts_with('{') {
            return Err(wrong(
                "header, byte 0",
                "{",
                text.chars().next().map_or("nothing".into(), |c| format!("{c:?}")),
            ));
        }
        let mut parser = serde_json::Deserializer::from_str(text);
        let header = parser.deserialize_map(HeaderVisitor).map_err(|e| wrong("header", "JSON of tensors", e))?;
        parser.end().map_err(|e| wrong("header", "nothing after the object", e))?;
        let mut tensors = header.tensors;
        tensors.sort_by_key(|(_, info)| info.offsets);
        let mut file = TensorFile { metadata: header.metadata.unwrap_or_default(), tensors: BTreeMap::new() };
        let mut at = 0;
        for (name, info) in tensors {
            let place = format!("tensor {name:?}");
            let (start, end) = info.offsets;
            if start != at {
                return Err(wrong(place, format!("data from byte {at} on"), format!("from {start}")));
            }
            let kind = ElementType::ALL.iter().find(|(_, known, _)| *known == info.dtype).map(|(kind, ..)| *kind);
            let kind = kind.ok_or_else(|| {
                let names: Vec<&str> = ElementType::ALL.iter().map(|(_, name, _)| *name).collect();
                wrong(&place, format!("dtype {}", names.join(", ")), &info.dtype)
            })?;
            if info.shape.len() > MAX_DIMENSIONS {
                return Err(wrong(place, format!("at most {MAX_DIMENSIONS} dimensions"), info.shape.len()));
            }
            let size = info.shape.iter().try_fold(kind.size(), |n, d| n.checked_mul(*d));
            if size.is_none() || end.checked_sub(start) != size {
                let shape = format!("{} bytes for shape {:?} of {}", text_of(size), info.shape, kind.name());
                return Err(wrong(place, shape, format!("data_offsets {start} to {end}")));
            }
            let bytes = data.get(start..end).ok_or_else(|| {
                wrong(&place, format!("{end} bytes of data (is the file truncated?)"), format!("{} bytes", data.len()))
            })?;
            file.tensors.insert(name, Stored { kind, shape: info.shape, bytes: bytes.to_vec() });
            at = end;
        }
        if at != data.len() {
            return Err(wrong("the end of the file", format!("{at} bytes of data"), format!("{} bytes", data.len())));
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

fn text_of(size: Option<usize>) -> String {
    size.map_or_else(|| "too many".to_owned(), |n| n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> TensorFile {
        let mut file = TensorFile { metadata: r#"{"format":1}"#.into(), ..TensorFile::default() };
        file.tensors.insert("b".into(), Stored::of(DType::BF16, &[2, 1], &[1.5, -2.0]));
        file.tensors.insert("a".into(), Stored::of_i64(&[2], &[-1, 7]));
        file.tensors.insert("c".into(), Stored::of_u8(&[3, 255, 0]));
        file
    }

    #[test]
    fn a_file_comes_back_and_the_crate_reads_the_same() {
        let bytes = file().write().unwrap();
        assert_eq!(bytes, file().write().unwrap(), "the same bytes again");
        let back = TensorFile::read(&bytes).unwrap();
        assert_eq!(back, file());
        assert_eq!(back.tensors["b"].floats(DType::BF16), Some(vec![1.5, -2.0]));
        assert_eq!(back.tensors["a"].integers(), Some(vec![-1, 7]));
        let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        for (name, stored) in &back.tensors {
            let view = theirs.tensor(name).unwrap();
            assert_eq!((view.shape(), view.data()), (stored.shape.as_slice(), stored.bytes.as_slice()));
        }
    }

    /// A file with this header and `data` bytes of data.
    fn made(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (header, data, message) in [
            ("{", 0, "header: expected JSON"),
            ("[]", 0, "header, byte 0: expected {, found '['"),
            ("{} {}", 0, "expected nothing after the object"),
            (
                r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
                1,
                r#"found "a" twice"#,
            ),
            (r#"{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 1, r#"found "dtype" twice"#),
            (r#"{"__metadata__":{"ropecheck":"","ropecheck":""}}"#, 0, r#"found "ropecheck" twice"#),
            (r#"{"__metadata__":{},"__metadata__":{}}"#, 0, "twice"),
            (r#"{"__metadata__":{"format":"pt"}}"#, 0, "alone"),
            (r#"{"a":{"dtype":"U8","shape":[1]}}"#, 0, "expected data_offsets, found none"),
            (r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":0}}"#, 1, r#"found "x""#),
            (r#"{"a":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}}"#, 1, "found F8"),
            (r#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#, 1, "expected a size in shape, found -1"),
            (r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}}"#, 1, "expected 2 bytes for shape [2] of U8"),
            (r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#, 1, "[START, END]"),
            (r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, 2, "expected data from byte 0 on"),
            (r#"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}"#, 1, "truncated"),
            (
                r#"{"a":{"dtype":"F64","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,9]}}"#,
                9,
                "too many bytes",
            ),
            (r#"{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}"#, 1, "at most 8 dimensions"),
            (r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 2, "the end of the file: expected 1 bytes"),
        ] {
            let error = TensorFile::read(&made(header, data)).expect_err(header).to_string();
            assert!(error.contains(message), "{header}: {error}");
        }
        let long = (MAX_HEADER as u64 + 1).to_le_bytes();
        for bytes in [&[][..], &[1, 2, 3], &long, &[255; 64]] {
            assert!(TensorFile::read(bytes).is_err());
        }
    }

    #[test]
    fn no_cut_and_no_flipped_bit_of_the_header_is_a_panic() {
        let bytes = file().write().unwrap();
        for end in 0..bytes.len() {
            assert!(TensorFile::read(&bytes[..end]).is_err(), "cut at {end}");
        }
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = TensorFile::read(&changed) {
                assert_ne!(read, file(), "bit {bit} does nothing");
            }
        }
    }
}
