//! What explains failures, as data.

use schemars::JsonSchema;
use serde::Serialize;

use crate::fault::Fault;
use crate::numeric::DType;

/// A known defect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NamedFault {
    /// Its id, as `ropecheck explain` takes it.
    pub id: String,
    /// What goes wrong, in a sentence.
    pub says: String,
    /// Where to look in a kernel.
    pub look: String,
    /// Where it happened: repository and number.
    pub bugs: Vec<String>,
}

impl NamedFault {
    /// A fault of the catalogue, as far as reports tell of it.
    pub(super) fn of(fault: &Fault) -> NamedFault {
        let Fault { id, doc, look, bugs, .. } = fault.clone();
        NamedFault { id, says: doc, look, bugs }
    }
}

/// Defects that show what was observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Explanation {
    /// From 1; explanations that no case tells apart have the same one.
    pub rank: usize,
    /// One defect, or two at the same time.
    pub faults: Vec<NamedFault>,
    /// How many of these cases it reproduces; the first one is among them.
    pub reproduces: usize,
    /// Whether it does so bit by bit, and not only within the contract's bound.
    pub exact: bool,
}

/// What explains failures of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Diagnosis {
    /// Id of the failure that a report tells the finding by.
    pub finding: String,
    /// What kind of failure, as in its cause.
    pub kind: String,
    /// Ids of the failures whose cases were run again, the most telling first, and twice where it was run as
    /// it was seen at first, too.
    pub failures: Vec<String>,
    /// What reproduces the first of them and the right kernel does not, the best first; empty if nothing
    /// does.
    pub explanations: Vec<Explanation>,
    /// What the wrong values of the first of them are, where that has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Resemblance>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ValueOrigin {
    /// What memory was filled with before the call: nothing was written.
    Unwritten,
    /// Zero.
    Zero,
    /// The input at the same place.
    Input,
    /// What an earlier call of the same shape wrote at the same place.
    EarlierCall,
    /// The right output of another batch row.
    OtherRow {
        /// How many rows further on; none: it is always that of row 0.
        further: Option<isize>,
    },
    /// The right output of another token.
    OtherToken {
        /// How many tokens further on; none: it is always that of token 0.
        further: Option<isize>,
    },
    /// The right output of another head.
    OtherHead {
        /// How many heads further on; none: it is always that of head 0.
        further: Option<isize>,
    },
    /// The right output with the other sign.
    Negative,
    /// A number of a narrower type, which right values are not.
    Narrower {
        /// That type.
        dtype: DType,
    },
}

/// What all wrong values of a case are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Resemblance {
    /// Where they come from.
    #[serde(flatten)]
    pub origin: ValueOrigin,
    /// Elements that are certainly wrong.
    pub wrong: usize,
    /// Elements that were compared.
    pub of: usize,
}
