//! ropecheck: conformance and property tests for the rotary position embeddings of video language models.
//!
//! The rooms import one way: numeric → spec → positions → rotation → contract → property → case → backend → check → fault → run → report → cli.

pub mod backend;
pub mod case;
pub mod check;
pub mod cli;
pub mod contract;
pub mod fault;
pub mod numeric;
pub mod positions;
pub mod property;
pub mod report;
pub mod rotation;
pub mod run;
pub mod spec;
