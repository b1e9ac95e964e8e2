//! The schemes give every pair the axis and the frequency that their official code gives it: `golden/axis_maps.json`.

use std::path::Path;

use ropecheck::numeric::Number;
use ropecheck::rotation::{HeadShape, NO_AXIS, RotationPlan};
use ropecheck::spec::model::Pairing;
use ropecheck::spec::{Library, Parameters};
use serde_json::Value;

/// A map of the file, the scheme that has it, the channels of a head, and parameters.
type Map = (&'static str, &'static str, u32, &'static [(&'static str, i64)]);

const MAPS: [Map; 27] = [
    ("hope (package)", "hope@package", 128, &[]),
    ("mrope-interleave", "mrope-i", 128, &[]),
    ("ilrope (package)", "il-rope", 128, &[]),
    ("omnirope (package)", "omnirope@package", 128, &[]),
    ("circle-rope", "circle-rope", 128, &[]),
    ("mmrope (package)", "mm-rope", 128, &[]),
    ("v2pe", "v2pe", 128, &[]),
    ("mhrope", "mhrope", 128, &[]),
    ("mhrope (5 of 8 heads)", "mhrope@five-of-eight", 128, &[]),
    ("hope", "hope", 128, &[]),
    ("videorope (HoPE repository)", "videorope", 128, &[]),
    ("mm-rope (Lumos-1 code, head_dim 64)", "lumos-1", 64, &[]),
    ("mm-rope (Lumos-1 code, head_dim 128)", "lumos-1", 128, &[]),
    ("glm-4.1v", "glm-4.1v", 128, &[]),
    ("glm-4.5v", "glm-4.1v@glm-4.5v", 128, &[]),
    ("ernie-4.5-vl", "ernie-4.5-vl", 128, &[]),
    ("qwen3.5", "qwen3.5", 256, &[]),
    ("vit-2d (Qwen2-VL vision tower)", "qwen2-vl-vision", 80, &[]),
    ("wan2.1", "wan2.1", 128, &[]),
    ("hunyuanvideo", "hunyuanvideo", 128, &[]),
    ("cogvideox-5b", "cogvideox", 64, &[]),
    ("omnirope (OmniGen2 code)", "omnirope", 96, &[]),
    (
        "yarn (factor 4, original length 32768, theta 1e+06)",
        "rope@yarn",
        128,
        &[("base", 1_000_000), ("factor", 4), ("original_length", 32_768)],
    ),
    (
        "yarn (factor 2, original length 32768, theta 1e+06)",
        "rope@yarn",
        128,
        &[("base", 1_000_000), ("factor", 2), ("original_length", 32_768)],
    ),
    (
        "yarn (factor 8, original length 4096, theta 10000)",
        "rope@yarn",
        128,
        &[("base", 10_000), ("factor", 8), ("original_length", 4096)],
    ),
    ("videorope++ (code name videorope++_v1, factor 4)", "videorope-plus-plus", 128, &[]),
    ("mrope++ (factor 4)", "videorope-plus-plus@mrope-plus-plus", 128, &[]),
];

fn maps() -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/axis_maps.json");
    let text = std::fs::read_to_string(file).expect("golden/axis_maps.json");
    serde_json::from_str(&text).expect("a list")
}

fn names(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter().map(|name| name.as_str().expect("an axis").to_owned()).collect()
}

/// Where the plan of a scheme is not what the record says.
fn difference(library: &Library, record: &Value, id: &str, head_dim: u32, set: &[(&str, i64)]) -> Option<String> {
    let scheme = library.get(id).unwrap_or_else(|error| panic!("{error}"));
    let set: Vec<_> = set.iter().map(|(name, value)| ((*name).to_owned(), Number::from_i64(*value))).collect();
    let parameters = Parameters::resolve(scheme, &set).unwrap_or_else(|error| panic!("{id}: {error}"));
    let per_head = record.get("per_head").is_some();
    let shape = HeadShape { q_heads: 16, k_heads: 8, ..HeadShape::of_dim(head_dim) };
    let plan = RotationPlan::new(scheme, &parameters, shape).unwrap_or_else(|error| panic!("{id}: {error}"));
    let axis = |axis: u8| if axis == NO_AXIS { "none" } else { scheme.axes[usize::from(axis)].as_str() };
    let list = record["axis_of_pair"].as_array().expect("a map");
    let wanted: Vec<Vec<String>> =
        if per_head { list.iter().map(names).collect() } else { vec![names(&record["axis_of_pair"])] };
    let flat = scheme.axes.len() == 1;
    for (head, wanted) in wanted.iter().enumerate() {
        let found: Vec<&str> = plan.axes(head as u32).iter().map(|a| if flat { "p" } else { axis(*a) }).collect();
        // A map of one scheme of frequencies is shown under M-RoPE's axes; plain RoPE has one.
        if (!flat || wanted.iter().all(|name| name == "p")) && found != *wanted {
            return Some(format!("{id}, head {head}: expected {wanted:?}, found {found:?}"));
        }
    }
    let pairing = if record["pairing"].as_str().is_some_and(|p| p.starts_with("adjacent")) {
        Pairing::Adjacent
    } else {
        Pairing::Half
    };
    if scheme.pairing != pairing {
        return Some(format!("{id}: pairing {:?}", scheme.pairing));
    }
    if let Some(wanted) = record.get("attention_scaling").and_then(Value::as_f64)
        && (plan.attention_scaling - wanted).abs() > 1e-15
    {
        return Some(format!("{id}: attention_scaling {}, expected {wanted}", plan.attention_scaling));
    }
    // Printed from float32: the base's powers pass through a rounding of the exponent, which the logarithm of the base
    // enlarges, and four more.
    let wanted = record.get("inv_freq").and_then(Value::as_array).into_iter().flatten();
    for (pair, (wanted, found)) in wanted.zip(plan.frequencies(0)).enumerate() {
        let wanted = wanted.as_f64().expect("a number");
        let within = (1e6f64.ln() + 8.0) * 2f64.powi(-23) * wanted;
        if (found - wanted).abs() > within {
            return Some(format!("{id}, pair {pair}: expected {wanted:e}, found {found:e}"));
        }
    }
    None
}

#[test]
fn every_axis_map_is_that_of_the_official_code() {
    let library = Library::embedded().unwrap_or_else(|errors| panic!("{errors}"));
    let maps = maps();
    let of = |name: &str| maps.iter().find(|record| record["scheme"] == name).unwrap_or_else(|| panic!("{name}"));
    let wrong: Vec<String> =
        MAPS.iter().filter_map(|(name, id, dim, set)| difference(&library, of(name), id, *dim, set)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The one that is left is the collection's VideoRoPE, whose pair 0 is against its own comment.
    let left: Vec<&str> = maps.iter().filter_map(|record| record["scheme"].as_str()).collect();
    let left: Vec<&&str> = left.iter().filter(|name| MAPS.iter().all(|(known, ..)| known != *name)).collect();
    assert_eq!(left, [&"videorope (package)"]);
}

#[test]
fn the_map_of_another_scheme_differs() {
    let library = Library::embedded().unwrap_or_else(|errors| panic!("{errors}"));
    let maps = maps();
    for (name, other, dim) in [
        ("hope", "hope@package", 128),
        ("wan2.1", "hunyuanvideo", 128),
        ("mhrope", "mhrope@five-of-eight", 128),
        ("omnirope (package)", "il-rope", 128),
    ] {
        let record = maps.iter().find(|record| record["scheme"] == name).expect("a map");
        assert!(difference(&library, record, other, dim, &[]).is_some(), "{name}");
    }
    let plus = maps.iter().find(|m| m["scheme"] == "videorope++ (code name videorope++_v1, factor 4)").expect("a map");
    assert!(difference(&library, plus, "videorope-plus-plus", 128, &[("factor", 2)]).is_some());
}
