//! Reads a manifest: every mistake names its place in the JSON, what was expected and what was found.

use serde_json::Value;

use super::manifest::{Integers, LevelManifest, Manifest, ManifestError};
use super::manifest_values::{Object, choose, choose_list, fail, shown};
use crate::case::{Alias, Consume, Level, Strides};
use crate::contract::{Declaration, KEYS};
use crate::numeric::DType;
use crate::spec::model::Pairing;

const POSITION_TYPES: [(&str, DType); 4] =
    [("i32", DType::I32), ("i64", DType::I64), ("f32", DType::F32), ("f64", DType::F64)];
/// The smallest page there is.
const MAX_ALIGNMENT: i64 = 4096;
const TOP_KEYS: [&str; 26] = [
    "name",
    "version",
    "levels",
    "dtypes",
    "position_dtypes",
    "pairings",
    "head_dims",
    "partial_rotary",
    "q_heads",
    "k_heads",
    "alias",
    "strides",
    "max_position",
    "max_tokens",
    "token_ranges",
    "directions",
    "attention_scaling",
    "per_head",
    "batch_layouts",
    "bases",
    "min_position",
    "alignment",
    "max_offset",
    "bit_stable",
    "varlen",
    "copies",
];

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// Names the place in the JSON, what was expected and what was found.
    pub fn parse(json: &str) -> Result<Manifest, ManifestError> {
        const MAX_BYTES: usize = 1 << 20;
        if json.len() > MAX_BYTES {
            return Err(ManifestError(format!("the manifest has {} bytes, more than {MAX_BYTES}", json.len())));
        }
        let value: Value =
            serde_json::from_str(json).map_err(|e| ManifestError(format!("the manifest is not JSON: {e}")))?;
        parse_manifest(&value)
    }
}

fn parse_manifest(value: &Value) -> Result<Manifest, ManifestError> {
    let top = Object::new("top level", value, &TOP_KEYS)?;
    let dtypes = choose_list("dtypes", top.need("dtypes")?, &DType::STORAGE.map(|d| (d.name(), d)))?;
    let levels = Object::new("levels", top.need("levels")?, &Level::ALL.map(Level::name))?;
    let mut found = Vec::new();
    for level in Level::ALL {
        if let Some(value) = levels.map.get(level.name()) {
            found.push((level, parse_level(level, value, &dtypes)?));
        }
    }
    if found.is_empty() {
        return fail("levels", "expected at least one of positions, rotate, fused, apply");
    }
    let moves_tensors = found.iter().any(|(level, _)| *level != Level::Positions);
    if moves_tensors && dtypes.is_empty() {
        return fail("dtypes", "expected at least one of f32, f16, bf16");
    }
    let list = |key: &str| -> Result<&Value, ManifestError> { top.need(key) };
    let pairings = match top.map.get("pairings") {
        Some(v) => choose_list("pairings", v, &Pairing::NAMES)?,
        None => vec![Pairing::Half],
    };
    let directions = match top.map.get("directions") {
        None => vec![1],
        Some(Value::Array(items)) if !items.is_empty() && items.iter().all(|v| matches!(v.as_i64(), Some(1 | -1))) => {
            items.iter().filter_map(Value::as_i64).collect()
        }
        Some(other) => return fail("directions", format!("expected a list of 1 and -1, found {}", shown(other))),
    };
    let bases = match top.map.get("bases") {
        None => Vec::new(),
        Some(Value::Array(items)) => items.iter().map(|v| v.to_string().trim_matches('"').to_owned()).collect(),
        Some(other) => return fail("bases", format!("expected a list of numbers, found {}", shown(other))),
    };
    let alias = match top.map.get("alias") {
        Some(v) => choose_list("alias", v, &[("out", Alias::Out), ("in", Alias::In)])?,
        None => vec![Alias::Out],
    };
    for (place, empty) in [("pairings", pairings.is_empty()), ("alias", alias.is_empty())] {
        if empty && moves_tensors {
            return fail(place, "expected at least one entry");
        }
    }
    let strides = match top.map.get("strides") {
        Some(v) => {
            choose("strides", v, &[("packed", Strides::Packed), ("rows", Strides::Rows), ("any", Strides::Any)])?
        }
        None => Strides::Packed,
    };
    let alignment = top.integer("alignment", 1, 1)?;
    if alignment > MAX_ALIGNMENT || alignment & (alignment - 1) != 0 {
        return fail("alignment", format!("expected a power of two up to {MAX_ALIGNMENT}, found {alignment}"));
    }
    let whole = |key: &str, least: i64| -> Result<Integers, ManifestError> {
        if moves_tensors { top.integers(key, least) } else { Ok(Integers::Range { min: 2, max: 2, multiple: 1 }) }
    };
    let max_position = top.integer("max_position", i64::from(i32::MAX), 1)?;
    // A cache has a row per position from 0 on.
    let cached = found.iter().any(|(_, level)| level.consumes(Consume::CosSinCache));
    let min_position = top.integer("min_position", if cached { 0 } else { -max_position }, i64::MIN)?;
    if min_position > 0 {
        return fail("min_position", format!("expected an integer of at most 0, found {min_position}"));
    }
    Ok(Manifest {
        name: top.text("name")?,
        version: top.text("version")?,
        position_dtypes: match top.map.get("position_dtypes") {
            None if found.iter().all(|(l, m)| *l != Level::Positions && !m.consumes(Consume::Positions)) => Vec::new(),
            _ => choose_list("position_dtypes", list("position_dtypes")?, &POSITION_TYPES)?,
        },
        dtypes,
        levels: found,
        pairings,
        head_dims: whole("head_dims", 2)?,
        partial_rotary: top.boolean("partial_rotary", false)?,
        q_heads: whole("q_heads", 1)?,
        k_heads: whole("k_heads", 0)?,
        alias,
        strides,
        max_position,
        min_position,
        max_tokens: top.integer("max_tokens", 1 << 24, 1)?,
        token_ranges: top.boolean("token_ranges", false)?,
        varlen: top.boolean("varlen", false)?,
        copies: top.boolean("copies", false)?,
        bit_stable: match top.map.get("bit_stable") {
            None => None,
            Some(_) => Some(top.boolean("bit_stable", false)?),
        },
        directions,
        attention_scaling: top.boolean("attention_scaling", false)?,
        per_head: top.boolean("per_head", false)?,
        batch_layouts: top.boolean("batch_layouts", true)?,
        bases,
        alignment,
        max_offset: top.integer("max_offset", i64::MAX, 1)?,
    })
}

fn parse_level(level: Level, value: &Value, dtypes: &[DType]) -> Result<LevelManifest, ManifestError> {
    let place = format!("levels.{level}");
    let object = Object::new(&place, value, &["consumes", "schemes", "contract", "contracts"])?;
    let consumes = choose_list(&object.at("consumes"), object.need("consumes")?, &Consume::ALL.map(|c| (c.name(), c)))?;
    let has = |c: Consume| consumes.contains(&c);
    // Each level has one way to learn where its tokens are; without it no result could be right.
    let (needed, ok) = match level {
        Level::Positions | Level::Fused => ("layout", has(Consume::Layout)),
        Level::Rotate => ("positions or cos_sin", has(Consume::Positions) || has(Consume::CosSin)),
        Level::Apply => ("cos_sin", has(Consume::CosSin)),
    };
    if !ok {
        return fail(&object.at("consumes"), format!("a backend of level {level} must consume {needed}"));
    }
    if matches!(level, Level::Positions | Level::Fused) && (has(Consume::Positions) || has(Consume::CosSin)) {
        return fail(&object.at("consumes"), format!("level {level} is given a layout, never positions or cos_sin"));
    }
    let schemes = match object.map.get("schemes") {
        None if level == Level::Apply => vec!["*".to_owned()],
        _ => match object.need("schemes")? {
            Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
                items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            other => {
                return fail(&object.at("schemes"), format!("expected a list of names, found {}", shown(other)));
            }
        },
    };
    let mut contracts = Vec::new();
    if level != Level::Positions {
        let per_dtype = match object.map.get("contracts") {
            Some(v) => Some(Object::new(&object.at("contracts"), v, &DType::STORAGE.map(DType::name))?),
            None => None,
        };
        for dtype in dtypes {
            let (at, value) = match &per_dtype {
                Some(map) => (map.at(dtype.name()), map.need(dtype.name())?),
                None => (object.at("contract"), object.need("contract")?),
            };
            contracts.push((*dtype, parse_contract(&at, level, value)?));
        }
    }
    Ok(LevelManifest { consumes, schemes, contracts })
}

fn parse_contract(at: &str, level: Level, value: &Value) -> Result<Declaration, ManifestError> {
    let known: Vec<&str> = ["class", "frequencies"].into_iter().chain(KEYS.iter().map(|key| key.name)).collect();
    let object = Object::new(at, value, &known)?;
    // Where cos and sin are given, nothing depends on the frequencies.
    let none = level == Level::Apply && !object.map.contains_key("frequencies");
    let frequencies = if none { "table".to_owned() } else { object.text("frequencies")? };
    let mut contract = Declaration::new(object.text("class")?, frequencies);
    for key in &KEYS {
        let Some(value) = object.map.get(key.name) else { continue };
        let read = match value {
            Value::Number(n) => {
                n.as_f64().ok_or_else(|| format!("expected {}, found {n}", key.takes)).and_then(|n| key.takes.number(n))
            }
            Value::Bool(truth) => key.takes.truth(*truth),
            Value::String(text) => key.takes.word(text),
            other => Err(format!("expected {}, found {}", key.takes, shown(other))),
        };
        if let Err(why) = read.and_then(|value| contract.settings.add(key, value)) {
            return fail(&object.at(key.name), why);
        }
    }
    Ok(contract)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manifest whose contract is `contract`, in the place of `key`.
    fn manifest(level: &str, key: &str, contract: &str) -> Result<Manifest, String> {
        let consumes = if level == "apply" { "cos_sin" } else { "positions" };
        Manifest::parse(&format!(
            r#"{{"name": "m", "version": "1", "dtypes": ["f32", "bf16"], "position_dtypes": ["i64"], "head_dims": 64,
            "q_heads": 1, "k_heads": 0,
            "levels": {{"{level}": {{"consumes": ["{consumes}"], "schemes": ["*"], "{key}": {contract}}}}}}}"#
        ))
        .map_err(|e| e.to_string())
    }

    #[test]
    fn a_contract_is_read_with_its_numbers() {
        let text = r#"{"class": "cached", "frequencies": "pow", "trig_ulps": 1, "fma": "never", "flushes": true, "per_index.library": 2}"#;
        let one = manifest("rotate", "contract", text).expect("is one");
        let level = one.level(Level::Rotate).expect("is there");
        for dtype in [DType::F32, DType::BF16] {
            let contract = level.contract(dtype).expect("is there").to_string();
            assert_eq!(contract, "cached/pow,trig_ulps=1,flushes=true,fma=never,per_index.library=2");
        }
        // As JSON it is what it was read from.
        let json = serde_json::to_value(level.contract(DType::F32)).expect("JSON");
        let mut given: Value = serde_json::from_str(text).expect("JSON");
        given["trig_ulps"] = 1.0.into();
        given["per_index.library"] = 2.0.into();
        assert_eq!(json, given);
        let text =
            r#"{"f32": {"class": "fused", "frequencies": "table"}, "bf16": {"class": "eager", "frequencies": "exp"}}"#;
        let two = manifest("rotate", "contracts", text).expect("is one");
        let contract = two.level(Level::Rotate).and_then(|level| level.contract(DType::BF16)).expect("is there");
        assert_eq!(contract.to_string(), "eager/exp");
        // Where cos and sin are given the way to frequencies may be left out.
        assert!(manifest("apply", "contract", r#"{"class": "fused", "store": "toward-zero"}"#).is_ok());
    }

    #[test]
    fn mistakes_in_a_contract_name_place_expectation_and_finding() {
        for (key, contract, message) in [
            ("contract", r#"{"class": "fused"}"#, "levels.rotate.contract: key \"frequencies\" is missing"),
            (
                "contract",
                r#"{"class": "fused", "frequencies": "pow", "library_ulp": 1}"#,
                "levels.rotate.contract: unknown key \"library_ulp\"; did you mean \"library_ulps\"?",
            ),
            (
                "contract",
                r#"{"class": "fused", "frequencies": "pow", "library_ulps": -1}"#,
                "levels.rotate.contract.library_ulps: expected a number from 0 to 65536, found -1",
            ),
            (
                "contract",
                r#"{"class": "fused", "frequencies": "pow", "trig_error": "1e-6"}"#,
                "levels.rotate.contract.trig_error: expected a number from 0 to 0.01, found \"1e-6\"",
            ),
            (
                "contract",
                r#"{"class": "fused", "frequencies": "pow", "flushes": 1}"#,
                "levels.rotate.contract.flushes: expected true or false, found 1",
            ),
            (
                "contract",
                r#"{"class": "fused", "frequencies": "pow", "angles": "exat"}"#,
                "levels.rotate.contract.angles: unknown value \"exat\", expected one of exact, f64, f32; did you mean \"exact\"?",
            ),
            (
                "contract",
                r#"{"class": "fused", "frequencies": "pow", "angle_limit": null}"#,
                "levels.rotate.contract.angle_limit: expected a number from 0 to 1e12, found null",
            ),
            (
                "contracts",
                r#"{"f32": {"class": "fused", "frequencies": "pow"}, "bf16": {"class": "fused", "frequencies": "pow", "fma": true}}"#,
                "levels.rotate.contracts.bf16.fma: expected one of allowed, always, never, found true",
            ),
        ] {
            let error = manifest("rotate", key, contract).expect_err(message);
            assert!(error.contains(message), "{error}");
        }
    }
}
