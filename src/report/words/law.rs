//! Laws that do not hold, in words.

use super::number::number;
use super::place::{place, token};
use crate::check::failure::{AxisMove, Law, Place, Scalar};

/// A summary and lines of evidence. `numbers`: expected, observed, error, allowed.
pub(super) fn lines(law: &Law, at: &Place, numbers: [Scalar; 4]) -> Vec<String> {
    let [expected, observed, error, allowed] = numbers.map(|n| number(n.0, None));
    let short = |n: Scalar| number(n.0, Some(3));
    let here = place(at);
    // A difference from NaN is no number: what was found says more.
    let differs = |what: &str, when: &str| {
        if numbers[2].0.is_finite() {
            format!("{what} by {error}{when}, allowed {allowed}")
        } else {
            format!("{what}{when}: found {observed}, expected {expected}")
        }
    };
    match law {
        Law::RelativePosition { query_token, key_token, shift } => {
            let pair = at.pair.map(|pair| format!(", pair {pair}")).unwrap_or_default();
            let what = format!("query token {query_token} and key token {key_token}{pair}: the inner product changes");
            let when = format!(" when all positions move by {shift}");
            vec![differs(&what, &when), format!("{expected} before, {observed} after")]
        }
        Law::PairNorm { input, output, attention_scaling } => vec![
            format!(
                "{here}: the pair's squared length is {}, expected {}",
                number(numbers[1].0, Some(9)),
                number(numbers[0].0, Some(9))
            ),
            format!("error {}, allowed {} without any error of the angle", short(numbers[2]), short(numbers[3])),
            format!("in {}, out {}, m = {}", both(input), both(output), attention_scaling.0),
        ],
        Law::Superposition { first, second } => {
            let parts = format!(
                "y = {observed}, of (a, 0) alone {}, of (0, b) alone {}",
                number(first.0, None),
                number(second.0, None)
            );
            let mut lines = vec![differs(&format!("{here}: y and p1 + p2 differ"), ""), parts];
            if numbers[2].0.is_finite() {
                lines.push("rounding to nearest cannot give this; truncation can".to_owned());
            }
            lines
        }
        Law::PowerOfTwo { factor, plain, input } => vec![
            format!("{here}: inputs times {} give {observed}, not {expected}", number(factor.0, None)),
            format!("without the factor: {} from {}", number(plain.0, None), both(input)),
            "every rounding commutes with a power of two here, so the bits must be the same".to_owned(),
        ],
        Law::IdentityAtZero { exact } => {
            let rule = if *exact {
                "cos 0 = 1 and sin 0 = 0 leave nothing to round".to_owned()
            } else {
                format!("allowed {}", short(numbers[3]))
            };
            vec![format!("{here}: position 0 must give back {expected}, found {observed}"), rule]
        }
        Law::ZeroOfZero => vec![format!("{here}: {observed}, of input 0")],
        Law::AxisLocality { between, moved, outputs } => vec![
            differs(&format!("{} changes", pair_of_head(at)), " with positions of other axes"),
            compared(between, moved),
            format!("{} and {}, for the same input", number(outputs[0].0, None), number(outputs[1].0, None)),
        ],
        Law::AxisSensitivity { between, moved, outputs, output } => vec![
            format!(
                "{} changes by {observed} where it must change by {expected}, give or take {allowed}",
                pair_of_head(at)
            ),
            compared(between, moved),
            format!(
                "output {} is {} and {}, for the same input",
                output + 1,
                number(outputs[0].0, None),
                number(outputs[1].0, None)
            ),
        ],
        Law::TurnedOn { more, step } => vec![
            format!("{here}: {more} more text tokens in front do not turn the output on by {}", step.0),
            format!("found {observed}, expected {expected}, allowed {allowed}"),
        ],
    }
}

fn both(pair: &[Scalar; 2]) -> String {
    format!("({}, {})", number(pair[0].0, None), number(pair[1].0, None))
}

fn pair_of_head(at: &Place) -> String {
    match (at.pair, at.head) {
        (Some(pair), Some(head)) => {
            let side = at.side.map_or("", super::place::side);
            format!("pair {pair} of {side} head {head}")
        }
        _ => place(at),
    }
}

fn compared(between: &[Place; 2], moved: &[AxisMove]) -> String {
    let name = |at: &Place| token(at).unwrap_or_else(|| place(at));
    let moves: Vec<String> = moved.iter().map(|m| format!("{} {} -> {}", m.axis, m.from.0, m.to.0)).collect();
    format!("{} and {}: {}", name(&between[0]), name(&between[1]), moves.join(", "))
}
