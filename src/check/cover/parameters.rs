//! Scheme parameters of which a manifest offers values: of each the least, the most, and what lies between is
//! a class.

use crate::backend::Manifest;
use crate::backend::parameter_offer::{OfferedValues, ParameterOffer};
use crate::case::{CallDimensions, Dimension, Level};
use crate::numeric::Number;
use crate::spec::model::Scheme;

/// What is offered, each on its dimension.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Swept(Vec<(Dimension, ParameterOffer)>);

/// The class of a value: 0 the least, 1 between, 2 the most; `None` if it is not offered.
fn class(offered: &OfferedValues, value: &Number) -> Option<i64> {
    let (least, most) = match offered {
        OfferedValues::List(values) => (values.first()?, values.last()?),
        OfferedValues::Range(least, most) => (least, most),
    };
    offered.allow(value).then(|| if value == least { 0 } else { 1 + i64::from(value == most) })
}

impl Swept {
    /// Of a level, with the schemes that are judged on it, and the classes of values that some of these take.
    pub(super) fn new(manifest: &Manifest, level: Level, schemes: &[&Scheme]) -> (Swept, Vec<(Dimension, i64)>) {
        let (mut swept, mut classes) = (Swept::default(), Vec::new());
        for offer in manifest.parameters.iter().flatten().filter(|_| level != Level::Apply) {
            let known = schemes.iter().flat_map(|scheme| &scheme.parameters).filter(|one| one.name == offer.name);
            let values: Vec<Number> = known.flat_map(|parameter| offer.values.tried(parameter)).collect();
            if values.is_empty() {
                continue;
            }
            let dimension = Dimension::of_parameter(swept.0.len());
            let found = values.iter().filter_map(|value| class(&offer.values, value));
            classes.extend(found.map(|value| (dimension, value)));
            swept.0.push((dimension, offer.clone()));
        }
        (swept, classes)
    }

    /// Which of them a call had.
    pub(super) fn of(&self, call: &CallDimensions) -> Vec<(Dimension, i64)> {
        let one = |(dimension, offer): &(Dimension, ParameterOffer)| {
            let text = call.parameters().find(|(name, _)| *name == offer.name).map(|(_, text)| text)?;
            Some((*dimension, class(&offer.values, &Number::parse(text).ok()?)?))
        };
        self.0.iter().filter_map(one).collect()
    }

    /// The parameters on a dimension; `None` where it is of something else.
    pub(super) fn named(&self, dimension: Dimension) -> Option<String> {
        let here = self.0.iter().filter(|(other, _)| *other == dimension).map(|(_, offer)| &*offer.name);
        Some(here.collect::<Vec<_>>().join(", ")).filter(|names| !names.is_empty())
    }
}
