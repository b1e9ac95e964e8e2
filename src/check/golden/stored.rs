//! The golden tensors as they are kept in `golden/tensors/`, and compiled in: read, and held to their checksums.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::case::tensor_file::{ElementType, TensorFile, TensorFileError};
use crate::numeric::{DType, Number};

/// The layout of every golden case: text, a video with T, H and W different from 1 and H from W, an image that is no square.
pub const LAYOUT: &str = "text:2 video:2x2x3@1.5s image:2x1 text:2";
/// Its tokens.
pub const TOKENS: usize = 18;
/// Rotated channels of the golden heads.
pub const WIDTHS: [u32; 2] = [64, 128];
/// Those of a scheme that is defined for neither.
pub const OTHER_WIDTH: u32 = 96;
/// Pairs that inputs are kept for: those of the widest head.
pub const PAIRS: usize = 64;
/// Storage types.
pub const DTYPES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];
/// Class and way to frequencies of the stored bounds.
pub const CONTRACT: (&str, &str) = ("fused", "table");
/// The file of the inputs.
pub const INPUTS: &str = "inputs.safetensors";
/// The file of the checksums, as `sha256sum` writes and checks them.
pub const SUMS: &str = "SHA256SUMS";
/// Version of the form of these files.
pub const FORMAT: u32 = 1;

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/golden/tensors");

/// Where a file comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// [`FORMAT`]
    pub format: u32,
    /// The version of ropecheck that recorded these values first.
    pub ropecheck: String,
    /// How.
    pub made: String,
    /// Scheme and profile; empty for the inputs.
    pub scheme: String,
    /// SHA-256 of the spec that they were recorded from.
    pub spec_sha256: String,
    /// Segments.
    pub layout: String,
    /// Axes, in the order of the positions.
    pub axes: Vec<String>,
    /// The contract of the bounds.
    pub contract: String,
    /// SHA-256 of the file of inputs.
    pub inputs_sha256: String,
    /// A case of check `golden` for each group of tensors.
    pub cases: BTreeMap<String, String>,
}

/// Outputs of one width and type, `[token][pair][first, second]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expected {
    /// What the reference said.
    pub values: Vec<f64>,
    /// By how much an output may differ under [`CONTRACT`].
    pub bounds: Vec<f64>,
}

/// What is kept for one width.
#[derive(Debug, Clone, PartialEq)]
pub struct Width {
    /// Axis of each pair.
    pub axis_of_pair: Vec<u8>,
    /// Frequency of each pair, to the bit.
    pub inv_freq: Vec<f64>,
    /// Factor on cos and sin.
    pub scaling: f64,
    /// In the order of [`DTYPES`].
    pub expected: [Expected; 3],
}

/// What is kept for one scheme.
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenEntry {
    /// Position of `[axis][token]`.
    pub positions: Vec<Vec<Number>>,
    /// Position of text after the layout, by axis.
    pub next: Vec<Number>,
    /// By rotated channels, in the order of [`WIDTHS`].
    pub widths: Vec<(u32, Width)>,
    /// Where it comes from.
    pub provenance: Provenance,
}

impl GoldenEntry {
    /// What is kept for heads with this many rotated pairs.
    #[must_use]
    pub fn width(&self, pairs: usize) -> Option<&Width> {
        self.widths.iter().find(|(width, _)| *width as usize == 2 * pairs).map(|(_, kept)| kept)
    }
}

/// All golden tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    /// Inputs by type in the order of [`DTYPES`], `[token][pair][a, b]` of [`PAIRS`] pairs; narrower heads have the first of
    /// them.
    pub inputs: [Vec<f64>; 3],
    /// By scheme and profile.
    pub schemes: BTreeMap<String, GoldenEntry>,
}

impl Golden {
    /// The two inputs of a pair.
    #[must_use]
    pub fn input(&self, dtype: usize, token: usize, pair: usize) -> (f64, f64) {
        let at = 2 * (token * PAIRS + pair);
        match self.inputs.get(dtype).and_then(|inputs| inputs.get(at..at + 2)) {
            Some([a, b]) => (*a, *b),
            _ => (f64::NAN, f64::NAN),
        }
    }
}

/// GoldenFiles by name.
pub type GoldenFiles = BTreeMap<String, Vec<u8>>;

/// The files that are compiled in.
#[must_use]
pub fn embedded() -> GoldenFiles {
    let name = |file: &include_dir::File| file.path().to_str().map(str::to_owned);
    EMBEDDED.files().filter_map(|file| Some((name(file)?, file.contents().to_vec()))).collect()
}

/// What is compiled in, read once.
///
/// # Errors
/// If a file is not what its checksum says, or cannot be read: then no golden value can be believed.
pub fn stored() -> Result<&'static Golden, &'static str> {
    static READ: OnceLock<Result<Golden, String>> = OnceLock::new();
    READ.get_or_init(|| read(&embedded())).as_ref().map_err(String::as_str)
}

/// SHA-256 in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Reads the files.
///
/// # Errors
/// The file, and what is wrong with it.
pub fn read(files: &GoldenFiles) -> Result<Golden, String> {
    let of = |name: &str, why: &dyn std::fmt::Display| format!("golden/tensors/{name}: {why}");
    let sums = files.get(SUMS).ok_or_else(|| of(SUMS, &"it is missing"))?;
    let sums = std::str::from_utf8(sums).map_err(|e| of(SUMS, &e))?;
    let mut listed = BTreeMap::new();
    for (index, line) in sums.lines().enumerate() {
        let (sum, name) = line
            .split_once("  ")
            .ok_or_else(|| of(SUMS, &format!("line {}: expected SHA256 and NAME, found {line:?}", index + 1)))?;
        if listed.insert(name, sum).is_some() {
            return Err(of(SUMS, &format!("line {}: {name} is there twice", index + 1)));
        }
    }
    for (name, bytes) in files.iter().filter(|(name, _)| *name != SUMS) {
        let listed = listed.remove(name.as_str()).ok_or_else(|| of(name, &format!("it is not listed in {SUMS}")))?;
        let found = sha256(bytes);
        if listed != found {
            return Err(of(name, &format!("its SHA-256 is {found}, {SUMS} says {listed}: it was changed")));
        }
    }
    if let Some(name) = listed.keys().next() {
        return Err(of(name, &format!("it is missing, and listed in {SUMS}")));
    }
    let inputs = files.get(INPUTS).ok_or_else(|| of(INPUTS, &"it is missing"))?;
    let inputs = inputs_of(inputs).map_err(|why| of(INPUTS, &why))?;
    let mut schemes = BTreeMap::new();
    for (name, bytes) in files.iter().filter(|(name, _)| ![SUMS, INPUTS].contains(&name.as_str())) {
        let id = name.strip_suffix(".safetensors").ok_or_else(|| of(name, &"expected NAME.safetensors"))?;
        let entry = entry(bytes).map_err(|why| of(name, &why))?;
        if entry.provenance.scheme != id {
            return Err(of(name, &format!("it is about {:?}", entry.provenance.scheme)));
        }
        schemes.insert(id.to_owned(), entry);
    }
    Ok(Golden { inputs, schemes })
}

fn inputs_of(bytes: &[u8]) -> Result<[Vec<f64>; 3], String> {
    let file = TensorFile::read(bytes).map_err(|e| e.to_string())?;
    let mut all: [Vec<f64>; 3] = Default::default();
    for (dtype, inputs) in DTYPES.into_iter().zip(&mut all) {
        *inputs = floats(&file, dtype.name(), dtype, &[TOKENS, PAIRS, 2]).map_err(|e| e.to_string())?;
    }
    Ok(all)
}

fn floats(file: &TensorFile, name: &str, dtype: DType, shape: &[usize]) -> Result<Vec<f64>, TensorFileError> {
    let stored = file.tensor(name, ElementType::Number(dtype), shape)?;
    Ok(stored.floats(dtype).unwrap_or_default())
}

fn fractions(file: &TensorFile, name: &str, shape: &[usize]) -> Result<Vec<Number>, String> {
    let stored = file.tensor(name, ElementType::Number(DType::I64), shape).map_err(|e| e.to_string())?;
    let integers = stored.integers().unwrap_or_default();
    let number = |pair: &[i64]| Number::ratio(i128::from(pair[0]), i128::from(pair[1]));
    integers.chunks_exact(2).map(number).collect::<Result<_, _>>().map_err(|e| format!("tensor {name:?}: {e}"))
}

fn entry(bytes: &[u8]) -> Result<GoldenEntry, String> {
    let file = TensorFile::read(bytes).map_err(|e| e.to_string())?;
    let provenance: Provenance =
        serde_json::from_str(&file.metadata).map_err(|e| format!("metadata \"ropecheck\": {e}"))?;
    if provenance.format != FORMAT || provenance.layout != LAYOUT {
        return Err(format!("expected format {FORMAT} with layout {LAYOUT}, found {provenance:?}"));
    }
    let axes = provenance.axes.len();
    let positions = fractions(&file, "positions", &[axes, TOKENS, 2])?;
    let positions = positions.chunks_exact(TOKENS).map(<[Number]>::to_vec).collect();
    let next = fractions(&file, "next", &[axes, 2])?;
    let mut widths = Vec::new();
    let there = |width: &u32| file.tensors.contains_key(&format!("{width}/inv_freq"));
    let some = WIDTHS.into_iter().filter(there).collect::<Vec<_>>();
    for width in if some.is_empty() { vec![OTHER_WIDTH] } else { some } {
        let kept = kept(&file, width).map_err(|e| e.to_string())?;
        widths.push((width, kept));
    }
    Ok(GoldenEntry { positions, next, widths, provenance })
}

fn kept(file: &TensorFile, width: u32) -> Result<Width, TensorFileError> {
    let pairs = width as usize / 2;
    let axes = file.tensor(&format!("{width}/axis_of_pair"), ElementType::U8, &[pairs])?;
    let scaling = floats(file, &format!("{width}/attention_scaling"), DType::F64, &[1])?;
    let mut expected: [Expected; 3] = Default::default();
    for (dtype, expected) in DTYPES.into_iter().zip(&mut expected) {
        let (shape, name) = ([TOKENS, pairs, 2], format!("{width}/{}", dtype.name()));
        expected.values = floats(file, &format!("{name}/value"), DType::F64, &shape)?;
        expected.bounds = floats(file, &format!("{name}/bound"), DType::F32, &shape)?;
    }
    Ok(Width {
        axis_of_pair: axes.bytes.clone(),
        inv_freq: floats(file, &format!("{width}/inv_freq"), DType::F64, &[pairs])?,
        scaling: scaling.first().copied().unwrap_or(f64::NAN),
        expected,
    })
}
