//! Places in words.

use crate::case::{MemoryPlace, TensorElement};
use crate::check::failure::{Place, Side};

/// Where something was seen, such as `row 1, token 5 (segment 1: t=0 h=1 w=0), q head 2, channel 7 (pair 3, axis h at
/// position 4)`.
#[must_use]
pub fn place(place: &Place) -> String {
    let mut parts = token(place).into_iter().collect::<Vec<_>>();
    if let (Some(side), Some(head)) = (place.side, place.head) {
        parts.push(format!("{} head {head}", self::side(side)));
    }
    let mut text = match place.channel {
        Some(channel) => {
            parts.push(format!("channel {channel}"));
            parts.join(", ")
        }
        None => parts.join(", "),
    };
    if let Some(pair) = place.pair {
        let axis = match &place.axis {
            None => String::new(),
            Some(axis) => match (&axis.name, axis.position) {
                (None, _) => ", on no axis".to_owned(),
                (Some(name), None) => format!(", axis {name}"),
                (Some(name), Some(position)) => format!(", axis {name} at position {}", position.0),
            },
        };
        let pair = format!("pair {pair}{axis}");
        text = if text.is_empty() { pair } else { format!("{text} ({pair})") };
    } else if let Some(name) = place.axis.as_ref().and_then(|axis| axis.name.as_deref()) {
        let row = place.row.map(|row| format!("row {row}, ")).unwrap_or_default();
        let token = if text.is_empty() { format!("{row}text after the layout") } else { text };
        text = format!("{token}, axis {name}");
    }
    text
}

/// The token of a place.
pub(super) fn token(place: &Place) -> Option<String> {
    let token = place.token?;
    let row = match (place.row, place.sequence) {
        (Some(row), _) => format!("row {row}, "),
        (None, Some(sequence)) => format!("sequence {sequence}, "),
        (None, None) => String::new(),
    };
    let cell = match &place.cell {
        None => String::new(),
        Some(cell) => match cell.grid {
            Some([t, h, w]) => format!(" (segment {}: t={t} h={h} w={w})", cell.segment),
            None => format!(" (segment {}: text)", cell.segment),
        },
    };
    Some(format!("{row}token {token}{cell}"))
}

/// `q` or `k`.
pub(super) fn side(side: Side) -> &'static str {
    match side {
        Side::Q => "q",
        Side::K => "k",
    }
}

/// What lies at an address.
pub(super) fn memory(at: &MemoryPlace) -> String {
    let of = |element: &TensorElement, buffer: &str| {
        let TensorElement { row, token, head, channel } = element;
        format!("row {row}, token {token}, head {head}, channel {channel} of {buffer}")
    };
    let count = |n: i64| if n == 1 { "1 element".to_owned() } else { format!("{n} elements") };
    match at {
        MemoryPlace::Element { buffer, element } => of(element, buffer),
        MemoryPlace::GapAfter { buffer, element } => format!("the gap after {}", of(element, buffer)),
        MemoryPlace::BeforeFirst { buffer } => format!("before the first element of {buffer}"),
        MemoryPlace::Entry { buffer, index } => format!("element {index} of {buffer}"),
        MemoryPlace::Before { buffer, elements } => format!("{} before the start of {buffer}", count(*elements)),
        MemoryPlace::After { buffer, elements } => format!("{} after the end of {buffer}", count(*elements)),
        MemoryPlace::Nowhere { byte } => format!("byte {byte} of the arena"),
    }
}
