//! Values of scheme parameters that a backend reads from the call (manifest key `parameters`).

use serde::{Serialize, Serializer};

use crate::numeric::Number;
use crate::spec::model::Parameter;

/// Which numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum OfferedValues {
    /// Exactly these, ascending.
    List(Vec<Number>),
    /// From the first to the second.
    Range(Number, Number),
}

/// The values of one scheme parameter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterOffer {
    /// Its name, in every scheme that has it.
    pub name: String,
    /// Its values.
    pub values: OfferedValues,
}

impl Serialize for OfferedValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            OfferedValues::List(values) => serializer.collect_seq(values.iter().map(ToString::to_string)),
            OfferedValues::Range(min, max) => {
                serializer.collect_map([("min", min.to_string()), ("max", max.to_string())])
            }
        }
    }
}

impl OfferedValues {
    /// Whether a value is offered.
    #[must_use]
    pub fn allow(&self, value: &Number) -> bool {
        match self {
            OfferedValues::List(values) => values.contains(value),
            OfferedValues::Range(min, max) => value >= min && value <= max,
        }
    }

    /// Values to call with, each one that the parameter may have: both ends and some between; of a list all.
    #[must_use]
    pub fn tried(&self, parameter: &Parameter) -> Vec<Number> {
        let mut all = match self {
            OfferedValues::List(values) => values.clone(),
            OfferedValues::Range(min, max) => {
                let mut all = vec![min.clone(), max.clone()];
                for (num, den) in [(1, 2), (1, 7), (5, 8)] {
                    all.extend(between(min, max, num, den, parameter.integer));
                }
                all
            }
        };
        all.retain(|value| self.allow(value) && parameter.check(value).is_ok());
        let mut once: Vec<Number> = Vec::new();
        for value in all {
            if !once.contains(&value) {
                once.push(value);
            }
        }
        once
    }
}

/// The number so far of the way from one to another; the integer below it, if integers are wanted.
fn between(min: &Number, max: &Number, num: i128, den: i128, integer: bool) -> Option<Number> {
    let part = Number::ratio(num, den).ok()?;
    let value = min.add(&max.sub(min).ok()?.mul(&part).ok()?).ok()?;
    if integer { value.floor().ok() } else { Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Library;

    #[test]
    fn both_ends_and_some_between_are_tried_and_nothing_else() {
        let library = Library::embedded().expect("embedded specs load");
        let scheme = library.get("qwen2.5-vl").expect("a scheme");
        let parameter = |name| scheme.parameters.iter().find(|p| p.name == name).expect("a parameter");
        let number = |text: &str| Number::parse(text).expect("a number");
        let texts = |values: Vec<Number>| values.iter().map(ToString::to_string).collect::<Vec<_>>();
        let range = OfferedValues::Range(number("1"), number("30"));
        assert_eq!(texts(range.tried(parameter("tokens_per_second"))), ["1", "30", "15.5", "36/7", "19.125"]);
        assert_eq!(texts(range.tried(parameter("h_pairs"))), ["1", "30", "15", "5", "19"]);
        let list = OfferedValues::List(vec![number("-1"), number("1/2"), number("4")]);
        assert_eq!(texts(list.tried(parameter("tokens_per_second"))), ["0.5", "4"]);
        assert_eq!(texts(list.tried(parameter("h_pairs"))), ["4"]);
        assert!(range.allow(&number("3/2")) && !range.allow(&number("1/2")) && !list.allow(&number("2")));
        let one = OfferedValues::Range(number("2"), number("2"));
        assert_eq!(texts(one.tried(parameter("h_pairs"))), ["2"]);
    }
}
