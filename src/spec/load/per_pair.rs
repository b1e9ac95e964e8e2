//! `per_pair:` of `frequencies:`: named numbers that differ from pair to pair, as a list or by a formula.

use crate::numeric::Number;
use crate::spec::diagnostic::{Sink, SpecError};
use crate::spec::fields::is_identifier;
use crate::spec::model::{PairLimits, PairNumbers, PerPair};
use crate::spec::yaml::{Key, Node, Value};

use super::formula::number;
use super::offer::{OfferContext, is_reserved};

/// Most numbers of a list: pairs of the widest head.
const MOST: usize = 1 << 15;

/// Reads every entry.
pub(super) fn load(node: Option<&Node>, context: &OfferContext<'_>, sink: &mut Sink) -> Option<Vec<PerPair>> {
    let Some(node) = node else { return Some(Vec::new()) };
    let entries = sink.take(node.map("`per_pair`"))?;
    let before = sink.len();
    let mut all: Vec<PerPair> = Vec::new();
    for (key, node) in entries {
        let names: Vec<String> = all.iter().map(|one| one.name.clone()).collect();
        let one = check_name(key, &names, context).and_then(|()| numbers(key, node, &names, context));
        if let Some(numbers) = sink.take(one) {
            all.push(PerPair { name: key.text.clone(), numbers });
        }
    }
    (sink.len() == before).then_some(all)
}

fn check_name(key: &Key, earlier: &[String], context: &OfferContext<'_>) -> Result<(), SpecError> {
    let name = key.text.as_str();
    let fail =
        |why: &str| Err(SpecError::new(&key.location, format!("a number per pair cannot be called `{name}`: {why}")));
    if !is_identifier(name) {
        return fail("expected letters, digits and `_`");
    }
    if is_reserved(name) {
        return fail("formulas use that name for something else");
    }
    if context.axis(name).is_some() {
        return fail("an axis is called so");
    }
    if context.parameters.iter().any(|parameter| parameter.name == name) || earlier.iter().any(|other| other == name) {
        return fail("there is one already, or a parameter of that name");
    }
    Ok(())
}

fn numbers(key: &Key, node: &Node, earlier: &[String], context: &OfferContext<'_>) -> Result<PairNumbers, SpecError> {
    let Value::Seq(items) = &node.value else {
        let place = format!("`{}`", key.text);
        return number(node, &context.frequency(&place, earlier)).map(PairNumbers::Formula);
    };
    if items.is_empty() || items.len() > MOST {
        return Err(node.error(format!("expected 1 to {MOST} numbers, one for each pair, found {}", items.len())));
    }
    let one = |item: &Node| item.number("the number of a pair");
    items.iter().map(one).collect::<Result<Vec<Number>, _>>().map(PairNumbers::List)
}

/// The numbers of pairs for which all lists have one each. `node` is where they stand, `limits` what the axis map and
/// `pairs` allow.
pub(super) fn limits(node: Option<&Node>, all: &[PerPair], limits: PairLimits, sink: &mut Sink) -> Option<PairLimits> {
    let mut first: Option<(&str, usize)> = None;
    let before = sink.len();
    for one in all {
        let PairNumbers::List(list) = &one.numbers else { continue };
        let found = list.len();
        let Some(place) = node.and_then(|node| node.get(&one.name)) else { continue };
        match first {
            None if !limits.allow(found) => {
                let message = format!(
                    "`{}` has {found} numbers, one for each pair, but the scheme is not defined for R = {found}",
                    one.name
                );
                let note = "`pairs`, or an axis map of so many pairs, says for which R it is";
                sink.push(place.error(message).note(note));
                return None;
            }
            None => first = Some((&one.name, found)),
            Some((name, expected)) if found != expected => {
                let message = format!(
                    "expected {expected} numbers, one for each pair, as `{name}` has them; `{}` has {found}",
                    one.name
                );
                sink.push(place.error(message));
            }
            Some(_) => {}
        }
    }
    let limits = first.map_or(limits, |(_, pairs)| PairLimits { min: pairs, max: Some(pairs), multiple_of: 1 });
    (sink.len() == before).then_some(limits)
}
