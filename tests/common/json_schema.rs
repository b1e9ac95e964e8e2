//! Holds values against the JSON Schema of manifests. It knows the words that this schema has, and panics at any other: a
//! rule that was passed over would make everything valid.

use std::sync::LazyLock;

use serde_json::Value;

static MANIFEST: LazyLock<Value> = LazyLock::new(|| {
    let text = std::fs::read_to_string(super::source("docs/schema/manifest.schema.json")).expect("the schema");
    serde_json::from_str(&text).expect("JSON")
});

/// What of a manifest is against the committed schema; empty if nothing is.
pub fn against_schema(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    match serde_json::from_str(manifest) {
        Ok(value) => hold(&MANIFEST, &value, "", &mut found),
        Err(e) => found.push(format!("no JSON: {e}")),
    }
    found
}

/// What of a value is against a schema without references; empty if nothing is.
pub fn mistakes(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    hold(schema, value, "", &mut found);
    found
}

fn holds(schema: &Value, value: &Value) -> bool {
    let mut found = Vec::new();
    hold(schema, value, "", &mut found);
    found.is_empty()
}

fn hold(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let rules = schema.as_object().unwrap_or_else(|| panic!("no schema at {place}: {schema}"));
    let part = |key: &str| rules.get(key).unwrap_or_else(|| panic!("{key} at {place}"));
    let count = |rule: &Value| rule.as_u64().expect("a number") as usize;
    let list = |rule: &'static str| move |schema: &Value| schema.as_array().unwrap_or_else(|| panic!("{rule}")).clone();
    for (rule, with) in rules {
        let ok = match &**rule {
            "$schema" | "$defs" | "title" | "description" | "format" | "then" | "else" => true,
            "$ref" => {
                let pointer = with.as_str().and_then(|text| text.strip_prefix('#')).expect("a pointer");
                hold(MANIFEST.pointer(pointer).expect("a definition"), value, place, found);
                true
            }
            "type" => {
                let is = |name: &Value| match name.as_str().expect("a type") {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "number" => value.is_number(),
                    "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
                    other => panic!("type {other}"),
                };
                with.as_array().map_or_else(|| is(with), |all| all.iter().any(is))
            }
            "enum" => list("enum")(with).contains(value),
            "minimum" => value.as_f64().is_none_or(|number| number >= with.as_f64().expect("a number")),
            "maximum" => value.as_f64().is_none_or(|number| number <= with.as_f64().expect("a number")),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() >= count(with)),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() <= count(with)),
            "minItems" => value.as_array().is_none_or(|all| all.len() >= count(with)),
            "maxItems" => value.as_array().is_none_or(|all| all.len() <= count(with)),
            "uniqueItems" => value.as_array().is_none_or(|all| (1..all.len()).all(|at| !all[..at].contains(&all[at]))),
            "items" => {
                for (at, one) in value.as_array().into_iter().flatten().enumerate() {
                    hold(with, one, &format!("{place}[{at}]"), found);
                }
                true
            }
            "contains" => value.as_array().is_none_or(|all| all.iter().any(|one| holds(with, one))),
            "minProperties" => value.as_object().is_none_or(|all| all.len() >= count(with)),
            "required" => {
                let has = |all: &serde_json::Map<_, _>, key: &Value| all.contains_key(key.as_str().expect("a key"));
                value.as_object().is_none_or(|all| list("required")(with).iter().all(|key| has(all, key)))
            }
            "properties" => {
                for (key, schema) in with.as_object().expect("properties") {
                    if let Some(one) = value.get(key) {
                        hold(schema, one, &format!("{place}/{key}"), found);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = rules.get("properties").and_then(Value::as_object);
                let others = value.as_object().into_iter().flatten();
                let mut others = others.filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)));
                match with {
                    Value::Bool(false) => others.next().is_none(),
                    schema => others.all(|(_, one)| holds(schema, one)),
                }
            }
            "anyOf" => list("anyOf")(with).iter().any(|schema| holds(schema, value)),
            "allOf" => list("allOf")(with).iter().all(|schema| holds(schema, value)),
            "not" => !holds(with, value),
            "if" => {
                let then = if holds(with, value) { "then" } else { "else" };
                rules.get(then).is_none_or(|_| holds(part(then), value))
            }
            other => panic!("the schema has a word that is not known here: {other}"),
        };
        if !ok {
            found.push(format!("{place}: {rule}"));
        }
    }
}

/// Whether a mistake is one of form: a key that is unknown or missing, or a value of another kind.
fn is_of_form(mistake: &str) -> bool {
    let what = mistake.split_once(": ").map_or(mistake, |(_, what)| what);
    let forms = ["unknown ", "this key is missing", "expected true or", "expected a list", "expected an object"];
    let others = ["expected one of", "expected an integer", "expected a text", "expected 1 or", "expected a power"];
    let all = forms.iter().chain(&others).chain(&["expected a number", "expected no entry"]);
    let names = ["unknown profile", "unknown parameter"];
    all.into_iter().any(|form| what.starts_with(form)) && !names.iter().any(|name| what.starts_with(name))
}

/// Asserts that the schema takes a manifest without mistakes, and refuses one with a mistake of form.
#[track_caller]
pub fn agrees(manifest: &str, mistakes: &[String]) {
    let against = against_schema(manifest);
    if mistakes.is_empty() {
        assert!(against.is_empty(), "{against:?}: {manifest}");
    // Of a key that is there twice readers of JSON see one.
    } else if mistakes.iter().any(|one| is_of_form(one)) && !mistakes.iter().any(|one| one.ends_with("found twice")) {
        assert!(!against.is_empty(), "{mistakes:?} are not seen by the schema: {manifest}");
    }
}
