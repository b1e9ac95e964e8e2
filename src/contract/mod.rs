//! The arithmetic that a backend declares, the error bound that follows from it, and whether outputs are within that bound.
//!
//! `spec/contracts.yaml` holds the numbers, `docs/numerics.md` the derivations.

mod allowance;
mod arithmetic;
mod bound;
mod declaration;
mod file;
mod forms;
mod frequency_rule;
mod keys;
mod order;
mod pair_bound;
mod passed;
mod precision;
mod range;
mod rows;
mod table;
mod types;

pub use allowance::{Allowance, AllowanceTerm, superposition_allowance};
pub use arithmetic::{AngleUnit, ClassRule, Contract, F32_ROUNDING, Fma, Rotation, Scaling, Store};
pub use bound::Judgement;
pub use declaration::{Declaration, Settings};
pub use file::contracts;
pub use forms::{FormBound, Shears, ThreeProducts};
pub use frequency_rule::{Frequency, FrequencyRule, LogBase, Procedure, Steps};
pub use keys::{ContractKey, KEYS, ROTATION, Setting, Takes, key};
pub use pair_bound::PairBound;
pub use precision::Precision;
pub use rows::{Miss, PairRow, RowBound, RowTally};
pub use table::{ContractExample, ContractTable};
pub use types::Types;
