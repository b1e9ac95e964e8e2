//! What the calls of a run reached of what a manifest offers, measured on the calls.

use schemars::JsonSchema;
use serde::Serialize;

use super::classes::{Class, Classes};
use super::met::Met;
use crate::case::{Dimension, Level};

/// What was reached of one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DimensionReach {
    /// The dimension.
    pub dimension: Dimension,
    /// The scheme parameter that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// Its classes.
    pub offered: usize,
    /// Those of them that a judged call had.
    pub reached: usize,
    /// Smallest and largest class that a judged call had.
    pub ends: Option<(Class, Class)>,
    /// Each class in words, and whether it was reached.
    #[serde(skip)]
    pub classes: Vec<(String, bool)>,
    /// Those that were not, as words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_reached: Vec<String>,
}

impl DimensionReach {
    /// The name in reports for people.
    #[must_use]
    pub fn name(&self) -> &str {
        self.parameter.as_deref().unwrap_or(self.dimension.name())
    }
}

/// What was reached of one pair of dimensions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PairReach {
    /// One dimension.
    pub one: Dimension,
    /// The other.
    pub other: Dimension,
    /// Pairs of their classes that a call can have, within the size that a call is kept to.
    pub offered: usize,
    /// Pairs of their classes that no such call can have.
    #[serde(skip_serializing_if = "is_zero")]
    pub impossible: usize,
    /// Those of them that a judged call had.
    pub reached: usize,
}

/// What was reached of one level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reach {
    /// The level.
    pub level: Level,
    /// Its dimensions.
    pub dimensions: Vec<DimensionReach>,
    /// Pairs of dimensions.
    pub pairs: Vec<PairReach>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Reach {
    pub(super) fn new(level: Level, classes: &Classes, met: &Met, impossible: &Met) -> Reach {
        let groups: Vec<Vec<(u16, &Class)>> = classes
            .all()
            .chunk_by(|a, b| a.dimension == b.dimension)
            .map(|group| {
                group.iter().filter_map(|class| Some((classes.number(class.dimension, class.low)?, class))).collect()
            })
            .collect();
        let dimension = |group: &Vec<(u16, &Class)>| {
            let has = |number: u16| met.has(number, number);
            let words: Vec<_> = group.iter().map(|(number, class)| (class.label(), has(*number))).collect();
            let (there, missing): (Vec<_>, Vec<_>) = group.iter().partition(|(number, _)| has(*number));
            let ends = there.first().zip(there.last()).map(|((_, low), (_, high))| (**low, **high));
            DimensionReach {
                dimension: group[0].1.dimension,
                parameter: classes.swept.named(group[0].1.dimension),
                offered: group.len(),
                reached: there.len(),
                ends,
                classes: words,
                not_reached: missing.into_iter().map(|(_, class)| class.label()).collect(),
            }
        };
        let mut pairs = Vec::new();
        for (at, one) in groups.iter().enumerate() {
            for other in &groups[at + 1..] {
                let all = || one.iter().flat_map(|(a, _)| other.iter().map(move |(b, _)| (*a, *b)));
                let reached = all().filter(|(a, b)| met.has(*a, *b)).count();
                let impossible = all().filter(|(a, b)| !met.has(*a, *b) && impossible.has(*a, *b)).count();
                let offered = one.len() * other.len() - impossible;
                let (one, other) = (one[0].1.dimension, other[0].1.dimension);
                if classes.pairs_are_offered(one, other) {
                    pairs.push(PairReach { one, other, offered, impossible, reached });
                }
            }
        }
        Reach { level, dimensions: groups.iter().map(dimension).collect(), pairs }
    }

    /// Classes: reached and offered.
    #[must_use]
    pub fn classes(&self) -> (usize, usize) {
        self.dimensions.iter().fold((0, 0), |(reached, offered), d| (reached + d.reached, offered + d.offered))
    }

    /// Pairs of classes of two dimensions: reached and offered.
    #[must_use]
    pub fn pairs(&self) -> (usize, usize) {
        self.pairs.iter().fold((0, 0), |(reached, offered), p| (reached + p.reached, offered + p.offered))
    }

    /// What was reached of a dimension, if the level has it.
    #[must_use]
    pub fn of(&self, dimension: Dimension) -> Option<&DimensionReach> {
        self.dimensions.iter().find(|d| d.dimension == dimension)
    }
}
