//! Reads a manifest (docs/abi.md).

use serde_json::{Value, json};

use super::foreign_text::ForeignText;
use super::manifest::{Integers, LevelManifest, Manifest, ManifestError, Vocabulary};
use super::manifest_docs::{CONTRACT_DOCS, DOCS, LEVEL_DOCS, OF_LEVEL_DOCS};
use super::manifest_kinds::{Kind, expected, integer, value, word};
use super::manifest_mistakes::{Mistakes, Object};
use super::manifest_offers::{layouts, parameters};
use super::source_place::source;
use crate::case::{Alias, BesideDtype, Consume, Level, PositionStrides, Strides, TableWidth};
use crate::contract::{ContractKey, Declaration, KEYS, Setting, Takes};
use crate::numeric::{DType, Number};
use crate::rotation::MAX_HEAD_DIM;
use crate::spec::model::Pairing;

const POSITION_TYPES: [(&str, DType); 4] =
    [("i32", DType::I32), ("i64", DType::I64), ("f32", DType::F32), ("f64", DType::F64)];
/// The smallest page there is.
const MAX_ALIGNMENT: i64 = 4096;
/// Most heads. One token of so many is still a case.
const MAX_HEADS: i64 = 1 << 16;

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// Every mistake: its place in the JSON, what was expected and what was found.
    pub fn parse(json: &str, names: Vocabulary) -> Result<Manifest, ManifestError> {
        let mistakes = Mistakes::default();
        let manifest = mistakes.top(json).map(|top| manifest(top, names));
        mistakes.finish(manifest)
    }
}

/// The JSON Schema of a manifest, for editors: what [`Manifest::parse`] asks for, by the same code. What hangs
/// on names of schemes, and on what stands beside a key, is in it in part.
#[must_use]
pub fn manifest_schema(names: Vocabulary) -> Value {
    let mut schema = Mistakes::schema(|top| drop(manifest(top, names)));
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Manifest of a backend of ropecheck");
    schema
}

fn manifest(mut top: Object, names: Vocabulary) -> Manifest {
    top.need(&["name", "version", "levels", "dtypes"]);
    let mut offered = Vec::new();
    if let Some(mut levels) = top.object("levels") {
        offered.extend(Level::ALL.into_iter().filter_map(|level| Some((level, levels.object(level.name())?))));
        levels.rule(|| json!({"minProperties": 1}));
        levels.finish(&LEVEL_DOCS);
        if offered.is_empty() {
            top.mistakes.note("levels", "expected at least one of positions, rotate, fused, apply");
        }
    }
    let moves_tensors = offered.iter().any(|(level, _)| *level != Level::Positions);
    // What is needed beside other keys alone is a rule of the schema, below.
    let least = |needed: bool, top: &Object| usize::from(needed && !top.makes_schema());
    let dtypes = top
        .list("dtypes", least(moves_tensors, &top), word(&DType::STORAGE.map(|dtype| (dtype.name(), dtype))))
        .unwrap_or_default();
    let levels: Vec<_> =
        offered.into_iter().map(|(level, object)| (level, self::level(level, object, &dtypes, names))).collect();
    let consumed = |what| levels.iter().any(|(_, level): &(Level, LevelManifest)| level.consumes(what));
    let positions = levels.iter().any(|(level, _)| *level == Level::Positions) || consumed(Consume::Positions);
    let of_tensors = ["head_dims", "q_heads", "k_heads"];
    top.rule(|| {
        let levels: Vec<Value> = Level::ALL[1..].iter().map(|level| json!({"required": [level.name()]})).collect();
        json!({
            "if": {"properties": {"levels": {"anyOf": levels}}},
            "then": {"required": of_tensors, "properties": {"dtypes": {"minItems": 1}}}
        })
    });
    if moves_tensors {
        top.lacks(&of_tensors);
    }
    let used = |read: Option<Integers>| {
        read.filter(|_| moves_tensors).unwrap_or(Integers::Range { min: 2, max: 2, multiple: 1 })
    };
    let max_position = top.read("max_position", integer(1..=i64::MAX)).unwrap_or(i64::from(i32::MAX));
    // A cache has a row per position from 0 on.
    let least_position = if consumed(Consume::CosSinCache) { 0 } else { -max_position };
    let table_dtypes = top.list("table_dtypes", 1, word(&BesideDtype::ALL));
    let table_widths = top.list("table_widths", 1, word(&TableWidth::ALL));
    let of_tokens = consumed(Consume::CosSin);
    let of_any = of_tokens || consumed(Consume::CosSinCache);
    for (key, given, ok, what) in [
        ("table_dtypes", table_dtypes.is_some(), of_any, "cos_sin or cos_sin_cache"),
        ("table_widths", table_widths.is_some(), of_tokens, "cos_sin"),
    ] {
        if given && !ok {
            top.mistakes.note(key, format!("no level consumes {what}, so there are no tables that it is about"));
        }
    }
    let table_dtypes = table_dtypes.unwrap_or_else(|| vec![BesideDtype::Storage]);
    let table_widths = table_widths.unwrap_or_else(|| vec![TableWidth::Half]);
    let alias =
        top.list("alias", 1, word(&[("out", Alias::Out), ("in", Alias::In)])).unwrap_or_else(|| vec![Alias::Out]);
    let k_dtypes = top.list("k_dtypes", 1, word(&BesideDtype::ALL)).unwrap_or_else(|| vec![BesideDtype::Storage]);
    let output_dtypes =
        top.list("output_dtypes", 1, word(&BesideDtype::ALL)).unwrap_or_else(|| vec![BesideDtype::Storage]);
    if !k_dtypes.contains(&BesideDtype::Storage) {
        top.mistakes.note("k_dtypes", "expected storage among them, as most checks give q and k one type");
    }
    if alias.contains(&Alias::In) && !output_dtypes.contains(&BesideDtype::Storage) {
        top.mistakes.note("output_dtypes", "expected storage among them, as outputs on the inputs have their type");
    }
    let partial_rotary = top.truth("partial_rotary").unwrap_or(false);
    let rotary_dims = top.integers("rotary_dims", 2..=i64::from(MAX_HEAD_DIM));
    let rotary_offsets = top.integers("rotary_offsets", 0..=i64::from(MAX_HEAD_DIM));
    for (key, given) in [("rotary_dims", &rotary_dims), ("rotary_offsets", &rotary_offsets)] {
        if given.is_some() && !partial_rotary {
            top.mistakes.note(key, "has a meaning with \"partial_rotary\": true alone");
        }
    }
    let strides = [("packed", Strides::Packed), ("rows", Strides::Rows), ("any", Strides::Any)];
    let strides = top.read("strides", word(&strides)).unwrap_or(Strides::Packed);
    let negative_strides = top.truth("negative_strides").unwrap_or(false);
    if negative_strides && strides == Strides::Packed {
        top.mistakes.note("negative_strides", "has a meaning with \"strides\": \"rows\" or \"any\" alone");
    }
    let even = Integers::Range { min: 2, max: i64::from(MAX_HEAD_DIM), multiple: 2 };
    let part = |read: Option<Integers>, otherwise: Integers| read.unwrap_or(otherwise);
    let parameters = parameters(&mut top, levels.iter().map(|(_, level)| level), names);
    let manifest = Manifest {
        name: top.read("name", text()).unwrap_or_default(),
        version: top.read("version", text()).unwrap_or_default(),
        source: top.read("source", source()).unwrap_or_default(),
        position_dtypes: top
            .list("position_dtypes", least(positions, &top), word(&POSITION_TYPES))
            .unwrap_or_else(|| vec![DType::I64]),
        dtypes,
        levels,
        pairings: top.list("pairings", 1, word(&Pairing::NAMES)).unwrap_or_else(|| vec![Pairing::Half]),
        head_dims: used(top.integers("head_dims", 2..=i64::from(MAX_HEAD_DIM))),
        partial_rotary,
        rotary_dims: part(rotary_dims, even),
        rotary_offsets: part(rotary_offsets, Integers::List(vec![0])),
        q_heads: used(top.integers("q_heads", 1..=MAX_HEADS)),
        k_heads: used(top.integers("k_heads", 0..=MAX_HEADS)),
        alias,
        k_dtypes,
        output_dtypes,
        strides,
        negative_strides,
        position_strides: top
            .read("position_strides", word(&[("rows", PositionStrides::Rows), ("any", PositionStrides::Any)]))
            .unwrap_or(PositionStrides::Rows),
        max_position,
        min_position: top.read("min_position", integer(i64::MIN..=0)).unwrap_or(least_position),
        max_tokens: top.read("max_tokens", integer(1..=i64::MAX)).unwrap_or(1 << 24),
        token_ranges: top.truth("token_ranges").unwrap_or(false),
        varlen: top.truth("varlen").unwrap_or(false),
        copies: top.truth("copies").unwrap_or(false),
        bit_stable: top.truth("bit_stable"),
        directions: top.list("directions", 1, direction()).unwrap_or_else(|| vec![1]),
        attention_scaling: top.truth("attention_scaling").unwrap_or(false),
        per_head: top.truth("per_head").unwrap_or(false),
        batch_layouts: top.truth("batch_layouts").unwrap_or(true),
        bases: top.list("bases", 0, base()).unwrap_or_default(),
        table_dtypes,
        table_widths,
        layouts: layouts(&mut top),
        parameters,
        alignment: top.read("alignment", alignment()).unwrap_or(1),
        max_offset: top.read("max_offset", integer(1..=i64::MAX)).unwrap_or(i64::MAX),
    };
    top.finish(&DOCS);
    manifest
}

fn text() -> Kind<'static, ForeignText> {
    let fits = |text: &String| (1..=200).contains(&text.len());
    Kind::new(json!({"type": "string", "minLength": 1, "maxLength": 200}), move |json| {
        value(json).filter(fits).map(ForeignText::from).ok_or_else(|| expected("a text of 1 to 200 bytes", json))
    })
}

fn direction() -> Kind<'static, i64> {
    Kind::new(json!({"enum": [1, -1]}), |json| {
        value(json).filter(|number| [1, -1].contains(number)).ok_or_else(|| expected("1 or -1", json))
    })
}

/// The base of frequencies, as it is written.
fn base() -> Kind<'static, String> {
    // What an exact number holds.
    let usable = |text: &String| Number::parse(text).is_ok_and(|base| (1e-20..=1e38).contains(&base.to_f64()));
    Kind::new(json!({"type": "number", "minimum": 1e-20, "maximum": 1e38}), move |json| {
        let text = value(json).map(|number: serde_json::Number| number.to_string());
        text.filter(usable).ok_or_else(|| expected("a number from 1e-20 to 1e38", json))
    })
}

fn alignment() -> Kind<'static, i64> {
    let powers: Vec<i64> = (0..=MAX_ALIGNMENT.ilog2()).map(|power| 1 << power).collect();
    Kind::new(json!({"enum": powers}), move |json| {
        let what = format!("a power of two up to {MAX_ALIGNMENT}");
        value(json).filter(|number| powers.contains(number)).ok_or_else(|| expected(what, json))
    })
}

/// The name of a scheme; a user's file may have it, so that it is any text.
fn scheme(names: Vocabulary<'_>) -> Kind<'_, String> {
    Kind::new(json!({"type": "string"}), move |json| match value::<String>(json) {
        None => Err(expected("the name of a scheme", json)),
        Some(name) if name == "*" => Ok(name),
        Some(name) => names.schemes.get(&name).map(|_| name.clone()).map_err(|e| e.to_string()),
    })
}

fn level(level: Level, mut object: Object, dtypes: &[DType], names: Vocabulary) -> LevelManifest {
    object.need(if level == Level::Apply { &["consumes"] } else { &["consumes", "schemes"] });
    object.rule(|| {
        // Where cos and sin are given, nothing depends on the frequencies.
        let given = json!({"consumes": {"contains": {"enum": ["cos_sin", "cos_sin_cache"]}}});
        let needed = json!({"required": ["frequencies"]});
        let each: serde_json::Map<_, _> =
            DType::STORAGE.iter().map(|dtype| (dtype.name().to_owned(), needed.clone())).collect();
        json!({
            "not": {"required": ["contract", "contracts"]},
            "if": {"properties": given, "required": ["consumes"]},
            "else": {"properties": {"contract": needed, "contracts": {"properties": each}}}
        })
    });
    let consumes = object.list("consumes", 1, word(&Consume::ALL.map(|c| (c.name(), c))));
    if let Some(consumes) = &consumes {
        let has = |what| consumes.contains(&what);
        let placed = has(Consume::Positions) || has(Consume::CosSin);
        // Each level has one way to learn where its tokens are; without it no result could be right.
        let (needed, ok) = match level {
            Level::Positions | Level::Fused => {
                ("layout, and neither positions nor cos_sin", has(Consume::Layout) && !placed)
            }
            Level::Rotate => ("positions or cos_sin", placed),
            Level::Apply => ("cos_sin", has(Consume::CosSin)),
        };
        if !ok {
            object.mistakes.note(&object.at("consumes"), format!("level {level} must consume {needed}"));
        }
    }
    let schemes = object.list("schemes", 1, scheme(names));
    let given = [Consume::CosSin, Consume::CosSinCache];
    let given = consumes.iter().flatten().any(|what| given.contains(what));
    let mut declared = Vec::new();
    let each = object.object("contracts");
    // Beside the other one it is an unknown key.
    let one = if each.is_none() || object.makes_schema() { object.shared("contract", "contract") } else { None };
    let default = each.is_none() && one.is_none() && level != Level::Positions;
    if let Some(mut each) = each {
        each.need(&dtypes.iter().map(|dtype| dtype.name()).collect::<Vec<_>>());
        for dtype in DType::STORAGE {
            declared.extend(each.shared(dtype.name(), "contract").map(|one| (dtype, contract(one, given, names))));
        }
        each.finish(&[]);
    }
    if let Some(one) = one {
        let one = contract(one, given, names);
        declared.extend(DType::STORAGE.map(|dtype| (dtype, one.clone())));
    }
    if default {
        // The widest class that rounds where real kernels do, with frequencies from a table.
        declared.extend(DType::STORAGE.map(|dtype| (dtype, Declaration::new("eager", "table"))));
    }
    object.finish(&OF_LEVEL_DOCS);
    // In the order of `dtypes`, and none on level positions.
    let of = |dtype: &DType| declared.iter().find(|(other, _)| other == dtype).cloned();
    LevelManifest {
        consumes: consumes.unwrap_or_default(),
        schemes: schemes.unwrap_or_else(|| vec!["*".to_owned()]),
        contracts: dtypes.iter().filter(|_| level != Level::Positions).filter_map(of).collect(),
    }
}

fn contract(mut object: Object, given: bool, names: Vocabulary) -> Declaration {
    let classes: Vec<_> = names.contracts.classes.iter().map(|rule| (&*rule.name, &*rule.name)).collect();
    let ways: Vec<_> = names.contracts.frequencies.iter().map(|rule| (&*rule.name, &*rule.name)).collect();
    object.need(&["class"]);
    object.lacks(if given { &[] } else { &["frequencies"] });
    let class = object.read("class", word(&classes));
    let frequencies = object.read("frequencies", word(&ways)).unwrap_or("table");
    let mut declaration = Declaration::new(class.unwrap_or_default(), frequencies);
    for key in &KEYS {
        let setting = object.read(key.name, setting(key));
        setting.map(|value| object.mistakes.take(&object.at(key.name), declaration.settings.add(key, value)));
    }
    if class.is_some() {
        object.mistakes.take(&object.place, declaration.resolve(names.contracts));
    }
    let mut docs: Vec<_> = KEYS.iter().map(|key| (key.name, key.doc)).collect();
    docs.extend(CONTRACT_DOCS);
    object.finish(&docs);
    declaration
}

fn setting(key: &ContractKey) -> Kind<'_, Setting> {
    let schema = match key.takes {
        Takes::Number(most) => json!({"type": "number", "minimum": 0, "maximum": most}),
        Takes::Truth => json!({"type": "boolean"}),
        Takes::Word(words) => json!({"enum": words}),
    };
    Kind::new(schema, |json| match (value::<f64>(json), value::<bool>(json), value::<String>(json)) {
        (Some(number), ..) => key.takes.number(number),
        (_, Some(truth), _) => key.takes.truth(truth),
        (.., Some(text)) => key.takes.word(&text),
        _ => Err(expected(key.takes, json)),
    })
}
