//! What a check is: an id, documentation, cases, and a judgement of each case.

use super::failure::Stop;
use super::generator::Generator;
use super::harness::Harness;
use super::measure::Measure;
use super::schedule::Schedule;
use crate::case::{Case, Level};

/// What `explain` prints of a check.
#[derive(Debug, Clone, Copy)]
pub struct Docs {
    /// What must hold, in a sentence.
    pub statement: &'static str,
    /// What must hold, as a formula.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What it catches.
    pub catches: &'static str,
    /// What it cannot catch.
    pub cannot_catch: &'static str,
}

/// One thing that must hold of a backend.
pub trait Check: Sync {
    /// Stable kebab-case id.
    fn id(&self) -> &'static str;

    /// What `explain` prints.
    fn docs(&self) -> Docs;

    /// Levels on which it can be judged.
    fn levels(&self) -> &'static [Level];

    /// Whether it judges the memory of a call: of a backend that works on copies nothing follows from it.
    fn is_about_memory(&self) -> bool {
        false
    }

    /// Whether what it looks at depends on where a scheme puts its tokens. If not, a run tries it with each type and pairing
    /// on some of the schemes.
    fn is_about_schemes(&self) -> bool {
        !self.is_about_memory()
    }

    /// Whether it takes far longer than most: a run begins it when the others are through with all groups.
    fn takes_long(&self) -> bool {
        false
    }

    /// Whether it plans the calls that cover what a manifest offers on a level; without such a check they are not made.
    fn covers(&self, _: Level) -> bool {
        false
    }

    /// The cases for one group.
    fn schedule(&self, generator: &Generator) -> Schedule;

    /// Runs and judges one case.
    ///
    /// # Errors
    /// [`Stop`] if it does not hold, if nothing can be concluded, or if the case itself is wrong.
    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop>;
}

/// The levels that move tensors.
pub(super) const TENSOR_LEVELS: &[Level] = &[Level::Rotate, Level::Fused, Level::Apply];
/// The levels on which the backend itself applies an axis map.
pub(super) const MAP_LEVELS: &[Level] = &[Level::Rotate, Level::Fused];
