//! Makes the golden tensors from the specs, and holds the reference and the bound of this program against those that are kept.

use std::collections::BTreeMap;

use super::stored::{
    CONTRACT, DTYPES, Expected, FORMAT, Golden, GoldenFiles, INPUTS, LAYOUT, OTHER_WIDTH, PAIRS, Provenance, SUMS,
    TOKENS, WIDTHS, Width, read, sha256,
};
use crate::case::tensor_file::{Stored, TensorFile};
use crate::case::{Alias, BesideDtype, Case, Data, Level, Memory, PositionOrder, PositionSource, TableWidth};
use crate::contract::{Contract, ContractTable, Frequency};
use crate::contract::{PairBound, Types};
use crate::numeric::{DType, Dd, Number, Rng};
use crate::positions::Layout;
use crate::rotation::reference::position_of;
use crate::rotation::{HeadShape, RotationPlan};
use crate::spec::Library;
use crate::spec::Parameters;
use crate::spec::model::{Pairing, Scheme};

/// How the files are made, for their metadata.
const MADE: &str = "INSTA_UPDATE=always cargo test --test golden";

/// All files of `golden/tensors/` as the specs of `library` give them. GoldenFiles of `before` whose tensors do not change keep their
/// version and the hash of their spec: it says from what the values were recorded.
///
/// # Errors
/// If a scheme has no positions on [`LAYOUT`] or no plan for [`WIDTHS`].
pub fn make(library: &Library, contracts: &ContractTable, before: &GoldenFiles) -> Result<GoldenFiles, String> {
    let contract = contracts.contract(CONTRACT.0, CONTRACT.1).ok_or("the golden contract does not exist")?;
    let mut files = GoldenFiles::new();
    let (golden, inputs) = inputs();
    let inputs = kept_or_new(before.get(INPUTS), inputs, provenance(None, String::new(), BTreeMap::new()))?;
    let inputs_sha256 = sha256(&inputs);
    files.insert(INPUTS.into(), inputs);
    for scheme in library.schemes() {
        let name = format!("{}.safetensors", scheme.id());
        let (file, cases) = scheme_file(scheme, &contract, &golden).map_err(|why| format!("{}: {why}", scheme.id()))?;
        let provenance = provenance(Some(scheme), inputs_sha256.clone(), cases);
        files.insert(name.clone(), kept_or_new(before.get(&name), file, provenance)?);
    }
    let sums: String = files.iter().map(|(name, bytes)| format!("{}  {name}\n", sha256(bytes))).collect();
    files.insert(SUMS.into(), sums.into_bytes());
    Ok(files)
}

fn kept_or_new(before: Option<&Vec<u8>>, mut file: TensorFile, mut new: Provenance) -> Result<Vec<u8>, String> {
    if let Some(old) = before.and_then(|bytes| TensorFile::read(bytes).ok())
        && old.tensors == file.tensors
        && let Ok(old) = serde_json::from_str::<Provenance>(&old.metadata)
    {
        (new.ropecheck, new.spec_sha256) = (old.ropecheck, old.spec_sha256);
    }
    file.metadata = serde_json::to_string(&new).map_err(|e| e.to_string())?;
    file.write().map_err(|e| e.to_string())
}

fn provenance(scheme: Option<&Scheme>, inputs_sha256: String, cases: BTreeMap<String, String>) -> Provenance {
    Provenance {
        format: FORMAT,
        ropecheck: env!("CARGO_PKG_VERSION").into(),
        made: MADE.into(),
        scheme: scheme.map(Scheme::id).unwrap_or_default(),
        spec_sha256: scheme.map(|s| s.sha256.clone()).unwrap_or_default(),
        layout: LAYOUT.into(),
        axes: scheme.map(|s| s.axes.clone()).unwrap_or_default(),
        contract: format!("{}/{}", CONTRACT.0, CONTRACT.1),
        inputs_sha256,
        cases,
    }
}

/// Inputs of every token and pair: evenly in [-2, 2), numbers of their type.
fn inputs() -> (Golden, TensorFile) {
    let mut golden = Golden { inputs: Default::default(), schemes: BTreeMap::new() };
    let mut file = TensorFile::default();
    for (dtype, inputs) in DTYPES.into_iter().zip(&mut golden.inputs) {
        let mut rng = dtype.name().bytes().fold(Rng::new(0x676f_6c64), |rng, byte| rng.fork(u64::from(byte)));
        inputs.extend((0..2 * TOKENS * PAIRS).map(|_| dtype.round(4.0 * rng.unit() - 2.0)));
        file.tensors.insert(dtype.name().into(), Stored::of(dtype, &[TOKENS, PAIRS, 2], inputs));
    }
    (golden, file)
}

/// Rotated channels of a scheme's golden heads, each with the narrowest head of which the scheme rotates so many.
#[must_use]
pub fn widths(scheme: &Scheme) -> Vec<(u32, u32)> {
    let all = |widths: &[u32]| -> Vec<_> { widths.iter().filter_map(|w| Some((*w, head_of(scheme, *w)?))).collect() };
    let usual = all(&WIDTHS);
    if usual.is_empty() { all(&[OTHER_WIDTH]) } else { usual }
}

/// The narrowest head of which a scheme rotates so many channels.
fn head_of(scheme: &Scheme, width: u32) -> Option<u32> {
    const MOST_TIMES: u32 = 8;
    let parameters = Parameters::defaults(scheme).ok()?;
    let of = |head_dim: &u32| crate::spec::rotary_dim(scheme, &parameters, *head_dim) == Some(width);
    (width..=MOST_TIMES * width).find(of).filter(|_| scheme.pairs.allow(width as usize / 2))
}

/// The case that a group of tensors is about.
pub(super) fn case(scheme: &str, dtype: DType, head_dim: u32) -> Case {
    Case {
        check: "golden".into(),
        scheme: scheme.into(),
        parameters: Vec::new(),
        level: Level::Rotate,
        dtype,
        pairing: Pairing::Half,
        layouts: vec![layout()],
        packed: false,
        window: None,
        place: PositionSource::Layout { shift: 0 },
        position_dtype: DType::I64,
        q_heads: 1,
        k_heads: 0,
        head_dim,
        rotary: None,
        scaling: None,
        per_head: false,
        position_order: PositionOrder::Rows,
        k_dtype: BesideDtype::Storage,
        output_dtype: BesideDtype::Storage,
        table_dtype: BesideDtype::Storage,
        table_width: TableWidth::Half,
        direction: 1,
        memory: Memory::Packed,
        alias: Alias::Out,
        data: Data::Uniform,
        seed: 0,
        spec: None,
    }
}

/// The layout of every golden case.
pub(super) fn layout() -> Layout {
    // It is a constant that tests parse.
    Layout::parse(LAYOUT).unwrap_or_default()
}

fn scheme_file(
    scheme: &Scheme,
    contract: &Contract,
    golden: &Golden,
) -> Result<(TensorFile, BTreeMap<String, String>), String> {
    let parameters = Parameters::defaults(scheme).map_err(|e| e.to_string())?;
    let length = crate::positions::length_of(scheme, &parameters, &[layout()]).map_err(|e| e.to_string())?;
    let parameters = parameters.with_length(length);
    let found = crate::positions::positions(scheme, &parameters, &layout()).map_err(|e| e.to_string())?;
    let rows: Vec<Vec<Number>> = found.columns().iter().map(crate::positions::Column::to_numbers).collect();
    let next = (0..rows.len()).map(|axis| found.next().on(axis).cloned()).collect::<Option<Vec<_>>>();
    let next = next.ok_or("an axis has no position after the layout")?;
    if rows.iter().any(|row| row.len() != TOKENS) {
        return Err(format!("the layout has not {TOKENS} tokens"));
    }
    let (mut file, mut cases) = (TensorFile::default(), BTreeMap::new());
    let flat: Vec<Number> = rows.concat();
    file.tensors.insert("positions".into(), Stored::of_i64(&[rows.len(), TOKENS, 2], &fractions(&flat)?));
    file.tensors.insert("next".into(), Stored::of_i64(&[rows.len(), 2], &fractions(&next)?));
    for (width, head_dim) in widths(scheme) {
        let shape = HeadShape { head_dim, q_heads: 1, k_heads: 1 };
        let plan = RotationPlan::new(scheme, &parameters, shape).map_err(|e| e.to_string())?;
        if (plan.rotary_dim, plan.rotary_offset, plan.map_heads) != (width, 0, 1) {
            return Err(format!("heads of {head_dim} channels do not rotate their first {width} by one map"));
        }
        let pairs = plan.pairs as usize;
        file.tensors.insert(format!("{width}/axis_of_pair"), Stored::of_u8(plan.axes(0)));
        file.tensors.insert(format!("{width}/inv_freq"), Stored::of(DType::F64, &[pairs], plan.frequencies(0)));
        let scaling = Stored::of(DType::F64, &[1], &[plan.attention_scaling]);
        file.tensors.insert(format!("{width}/attention_scaling"), scaling);
        let kept = Width {
            axis_of_pair: plan.axes(0).to_vec(),
            inv_freq: plan.frequencies(0).to_vec(),
            scaling: plan.attention_scaling,
            expected: Default::default(),
        };
        for (index, dtype) in DTYPES.into_iter().enumerate() {
            let expected = compute(golden, index, &rows, &kept, contract)?.expected;
            let (shape, name) = ([TOKENS, pairs, 2], dtype.name());
            let values = Stored::of(DType::F64, &shape, &expected.values);
            file.tensors.insert(format!("{width}/{name}/value"), values);
            let bounds = Stored::of(DType::F32, &shape, &expected.bounds);
            file.tensors.insert(format!("{width}/{name}/bound"), bounds);
            cases.insert(format!("{width}/{name}"), case(&scheme.id(), dtype, head_dim).to_string());
        }
    }
    Ok((file, cases))
}

fn fractions(numbers: &[Number]) -> Result<Vec<i64>, String> {
    let mut all = Vec::with_capacity(2 * numbers.len());
    for number in numbers {
        let parts = number.as_ratio().and_then(|(n, d)| Some([i64::try_from(n).ok()?, i64::try_from(d).ok()?]));
        all.extend(parts.ok_or_else(|| format!("position {number} is no fraction of 64-bit integers"))?);
    }
    Ok(all)
}

/// The f32 next above, or equal: a bound that is rounded must not become narrower.
fn up(bound: f64) -> f64 {
    let near = bound as f32;
    f64::from(if f64::from(near) < bound { near.next_up() } else { near })
}

/// The bound of each pair of a token.
fn bounds(width: &Width, dtype: DType, contract: &Contract, positions: &[Dd]) -> Result<Vec<PairBound>, String> {
    let types = Types::new(contract, dtype);
    let pairs = width.axis_of_pair.iter().zip(&width.inv_freq);
    pairs
        .map(|(axis, frequency)| {
            let position = position_of(positions, *axis);
            let steps = contract.steps(&Frequency::plain(*frequency)).ok_or("the golden contract needs a base")?;
            Ok(PairBound::new(contract, &types, steps, *frequency, position, width.scaling, true))
        })
        .collect()
}

/// Values, bounds and documented errors of the reference, `[token][pair][first, second]`.
#[derive(Default)]
struct Computed {
    expected: Expected,
    errors: Vec<f64>,
}

/// What this program says of one type, from positions, frequencies and inputs alone.
fn compute(
    golden: &Golden,
    dtype: usize,
    positions: &[Vec<Number>],
    width: &Width,
    contract: &Contract,
) -> Result<Computed, String> {
    let types = Types::new(contract, DTYPES[dtype]);
    let mut all = Computed::default();
    for token in 0..TOKENS {
        let here: Vec<Dd> = positions.iter().map(|axis| axis[token].to_dd()).collect();
        for (pair, bound) in bounds(width, DTYPES[dtype], contract, &here)?.iter().enumerate() {
            let (a, b) = golden.input(dtype, token, pair);
            let (first, second) = bound.turn.apply(a, b);
            all.expected.values.extend([first, second]);
            all.expected.bounds.push(up(bound.allowance(&types, false, (a, b), first, second).total()));
            all.expected.bounds.push(up(bound.allowance(&types, true, (a, b), second, first).total()));
            let [cos, sin] = bound.reference;
            all.errors.extend([a.abs() * cos + b.abs() * sin, b.abs() * cos + a.abs() * sin]);
        }
    }
    Ok(all)
}

/// Holds the reference of this program against the values that are kept, within the documented error of both, and its bounds
/// against those that are kept, to the bit, at these widths. `Ok` is the number of values.
///
/// # Errors
/// What differs first, in each scheme.
pub fn agree(golden: &Golden, contract: &Contract, widths: &[u32]) -> Result<usize, Vec<String>> {
    let (mut count, mut wrong) = (0, Vec::new());
    for (id, entry) in &golden.schemes {
        let mut scheme = || -> Result<(), String> {
            let asked = |width: &u32| widths.contains(width) || *width == OTHER_WIDTH;
            for (width, kept) in entry.widths.iter().filter(|(width, _)| asked(width)) {
                for (index, dtype) in DTYPES.into_iter().enumerate() {
                    let Computed { expected: ours, errors } = compute(golden, index, &entry.positions, kept, contract)?;
                    let expected = &kept.expected[index];
                    let values = ours.values.iter().zip(&expected.values).zip(&errors);
                    let bounds = ours.bounds.iter().zip(&expected.bounds);
                    for (at, (((ours, theirs), error), bound)) in values.zip(bounds).enumerate() {
                        let (token, pair) = (at / 2 / kept.inv_freq.len(), at / 2 % kept.inv_freq.len());
                        let place = format!("{width}/{}, token {token}, pair {pair}", dtype.name());
                        let distance = (ours - theirs).abs();
                        if distance.is_nan() || distance > 2.0 * error {
                            return Err(format!("{place}: the reference says {ours:e}, the file {theirs:e}"));
                        }
                        if bound.0.to_bits() != bound.1.to_bits() {
                            return Err(format!("{place}: the bound is {:e}, in the file {:e}", bound.0, bound.1));
                        }
                        count += 1;
                    }
                }
            }
            Ok(())
        };
        if let Err(why) = scheme() {
            wrong.push(format!("golden/tensors/{id}.safetensors: {why}"));
        }
    }
    if wrong.is_empty() { Ok(count) } else { Err(wrong) }
}

/// The same for files.
///
/// # Errors
/// As [`agree`], and if they cannot be read.
pub fn agree_with(files: &GoldenFiles, contracts: &ContractTable, widths: &[u32]) -> Result<usize, Vec<String>> {
    let golden = read(files).map_err(|why| vec![why])?;
    let contract = contracts.contract(CONTRACT.0, CONTRACT.1);
    let contract = contract.ok_or_else(|| vec!["the golden contract does not exist".to_owned()])?;
    agree(&golden, &contract, widths)
}
