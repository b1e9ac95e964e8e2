//! Numbers in words.

/// A number in words: NaN and infinities have names of their own, others `digits` after the point in scientific form.
pub(super) fn number(value: f64, digits: Option<usize>) -> String {
    match (value, digits) {
        (nan, _) if nan.is_nan() => "NaN".into(),
        (infinite, _) if infinite.is_infinite() => {
            if infinite > 0.0 {
                "infinity".into()
            } else {
                "-infinity".into()
            }
        }
        (finite, Some(digits)) => format!("{finite:.digits$e}"),
        (finite, None) => format!("{finite:e}"),
    }
}
