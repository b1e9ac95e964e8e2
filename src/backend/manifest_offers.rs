//! Reads what a manifest says of layouts and of the parameters of schemes.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::layout_limits::LayoutLimits;
use super::manifest::{LevelManifest, Vocabulary};
use super::manifest_docs::LAYOUT_DOCS;
use super::manifest_kinds::{Kind, expected, integer, value, word};
use super::manifest_mistakes::Object;
use super::parameter_offer::{OfferedValues, ParameterOffer};
use crate::numeric::Number;
use crate::positions::SegmentKind;
use crate::spec::model::{Parameter, Scheme};
use crate::spec::suggest;

/// Key `layouts`.
pub(super) fn layouts(top: &mut Object) -> LayoutLimits {
    let any = LayoutLimits::default();
    let Some(mut object) = top.object("layouts") else { return any };
    let limits = LayoutLimits {
        text_before: object.truth("text_before").unwrap_or(any.text_before),
        text_between: object.truth("text_between").unwrap_or(any.text_between),
        frames: object.integers("frames", 1..=i64::from(u32::MAX)).unwrap_or(any.frames),
        segments: object.read("segments", integer(1..=i64::MAX)).unwrap_or(any.segments),
        kinds: object.list("kinds", 1, word(&SegmentKind::NAMES)).unwrap_or(any.kinds),
    };
    for (key, asks) in [("text_before", limits.text_before), ("text_between", limits.text_between)] {
        if asks && !limits.has(SegmentKind::Text) {
            object.mistakes.note(&object.at(key), "expected \"text\" among layouts.kinds where text must stand");
        }
    }
    object.finish(&LAYOUT_DOCS);
    limits
}

/// Key `parameters`: names of those that some scheme of the backend has, each with values that one of these
/// may have.
pub(super) fn parameters<'n>(
    top: &mut Object,
    levels: impl Iterator<Item = &'n LevelManifest> + Clone,
    names: Vocabulary,
) -> Option<Vec<ParameterOffer>> {
    let object = top.object("parameters")?;
    let offered = |scheme: &&Scheme| levels.clone().any(|level| level.offers(scheme));
    let schemes: Vec<&Scheme> = names.schemes.all().map(|scheme| &**scheme).filter(offered).collect();
    let known = || schemes.iter().flat_map(|scheme| &scheme.parameters);
    let any = |schema: Value, list: Value| json!({"anyOf": [schema, list, {"type": "object"}]});
    object.others(|| any(number(&[]).schema, number(&[]).list(1)));
    if let Some(range) = object.recorded("additionalProperties/anyOf/2") {
        read_range(range, &[]);
    }
    let mut all = Vec::new();
    for (name, json, place) in object.entries() {
        let here: Vec<&Parameter> = known().filter(|parameter| parameter.name == *name).collect();
        if name == "base" {
            object.mistakes.note(&place, "`base` is limited by the key bases");
        } else if here.is_empty() {
            let mut others: Vec<&str> = known().map(|p| p.name.as_str()).filter(|other| *other != "base").collect();
            others.sort_unstable();
            others.dedup();
            let why = suggest::unknown("parameter of the schemes of this backend", name, others);
            object.mistakes.note(&place, why);
        } else if let Some(values) = values(&object, &place, json, &here) {
            all.push(ParameterOffer { name: name.to_owned(), values });
        }
    }
    Some(all)
}

/// A number, a list of numbers, or their smallest and largest.
fn values(object: &Object, place: &str, json: &RawValue, here: &[&Parameter]) -> Option<OfferedValues> {
    let one = number(here);
    match json.get().as_bytes() {
        [b'[', ..] => {
            let mut list = object.list_at(place, json, 1, &one)?;
            list.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
            Some(OfferedValues::List(list))
        }
        [b'{', ..] => {
            let (min, max) = read_range(object.mistakes.object(place.to_owned(), json)?, here)?;
            if min > max {
                object.mistakes.note(place, expected("a range that holds a number", json));
                return None;
            }
            Some(OfferedValues::Range(min, max))
        }
        _ => object.mistakes.take(place, one.read(json)).map(|value| OfferedValues::List(vec![value])),
    }
}

fn read_range(mut range: Object, here: &[&Parameter]) -> Option<(Number, Number)> {
    range.need(&["min", "max"]);
    let (min, max) = (range.read("min", number(here)), range.read("max", number(here)));
    range.finish(&[("min", "The smallest value."), ("max", "The largest value.")]);
    Some((min?, max?))
}

/// A number that one of these parameters may have; fractions as text.
fn number<'k>(here: &'k [&Parameter]) -> Kind<'k, Number> {
    Kind::new(json!({"type": ["number", "string"]}), move |json| {
        let text = value::<serde_json::Number>(json).map(|number| number.to_string()).or_else(|| value::<String>(json));
        let number = text.and_then(|text| Number::parse(&text).ok()).filter(Number::is_exact);
        let number = number.ok_or_else(|| expected("a number, or a text such as \"1/2\"", json))?;
        let refused: Vec<String> = here.iter().map_while(|parameter| parameter.check(&number).err()).collect();
        match refused.first() {
            Some(why) if refused.len() == here.len() => Err(format!("the parameter {why}")),
            _ => Ok(number),
        }
    })
}
