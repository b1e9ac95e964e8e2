//! Shape of the text of a layout, such as `text:3 video:4x2x3@0.5s`. What it means is known one room further; here a
//! witness is only checked for mistakes that its author would want to hear about while loading the spec.

use crate::numeric::Number;

/// Checks the text of a layout.
///
/// # Errors
/// What was expected and what was found.
pub fn check(text: &str) -> Result<(), String> {
    let mut any = false;
    for part in text.split([' ', '+', ',']).filter(|part| !part.is_empty()) {
        any = true;
        let (kind, size) = part
            .split_once(':')
            .ok_or_else(|| format!("expected `text:N`, `image:HxW` or `video:TxHxW`, found `{part}`"))?;
        let (size, seconds) = match size.split_once('@') {
            Some((size, seconds)) => (size, Some(seconds)),
            None => (size, None),
        };
        let wanted = match kind {
            "text" => 1,
            "image" => 2,
            "video" => 3,
            _ => return Err(format!("expected `text`, `image` or `video`, found `{kind}`")),
        };
        let numbers: Vec<&str> = size.split('x').collect();
        if numbers.len() != wanted {
            return Err(format!("`{kind}` has {wanted} sizes, found {} in `{part}`", numbers.len()));
        }
        for number in numbers {
            if !number.parse::<u32>().is_ok_and(|value| value > 0) {
                return Err(format!("expected a size from 1, found `{number}` in `{part}`"));
            }
        }
        if let Some(seconds) = seconds {
            let number = seconds
                .strip_suffix('s')
                .ok_or_else(|| format!("expected seconds as in `@0.5s`, found `@{seconds}`"))?;
            if kind != "video" || !Number::parse(number).is_ok_and(|value| value.cmp(&Number::zero()).is_ge()) {
                return Err(format!("expected seconds of a video, found `@{seconds}` in `{part}`"));
            }
        }
    }
    if any { Ok(()) } else { Err("expected a layout such as `text:1 video:2x2x2`, found nothing".to_owned()) }
}
