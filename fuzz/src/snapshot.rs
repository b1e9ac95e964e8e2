//! Snapshots: what is read is written as a file that is read as the same; what is refused is refused in a few words.

use arbitrary::{Result, Unstructured};
use serde_json::{Value, json};

use ropecheck::run::snapshot::{read, write};

/// A case of each shape that a snapshot tells apart.
const CASES: [&str; 3] = [
    "accuracy,scheme=rope@default,level=rotate,dtype=bf16,pairing=half,layout=text:2,positions=i64,heads=1/1,\
     head-dim=2,memory=packed,alias=out,data=mixed,seed=1",
    "accuracy,scheme=vrope@official,level=fused,dtype=f32,pairing=half,layout=text:1//text:1,positions=i64,heads=2/0,\
     head-dim=2,memory=packed,alias=out,data=mixed,seed=1",
    "positions-exact,scheme=m-rope@default,level=positions,layout=text:2,positions=i64,heads=1/0,head-dim=2,seed=1",
];
const TYPES: [(&str, usize); 8] =
    [("BF16", 2), ("F16", 2), ("F32", 4), ("F64", 8), ("I64", 8), ("U8", 1), ("I32", 4), ("C64", 8)];

/// A file; after a first byte of 0x80 or more, choices that make one.
pub fn run(data: &[u8]) {
    let file = match data {
        [0x80..=0xff, choices @ ..] => made(&mut Unstructured::new(choices)).ok(),
        _ => Some(data.to_vec()),
    };
    let Some(file) = file else { return };
    match read(&file) {
        Ok(snapshot) => {
            let again = write(&snapshot).expect("what was read can be written");
            assert_eq!(read(&again).expect("and read"), snapshot);
        }
        Err(error) => assert!(error.to_string().chars().count() < 4096),
    }
}

/// Header and data of a file that is nearly one of a snapshot.
fn made(u: &mut Unstructured) -> Result<Vec<u8>> {
    let mut header = serde_json::Map::new();
    let mut bytes = 0u64;
    let mut entries: Vec<Value> = Vec::new();
    for number in 0..u.int_in_range(0..=3)? {
        let case = *u.choose(&CASES)?;
        let id = format!("{number}");
        entries.push(json!({"id": id, "case": if u.ratio(1, 16)? { u.arbitrary::<&str>()? } else { case }}));
        let parts: &[(&str, &str, &[u64])] = match case {
            c if c == CASES[0] => &[("q", "BF16", &[1, 2, 1, 2]), ("k", "BF16", &[1, 2, 1, 2])],
            c if c == CASES[1] => &[("q", "F32", &[2, 1, 2, 2])],
            _ => &[("positions", "I64", &[3, 1, 2]), ("next", "I64", &[3, 1])],
        };
        for (name, dtype, shape) in parts {
            if u.ratio(1, 16)? {
                continue;
            }
            let dtype = if u.ratio(1, 8)? { u.choose(&TYPES)?.0 } else { dtype };
            let mut shape = shape.to_vec();
            if u.ratio(1, 8)? {
                let at = u.choose_index(shape.len())?;
                shape[at] = u.arbitrary()?;
            }
            let size = TYPES.iter().find(|(n, _)| *n == dtype).map_or(1, |(_, size)| *size as u64);
            let length = shape.iter().try_fold(size, |n, d| n.checked_mul(*d)).unwrap_or(u64::MAX);
            let start: u64 = if u.ratio(1, 16)? { u.arbitrary()? } else { bytes };
            let end = start.saturating_add(length);
            header
                .insert(format!("{id}/{name}"), json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]}));
            bytes = end;
        }
    }
    let mut about = json!({
        "format": 1, "ropecheck": "0", "backend": "b", "version": "1", "manifest": {}, "specs": {},
        "selection": {"schemes": [], "dtypes": [], "levels": [], "cases": 1, "seed": 1, "parameters": []},
        "cases": entries,
    });
    if u.ratio(1, 8)? {
        let key = *u.choose(&["format", "manifest", "specs", "selection", "cases", "colour"])?;
        about[key] = json!(u.arbitrary::<u8>()?);
    }
    if !u.ratio(1, 16)? {
        header.insert("__metadata__".into(), json!({"ropecheck": about.to_string()}));
    }
    let header = Value::from(header).to_string();
    let length = if u.ratio(1, 16)? { u.arbitrary()? } else { header.len() as u64 };
    let mut file = length.to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    let data = if u.ratio(1, 16)? { u.int_in_range(0..=64)? } else { bytes.min(1 << 12) };
    for _ in 0..data {
        file.push(u.arbitrary().unwrap_or(0));
    }
    Ok(file)
}
