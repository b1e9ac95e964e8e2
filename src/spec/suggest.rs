//! Names that do not exist, and the ones that may have been meant.

/// The candidate that is most like a word, if one is like it at all.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        let score = strsim::jaro_winkler(word, candidate);
        // One letter is too little to go by, unless there is nothing else to go by.
        let long_enough = candidate.len() > 1 || word.len() <= 2;
        if long_enough && score > 0.75 && best.is_none_or(|(other, _)| score > other) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate.to_owned())
}

/// `; did you mean "x"?`, or nothing if no name is like the word.
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, known).map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default()
}

/// `unknown WHAT "x", expected one of a, b, c; did you mean "a"?`
pub fn unknown<'a>(what: &str, word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    // A file may hold a word of any length: the list must stay in sight.
    let word = format!("{word:.60}");
    let known: Vec<&str> = known.into_iter().collect();
    let hint = hint(&word, known.iter().copied());
    let known =
        if known.is_empty() { "there is none".to_owned() } else { format!("expected one of {}", known.join(", ")) };
    format!("unknown {what} {word:?}, {known}{hint}")
}

/// What a word of a closed list stands for.
///
/// # Errors
/// [`unknown`]
pub fn choose<T: Copy>(what: &str, word: &str, all: &[(&str, T)]) -> Result<T, String> {
    let found = all.iter().find(|(name, _)| *name == word).map(|(_, item)| *item);
    found.ok_or_else(|| unknown(what, word, all.iter().map(|(name, _)| *name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_out_of_a_list_is_taken_and_another_is_named_with_the_list_and_the_nearest() {
        let all = [("rotate", 1), ("fused", 2)];
        assert_eq!(choose("level", "fused", &all), Ok(2));
        let message = |word: &str| choose("level", word, &all).expect_err(word);
        let expected = "unknown level \"rotat\", expected one of rotate, fused; did you mean \"rotate\"?";
        assert_eq!(message("rotat"), expected);
        assert_eq!(message("x"), "unknown level \"x\", expected one of rotate, fused");
        assert_eq!(unknown("parameter", "x", []), "unknown parameter \"x\", there is none");
        let long = format!("unknown level \"{}\", expected one of rotate, fused", "x".repeat(60));
        assert_eq!(message(&"x".repeat(1 << 20)), long);
        // Of two that are alike the nearer one; one letter says nothing of a long word.
        assert_eq!(closest("rope-2", ["rope-1d", "rope-2d"]).as_deref(), Some("rope-2d"));
        assert_eq!(closest("tau", ["t"]), None);
    }
}
