//! What was being done, in words.

use super::place::side;
use crate::check::failure::{CallDifference, Circumstance, OtherTensor, RowKind, Side};

/// A phrase that stands before a failure and a colon.
pub(super) fn phrase(what: Circumstance) -> String {
    match what {
        Circumstance::Repeated { run } => format!("run {run} of the same call"),
        Circumstance::BeforeOtherCalls => "before any other call".into(),
        Circumstance::CallBetween { difference } => {
            format!("a call with {} after the first", self::difference(difference))
        }
        Circumstance::AfterCall { difference } => format!("after a call with {}", self::difference(difference)),
        Circumstance::Chunk { start, end } => format!("tokens {start}..{end} asked for apart"),
        Circumstance::Prefill => "the prefill".into(),
        Circumstance::Appended { token } => format!("the appended token {token}"),
        Circumstance::SequenceAlone { sequence } => format!("sequence {sequence} alone"),
        Circumstance::SecondCall => "the second of two calls, on the outputs of the first".into(),
        Circumstance::TurnedBack => "turned back, from the outputs of the first call".into(),
        Circumstance::Subnormals { .. } => "numbers around and below the smallest normal one".into(),
        Circumstance::NearLargest => "inputs near the largest number".into(),
        Circumstance::BesideNonFinite => "some pairs hold NaN and infinities".into(),
        Circumstance::InPlace => "in place".into(),
        Circumstance::PlainMemory => "in plain memory".into(),
        Circumstance::OutOfPlace => "out of place".into(),
        Circumstance::Strided => "with these strides".into(),
        Circumstance::OtherSurroundings => "with other bytes around the buffers".into(),
        Circumstance::FarRows => "with rows 2^31 elements apart".into(),
        Circumstance::ManyRows { rows } => format!("with {rows} rows"),
        Circumstance::BeyondMaxPosition { max_position } => {
            format!("beyond max_position {max_position}, with status OK")
        }
        Circumstance::SpecialValuesOutside => "with special values outside the rotary width".into(),
        Circumstance::OthersSpoiled { rows } => {
            format!("while every second one of the {} holds NaN or huge numbers", self::rows(rows))
        }
        Circumstance::EqualInput { rows } => format!("{} of equal input", self::rows(rows)),
        Circumstance::OtherTensor { judged, other } => {
            let (judged, others) = match judged {
                Side::Q => ("queries", "keys"),
                Side::K => ("keys", "queries"),
            };
            match other {
                OtherTensor::Spoiled => format!("{judged}, while the {others} hold NaN and huge numbers"),
                OtherTensor::Zero => format!("{judged}, while the {others} are zero"),
            }
        }
    }
}

/// A line of advice that follows from what was being done.
pub(super) fn advice(what: Circumstance) -> Option<&'static str> {
    match what {
        Circumstance::Subnormals { flushes: false } => {
            Some("the contract keeps subnormals; a kernel that flushes them must declare it")
        }
        _ => None,
    }
}

fn difference(difference: CallDifference) -> &'static str {
    match difference {
        CallDifference::Dtype => "another dtype",
        CallDifference::Layout => "another layout",
        CallDifference::PositionDtype => "another position dtype",
        CallDifference::Heads => "other heads",
        CallDifference::Base => "another base",
        CallDifference::Positions => "other positions",
        CallDifference::Direction => "the other direction",
        CallDifference::Pairing => "the other pairing",
        CallDifference::MemoryLayout => "another memory layout",
    }
}

/// `tokens`, `heads` or `batch rows`.
pub(super) fn rows(rows: RowKind) -> &'static str {
    match rows {
        RowKind::Tokens => "tokens",
        RowKind::Heads => "heads",
        RowKind::BatchRows => "batch rows",
    }
}

/// Which output of which tensor, such as `q_out`.
pub(super) fn output(which: Side) -> String {
    format!("{}_out", side(which))
}
