//! Defaults below a scheme, a scheme below its profile: which keys replace which.

use crate::spec::yaml::{Key, Node, Value};

/// A tree with the keys of `top` over those of `base`. The parts of positions, parameters, frequencies and invariants
/// are replaced one by one, everything else whole.
pub(super) fn overlay(base: &Node, top: &Node) -> Node {
    merge(base, top, |key, below, above| match key {
        "positions" | "invariants" => merge(below, above, |_, _, above| above.clone()),
        "parameters" | "frequencies" => merge(below, above, |_, below, above| default_over(below, above)),
        _ => above.clone(),
    })
}

/// A plain value over `{default: .., min: ..}` replaces the default alone.
fn default_over(below: &Node, above: &Node) -> Node {
    let (Value::Map(entries), Value::Scalar { .. }) = (&below.value, &above.value) else { return above.clone() };
    if below.get("default").is_none() {
        return above.clone();
    }
    let entries = entries.iter().map(|(key, node)| {
        let node = if key.text == "default" { above.clone() } else { node.clone() };
        (key.clone(), node)
    });
    Node { value: Value::Map(entries.collect()), location: above.location.clone() }
}

/// Entries of both maps: `both` decides where a key stands in each. Not two maps: the upper one.
fn merge(base: &Node, top: &Node, both: impl Fn(&str, &Node, &Node) -> Node) -> Node {
    let (Value::Map(below), Value::Map(above)) = (&base.value, &top.value) else { return top.clone() };
    let mut entries: Vec<(Key, Node)> = Vec::with_capacity(below.len() + above.len());
    for (key, node) in below {
        match above.iter().find(|(other, _)| other.text == key.text) {
            Some((other, over)) => entries.push((other.clone(), both(&key.text, node, over))),
            None => entries.push((key.clone(), node.clone())),
        }
    }
    let new = above.iter().filter(|(key, _)| !below.iter().any(|(other, _)| other.text == key.text));
    entries.extend(new.cloned());
    Node { value: Value::Map(entries), location: top.location.clone() }
}
