use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use super::*;
use crate::backend::Vocabulary;
use crate::contract::contracts;
use crate::rotation::PlanCache;
use crate::run::Context;
use crate::run::not_offered::not_offered;
use crate::run::unjudged::unjudged;

/// A manifest in which nothing is improbable.
fn plain() -> Value {
    json!({
        "name": "m", "version": "1", "dtypes": ["f32"], "head_dims": [64, 128],
        "q_heads": {"min": 1, "max": 8}, "k_heads": {"min": 0, "max": 8}, "partial_rotary": true,
        "levels": {"rotate": {"consumes": ["positions", "axis_of_pair", "inv_freq"], "schemes": ["rope", "m-rope"]}}
    })
}

/// The plain manifest with other values of keys; `/` leads into objects, and null takes a key away.
fn with(edits: &[(&str, Value)]) -> Value {
    let mut json = plain();
    for (key, value) in edits {
        let (parents, last) =
            key.rsplit_once('/').map_or((Vec::new(), *key), |(all, last)| (all.split('/').collect(), last));
        let place = parents.iter().fold(&mut json, |json, key| &mut json[*key]).as_object_mut().expect("an object");
        if value.is_null() {
            place.remove(last)
        } else {
            place.insert(last.to_owned(), value.clone())
        };
    }
    json
}

fn parsed(json: &Value, library: &Library, contracts: &ContractTable) -> Manifest {
    let names = Vocabulary { schemes: library, contracts };
    Manifest::parse(&json.to_string(), names).unwrap_or_else(|e| panic!("{json}: {e}"))
}

/// Keys and texts of warnings.
fn found(json: &Value, device: bool) -> Vec<(String, String)> {
    let library = Library::embedded().expect("the specs load");
    let contracts = contracts().expect("the contracts load");
    let manifest = parsed(json, &library, &contracts);
    let interrupted = AtomicBool::new(false);
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &interrupted };
    let idle = not_offered(&manifest, &context).idle;
    slips(&manifest, (&library, &contracts), &idle, device).into_iter().map(|slip| (slip.key, slip.what)).collect()
}

#[test]
fn each_likely_slip_is_named_with_its_key_and_nothing_else_is() {
    let rotate = |consumes: &[&str]| ("levels/rotate/consumes", json!(consumes));
    let apply = json!({"apply": {"consumes": ["cos_sin"]}});
    let positions = json!({"positions": {"consumes": ["layout"], "schemes": ["rope"]}});
    let contract = |one: Value| ("levels/rotate/contract", one);
    for (edits, key, part) in [
        (vec![("head_dims", json!(128))], "head_dims", "128 and nothing else"),
        (vec![("q_heads", json!([8]))], "q_heads", "8 and nothing else"),
        (vec![("k_heads", json!([2]))], "k_heads", "2 and nothing else"),
        (vec![("q_heads", json!([2, 4])), ("k_heads", json!([8, 16]))], "k_heads", "more key heads than"),
        (vec![("rotary_dims", json!([128, 256]))], "rotary_dims", "no part is narrower than the widest head"),
        (vec![("rotary_dims", json!([64])), ("rotary_offsets", json!([65]))], "rotary_offsets", "a part of 64"),
        (vec![("max_offset", json!(63))], "max_offset", "less than one token"),
        (vec![("max_tokens", json!(255))], "max_tokens", "255 tokens"),
        (vec![("max_position", json!(2046))], "max_position", "no position above 2046"),
        (
            vec![("max_position", json!(1_i64 << 25)), ("position_dtypes", json!(["f32"]))],
            "max_position",
            "holds every integer above 16777216",
        ),
        (vec![("directions", json!([-1]))], "directions", "only the transpose"),
        (vec![("name", json!("rope-in_place"))], "alias", "does not take outputs on the inputs"),
        (vec![("copies", json!(true)), ("alias", json!(["out", "in"]))], "alias", "offered, and not judged"),
        (vec![("copies", json!(true)), ("strides", json!("any"))], "strides", "offered, and not judged"),
        (vec![("levels", apply.clone()), ("per_head", json!(true))], "per_head", "no call can have it"),
        (vec![("levels", apply.clone()), ("layouts", json!({"segments": 2}))], "layouts", "no call can have it"),
        (
            vec![("levels", apply), ("position_strides", json!("any"))],
            "position_strides",
            "for a level that reads or writes positions",
        ),
        (vec![("levels", positions), ("varlen", json!(true))], "varlen", "no call can have it"),
        (vec![("bases", json!([10000]))], "bases", "for a level that makes its own frequencies"),
        (
            vec![rotate(&["positions", "cos_sin_cache", "inv_freq", "axis_of_pair"])],
            "levels.rotate.consumes",
            "cos_sin_cache beside inv_freq",
        ),
        (
            vec![rotate(&["positions", "sections", "axis_of_pair", "base"])],
            "levels.rotate.consumes",
            "both say which axis",
        ),
        (
            vec![rotate(&["positions", "inv_freq", "base", "sections"])],
            "levels.rotate.consumes",
            "the frequencies have the base in them",
        ),
        (
            vec![rotate(&["positions", "cos_sin_cache", "sections"]), ("min_position", json!(-1))],
            "min_position",
            "no rows below",
        ),
        (vec![("levels/rotate/schemes", json!(["*", "rope"]))], "levels.rotate.schemes", "others are named beside it"),
        (
            vec![("levels/rotate/schemes", json!(["*"])), rotate(&["positions", "inv_freq"])],
            "levels.rotate.schemes",
            "the axis map of every scheme by its name",
        ),
        (
            vec![("levels", json!({"positions": {"consumes": ["layout"], "schemes": ["*"]}}))],
            "levels.positions.schemes",
            "the positions of every scheme by its name",
        ),
        (
            vec![
                ("levels/rotate/schemes", json!(["rope", "m-rope"])),
                ("head_dims", json!([3, 5])),
                ("partial_rotary", json!(false)),
            ],
            "levels.rotate.schemes",
            "no check has a case of any of them",
        ),
        (
            vec![("levels/rotate/schemes", json!(["rope", "rope@yarn"])), rotate(&["positions", "inv_freq"])],
            "levels.rotate.schemes",
            "no check has a case of rope@yarn",
        ),
        (
            vec![contract(json!({"class": "fast", "frequencies": "table", "angle_limit": 0.5}))],
            "levels.rotate.contract",
            "f32: with an angle_limit of 0.5",
        ),
        (
            vec![contract(json!({"class": "fused", "frequencies": "table", "trig_error_per_position": 1e-3}))],
            "max_position",
            "nothing is judged beyond position 1000",
        ),
    ] {
        let all = found(&with(&edits), false);
        let (keys, whats): (Vec<&str>, Vec<&str>) = all.iter().map(|(key, what)| (&**key, &**what)).unzip();
        assert_eq!(keys, [key], "{edits:?}: {all:?}");
        assert!(whats[0].contains(part), "{edits:?}: {all:?}");
    }
    assert_eq!(found(&plain(), false), []);
    assert_eq!(found(&plain(), true), []);
    let copies = found(&with(&[("copies", json!(true))]), true);
    assert!(copies.len() == 1 && copies[0].0 == "copies", "{copies:?}");
    assert_eq!(found(&with(&[("copies", json!(true))]), false), []);
}

/// Cosines and sines that arrive whole: two slips at once, as each is one.
#[test]
fn a_rotation_that_is_given_whole_is_an_apply() {
    let all = found(&with(&[("levels/rotate/consumes", json!(["cos_sin", "inv_freq"]))]), false);
    let whats: Vec<&str> = all.iter().map(|(_, what)| &**what).collect();
    assert!(whats.len() == 2 && whats[0].contains("inv_freq beside it") && whats[1].contains("apply does"), "{all:?}");
}

/// A key that nobody says anything about would be one that hides what it leaves out.
#[test]
fn every_key_says_what_it_leaves_out() {
    let library = Library::embedded().expect("the specs load");
    let contracts = contracts().expect("the contracts load");
    let fused = json!({"consumes": ["layout"], "schemes": ["rope"]});
    let apply = json!({"consumes": ["cos_sin"]});
    let least =
        with(&[("levels/fused", fused.clone()), ("levels/apply", apply.clone()), ("partial_rotary", Value::Null)]);
    let other = with(&[
        ("levels/fused", fused),
        ("copies", json!(true)),
        ("alignment", json!(16)),
        ("strides", json!("rows")),
        ("max_offset", json!(2_147_483_647)),
        ("batch_layouts", json!(false)),
        ("bases", json!([10000])),
        ("layouts", json!({"text_before": true})),
    ]);
    let mut said: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for json in [least, other] {
        let manifest = parsed(&json, &library, &contracts);
        for one in unjudged(&manifest) {
            let key = one.key.split('.').next().unwrap_or_default().to_owned();
            said.entry(key).or_default().insert(one.what);
        }
        keys.extend(serde_json::to_value(&manifest).expect("JSON").as_object().expect("an object").keys().cloned());
    }
    let silent: Vec<&String> = keys.iter().filter(|key| !said.contains_key(*key)).collect();
    assert_eq!(silent, ["name", "version"]);
    assert!(said.keys().all(|key| keys.contains(key)), "{said:?}");
}
