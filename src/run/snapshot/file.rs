//! The file of a snapshot: safetensors, with what was run as JSON in its metadata.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::backend::Manifest;
use crate::case::Case;
use crate::case::tensor_file::{ElementType, Stored, TensorFile};

/// Version of the form of these files.
pub const FORMAT: u32 = 1;
/// Most cases of a snapshot.
pub const MAX_CASES: usize = 20_000;

/// What was run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Scheme ids, with or without profile; empty: all.
    pub schemes: Vec<String>,
    /// Storage types by name; empty: all.
    pub dtypes: Vec<String>,
    /// Levels by name; empty: all.
    pub levels: Vec<String>,
    /// Cases per position band.
    pub cases: u32,
    /// Seed.
    pub seed: u64,
    /// Parameters, name and value.
    pub parameters: Vec<(String, String)>,
    /// Query heads, key heads, head width and rotated channels (0: all) of a model, which alone were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<[u32; 4]>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its id, stable under a seed; its tensors are named `ID/q` and so on.
    pub id: String,
    /// The case, as `replay` takes it.
    pub case: String,
}

/// What a snapshot says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// [`FORMAT`]
    pub format: u32,
    /// Version of ropecheck that recorded it.
    pub ropecheck: String,
    /// The backend's name.
    pub backend: String,
    /// The backend's version, as it states it.
    pub version: String,
    /// Its manifest.
    pub manifest: serde_json::Value,
    /// SHA-256 of the spec of every scheme that was run.
    pub specs: BTreeMap<String, String>,
    /// What was asked for.
    pub selection: Selection,
    /// Case by case, in the order in which they were run.
    pub cases: Vec<Entry>,
}

impl About {
    /// The manifest as it is kept.
    #[must_use]
    pub fn of_manifest(manifest: &Manifest) -> serde_json::Value {
        serde_json::to_value(manifest).unwrap_or_default()
    }
}

/// StoredOutputs of one case by name: `q` and `k`, or `positions` and `next`.
pub type StoredOutputs = BTreeMap<String, Stored>;

/// A snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// What it says of itself.
    pub about: About,
    /// Cases with their outputs, in the order of [`About::cases`].
    pub cases: Vec<(Case, StoredOutputs)>,
}

/// Why bytes are no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SnapshotError(pub String);

/// The bytes of a snapshot: the same contents give the same bytes.
///
/// # Errors
/// If a tensor's bytes do not fit its shape.
pub fn write(snapshot: &Snapshot) -> Result<Vec<u8>, SnapshotError> {
    let metadata = serde_json::to_string(&snapshot.about).map_err(|e| SnapshotError(e.to_string()))?;
    let mut file = TensorFile { metadata, tensors: BTreeMap::new() };
    for (entry, (_, outputs)) in snapshot.about.cases.iter().zip(&snapshot.cases) {
        for (name, stored) in outputs {
            file.tensors.insert(format!("{}/{name}", entry.id), stored.clone());
        }
    }
    file.write().map_err(|e| SnapshotError(e.to_string()))
}

/// Reads a snapshot. This is the function that fuzzing calls: for any bytes it returns, and allocates no more than a small
/// multiple of their length.
///
/// # Errors
/// The first thing that is not as it must be: where, what was expected and what was found.
pub fn read(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
    let mut file = TensorFile::read(bytes).map_err(|e| SnapshotError(e.to_string()))?;
    let about: About = serde_json::from_str(&file.metadata).map_err(|e| {
        SnapshotError(format!("metadata \"ropecheck\": expected a snapshot's description, found something else: {e}"))
    })?;
    if about.format != FORMAT {
        let found = about.format;
        return Err(SnapshotError(format!("format: expected {FORMAT}, found {found}: another version wrote it")));
    }
    if about.cases.len() > MAX_CASES {
        return Err(SnapshotError(format!("cases: expected at most {MAX_CASES}, found {}", about.cases.len())));
    }
    let mut cases = Vec::with_capacity(about.cases.len());
    for Entry { id, case } in &about.cases {
        let place = |why: String| SnapshotError(format!("case {:?}: {why}", id.chars().take(160).collect::<String>()));
        let case: Case = case.parse().map_err(|e: crate::case::TokenError| place(e.to_string()))?;
        let names: &[&str] = match case.level {
            crate::case::Level::Positions => &["positions", "next"],
            _ if case.k_heads == 0 => &["q"],
            _ => &["q", "k"],
        };
        let mut outputs = StoredOutputs::new();
        for name in names {
            let stored = file.tensors.remove(&format!("{id}/{name}"));
            let stored =
                stored.ok_or_else(|| place(format!("expected a tensor {name}, found none (or the case twice)")))?;
            fits(&case, name, &stored).map_err(|why| place(format!("tensor {name}: {why}")))?;
            outputs.insert((*name).to_owned(), stored);
        }
        cases.push((case, outputs));
    }
    if let Some(name) = file.tensors.keys().next() {
        return Err(SnapshotError(format!(
            "tensor {name:?}: expected the outputs of a case, found no case of this name"
        )));
    }
    Ok(Snapshot { about, cases })
}

/// Whether a tensor has the type and the sizes of its case: then no case asks for more than the file has.
fn fits(case: &Case, name: &str, stored: &Stored) -> Result<(), String> {
    let (batch, tokens) = (case.batch(), usize::try_from(case.tokens()).map_err(|e| e.to_string())?);
    let (dtype, wanted) = match name {
        "positions" => (case.position_dtype, vec![batch, tokens]),
        "next" => (case.position_dtype, vec![batch, 1]),
        "k" => (case.output_type(case.k_type()), vec![batch, tokens, case.k_heads as usize, case.head_dim as usize]),
        _ => (case.output_type(case.dtype), vec![batch, tokens, case.q_heads as usize, case.head_dim as usize]),
    };
    // The first dimension of positions is the axes, which are the scheme's affair.
    let axes = usize::from(case.level == crate::case::Level::Positions);
    let found = (stored.shape.len() == wanted.len() + axes).then(|| &stored.shape[axes..]);
    if stored.kind != ElementType::Number(dtype) || found != Some(&wanted[..]) {
        let found = format!("{} {:?}", stored.kind.name(), stored.shape);
        return Err(format!("expected {dtype} of {wanted:?}, found {found}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = "accuracy,scheme=rope@default,level=rotate,dtype=bf16,pairing=half,layout=text:2,positions=i64,\
        heads=1/1,head-dim=2,memory=packed,alias=out,data=mixed,seed=1";

    fn snapshot() -> Snapshot {
        let case: Case = CASE.parse().unwrap();
        let q = Stored::of(crate::numeric::DType::BF16, &[1, 2, 1, 2], &[1.0, -0.0, f64::NAN, 3.0]);
        let outputs = StoredOutputs::from([("q".to_owned(), q.clone()), ("k".to_owned(), q)]);
        let about = About {
            format: FORMAT,
            ropecheck: "0.0.0".into(),
            backend: "b".into(),
            version: "1".into(),
            manifest: serde_json::json!({"name": "b"}),
            specs: BTreeMap::new(),
            selection: Selection::default(),
            cases: vec![Entry { id: "a/b".into(), case: CASE.into() }],
        };
        Snapshot { about, cases: vec![(case, outputs)] }
    }

    #[test]
    fn a_snapshot_comes_back_bit_by_bit() {
        let bytes = write(&snapshot()).unwrap();
        assert_eq!(read(&bytes).unwrap(), snapshot());
        assert_eq!(bytes, write(&read(&bytes).unwrap()).unwrap());
    }

    /// What is said of a snapshot after a change of its description and tensors.
    fn said(change: impl FnOnce(&mut serde_json::Value, &mut TensorFile)) -> String {
        let mut file = TensorFile::read(&write(&snapshot()).unwrap()).unwrap();
        let mut about: serde_json::Value = serde_json::from_str(&file.metadata).unwrap();
        change(&mut about, &mut file);
        file.metadata = about.to_string();
        read(&file.write().unwrap()).expect_err("a wrong snapshot").to_string()
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (found, message) in [
            (said(|about, _| about["format"] = 2.into()), "format: expected 1, found 2"),
            (said(|about, _| about["colour"] = 1.into()), "unknown field `colour`"),
            (said(|about, _| about["cases"][0]["case"] = "x".into()), "case \"a/b\": in the case \"x\""),
            (said(|about, _| about["cases"][0]["id"] = "c".into()), "case \"c\": expected a tensor q"),
            (
                said(|about, _| about["cases"] = serde_json::json!([])),
                "tensor \"a/b/k\": expected the outputs of a case",
            ),
            (
                said(|about, _| about["cases"] = serde_json::json!([about["cases"][0], about["cases"][0]])),
                "expected a tensor q, found none (or the case twice)",
            ),
            (
                said(|about, _| about["cases"][0]["case"] = CASE.replace("head-dim=2", "head-dim=65536").into()),
                "tensor q: expected bf16 of [1, 2, 1, 65536], found BF16 [1, 2, 1, 2]",
            ),
            (said(|about, _| about["cases"][0]["case"] = CASE.replace("bf16", "f16").into()), "expected f16 of"),
            (
                said(|_, file| drop(file.tensors.insert("../../etc/x".into(), Stored::of_u8(&[1])))),
                "tensor \"../../etc/x\": expected the outputs of a case",
            ),
        ] {
            assert!(found.contains(message), "{found}\nlacks {message}");
        }
        assert!(read(b"{}").is_err());
    }
}
