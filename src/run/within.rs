//! The part of the manifest's box that a verdict is about, in words.

use crate::backend::Manifest;
use crate::backend::manifest::Integers;
use crate::case::{Dimension, Level};
use crate::check::cover::Reach;

/// Sizes that a verdict names, with what a manifest offers of them; `None`: no manifest bounds it.
fn sizes(manifest: &Manifest) -> [(Dimension, Option<i64>); 5] {
    let most = |integers: &Integers| match integers {
        Integers::List(values) => values.iter().max().copied(),
        Integers::Range { max, .. } => Some(*max),
    };
    [
        (Dimension::QHeads, most(&manifest.q_heads)),
        (Dimension::KHeads, most(&manifest.k_heads)),
        (Dimension::HeadDim, most(&manifest.head_dims)),
        (Dimension::Batch, None),
        (Dimension::Tokens, Some(manifest.max_tokens)),
    ]
}

/// What judged calls reached on every level: `, within q_heads 1-64, ...`. Where classes were left out between the ends, or
/// more is offered, it says so.
pub(super) fn within(manifest: &Manifest, reach: &[Reach]) -> String {
    let mut parts = Vec::new();
    for (dimension, offered) in sizes(manifest) {
        let levels = reach.iter().filter(|level| level.level != Level::Positions || dimension == Dimension::Tokens);
        let here: Vec<_> = levels.filter_map(|level| level.of(dimension)).collect();
        let Some(worst) = here.iter().min_by_key(|d| d.reached * 1000 / d.offered.max(1)) else { continue };
        let all: Option<Vec<_>> = here.iter().map(|d| d.ends).collect();
        let Some(all) = all else {
            parts.push(format!("no {}", dimension.name()));
            continue;
        };
        let low = all.iter().map(|(low, _)| low.low).max().unwrap_or(0);
        let high = all.iter().map(|(_, high)| high.low).min().unwrap_or(0);
        let range = if low == high { grouped(low) } else { format!("{}-{}", grouped(low), grouped(high)) };
        let more = offered.filter(|offered| *offered > high);
        let more = more.map(|offered| format!(" (offered: to {})", grouped(offered))).unwrap_or_default();
        // Ends alone would claim what lies between them.
        let share = if worst.reached < worst.offered {
            format!(" in {} of {} classes", worst.reached, worst.offered)
        } else {
            String::new()
        };
        parts.push(format!("{} {range}{share}{more}", dimension.name()));
    }
    if parts.is_empty() { String::new() } else { format!(", within {}", parts.join(", ")) }
}

/// An integer with a comma before every three digits.
pub(super) fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 999, 1_000, 16_777_216, -65_537].map(grouped), ["0", "999", "1,000", "16,777,216", "-65,537"]);
    }
}
