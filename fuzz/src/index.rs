//! The index of exported vectors: what is read comes back, and outputs are asked for only of a case that this
//! ropecheck exports just so.

use std::cell::Cell;

use arbitrary::{Result, Unstructured};
use serde_json::{Value, json};

use ropecheck::backend::Manifest;
use ropecheck::case::Case;
use ropecheck::case::tensor_file::TensorFile;
use ropecheck::run::vectors::{Exporter, Index, VectorCase, verify};

use super::world::{NAMES, with_context};

const MANIFEST: &str = r#"{
    "name": "m", "version": "1", "dtypes": ["f32", "bf16"], "position_dtypes": ["i64"], "head_dims": [4, 8],
    "q_heads": [1, 2], "k_heads": [0, 1], "pairings": ["half"],
    "levels": {
        "positions": {"consumes": ["layout"], "schemes": ["rope", "m-rope"]},
        "rotate": {"consumes": ["positions", "axis_of_pair", "inv_freq"], "schemes": ["*"],
                   "contract": {"class": "eager", "frequencies": "table"}}
    }
}"#;
const CASES: [&str; 3] = [
    "accuracy,scheme=rope@default,level=rotate,dtype=f32,pairing=half,layout=text:12,shift=16777210,positions=i64,\
     heads=1/1,head-dim=4,memory=packed,alias=out,data=ties,seed=2aafe0af",
    "accuracy,scheme=vrope@official,level=rotate,dtype=f32,pairing=half,layout=text:23,span=0..255,positions=i64,\
     heads=1/1,head-dim=4,memory=packed,alias=out,data=mixed,seed=dbaa36d0",
    "accuracy,scheme=m-rope@default,level=rotate,dtype=bf16,pairing=half,layout=text:23,span=0..255,positions=i64,\
     heads=1/1,head-dim=8,memory=packed,alias=out,data=mixed,seed=e1d483b3",
];
/// What is put in the place of a part of an index.
const PARTS: [&str; 12] = [
    "null",
    "-1",
    "0",
    "18446744073709551615",
    "1e999",
    "\"\"",
    "\"../x\"",
    "\"0001.safetensors\"",
    "[]",
    "{}",
    "true",
    "[[[]]]",
];

/// JSON; after a first byte of 0x80 or more, choices that make an index, and change it.
pub fn run(data: &[u8]) {
    let text = match data {
        [0x80..=0xff, choices @ ..] => made(&mut Unstructured::new(choices)).ok(),
        _ => std::str::from_utf8(data).ok().map(str::to_owned),
    };
    let Some(text) = text else { return };
    let index = match Index::read(text.as_bytes()) {
        Ok(index) => index,
        Err(error) => return brief(&error.to_string()),
    };
    assert!((1..=2000).contains(&index.cases.len()), "{} cases", index.cases.len());
    assert!(index.cases.iter().all(|case| !case.file.contains('/')), "a name leads elsewhere");
    let again = serde_json::to_vec(&index).expect("what was read can be written");
    assert_eq!(Index::read(&again).as_ref(), Ok(&index));
    with_context(|context| {
        // One case, so that an input is quick; its outputs are missing, so that nothing is judged.
        let asked = Cell::new(0);
        let read = |case: &VectorCase| -> std::result::Result<TensorFile, String> {
            asked.set(asked.get() + 1);
            let exported =
                Manifest::parse(&index.manifest.to_string(), *NAMES).map_err(|e| e.to_string()).and_then(|manifest| {
                    let line: Case = case.case.parse().map_err(|_| "no case".to_owned())?;
                    Exporter { manifest: &manifest, context }.case(0, &case.id, &line)
                });
            assert_eq!(exported.expect("what is judged can be exported").entry, *case);
            Err("missing".to_owned())
        };
        match verify(&index, context, &[], &|case| case.file == index.cases[0].file, &read) {
            Ok(report) => assert!(asked.get() == 1 && report.files == ["missing"] && report.exit_code as u8 != 0),
            Err(error) => brief(&error.message),
        }
    });
}

/// A message is a few words, whatever was read.
fn brief(message: &str) {
    assert!(message.len() < 1 << 16, "a message of {} bytes", message.len());
}

/// An index as `export` makes it, with up to two parts changed.
fn made(u: &mut Unstructured) -> Result<String> {
    let mut index = with_context(|context| -> Result<Value> {
        let manifest = Manifest::parse(MANIFEST, *NAMES).expect("a manifest");
        let exporter = Exporter { manifest: &manifest, context };
        let mut index = Index::new(serde_json::from_str(MANIFEST).expect("JSON"));
        for number in 0..u.int_in_range(1..=2)? {
            let case: Case = u.choose(&CASES)?.parse().expect("a case");
            let exported = exporter.case(number, "a/b/c", &case).unwrap_or_else(|why| panic!("{case}: {why}"));
            index.cases.push(exported.entry);
        }
        Ok(json!(index))
    })?;
    for _ in 0..u.int_in_range(0..=2)? {
        let part = inside(&mut index, u)?;
        *part = match u.int_in_range(0..=3)? {
            0 => json!(u.arbitrary::<&str>()?),
            1 => json!(u.arbitrary::<i64>()?),
            2 => json!(u.choose(&CASES)?),
            _ => serde_json::from_str(u.choose(&PARTS)?).unwrap_or(Value::Null),
        };
    }
    Ok(index.to_string())
}

/// A part of a value, some way down.
fn inside<'a>(value: &'a mut Value, u: &mut Unstructured) -> Result<&'a mut Value> {
    let size = value.as_array().map_or(0, Vec::len) + value.as_object().map_or(0, serde_json::Map::len);
    if size == 0 || u.ratio(1, 6)? {
        return Ok(value);
    }
    let at = u.choose_index(size)?;
    match value {
        Value::Array(all) => inside(&mut all[at], u),
        Value::Object(all) => inside(all.values_mut().nth(at).expect("it is there"), u),
        _ => unreachable!("it has parts"),
    }
}
