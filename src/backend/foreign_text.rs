//! Text that comes from code under test, made fit to be shown. There is no other way into a report for it.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// Most characters that are kept; of a longer text the last ones.
const MOST_CHARACTERS: usize = 2000;
/// Most lines that are kept: a traceback's last frames, and not a screen of what was printed before.
const MOST_LINES: usize = 24;

/// Text of a backend: what it printed, its messages, its name. It cannot move a cursor, turn the direction of
/// writing, make a document that is no XML, or begin a line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct ForeignText(String);

impl ForeignText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for ForeignText {
    fn from(text: &str) -> ForeignText {
        let whole = text.trim();
        let text = whole.rmatch_indices('\n').nth(MOST_LINES - 1).map_or(whole, |(end, _)| &whole[end + 1..]);
        let all = text.chars().count();
        let is_cut = all > MOST_CHARACTERS || text.len() < whole.len();
        let mut kept = if is_cut { String::from("... ") } else { String::new() };
        for character in text.chars().skip(all.saturating_sub(MOST_CHARACTERS)) {
            match character {
                '\n' => kept.push_str("\n       "),
                '\t' => kept.push(' '),
                _ if is_printable(character) => kept.push(character),
                _ => kept.extend(character.escape_unicode()),
            }
        }
        ForeignText(kept)
    }
}

impl From<String> for ForeignText {
    fn from(text: String) -> ForeignText {
        text.as_str().into()
    }
}

impl fmt::Display for ForeignText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whether a character shows itself and does nothing else, anywhere: control characters, separators of lines,
/// marks that turn the direction of writing, and what XML cannot hold are not.
#[must_use]
pub fn is_printable(character: char) -> bool {
    let turns =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let hidden = matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}') || (character as u32 & 0xfffe) == 0xfffe;
    !character.is_control() && !turns && !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_comes_through() {
        let text = ForeignText::from("\u{1b}[2J\u{202e}TNAM\u{2028}\u{fffe}\r\nCONFORMANT on all levels\u{0}");
        assert_eq!(
            text.as_str(),
            "\\u{1b}[2J\\u{202e}TNAM\\u{2028}\\u{fffe}\\u{d}\n       CONFORMANT on all levels\\u{0}"
        );
        for character in (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| !is_printable(*c)) {
            let text = ForeignText::from(format!("a{character}b").as_str());
            assert!(text.as_str().chars().all(|c| is_printable(c) || c == '\n'), "{text:?}");
        }
        let long = ForeignText::from("é".repeat(5000));
        assert_eq!(long.as_str().chars().count(), MOST_CHARACTERS + 4);
        let lines: Vec<String> = (0..40).map(|i| i.to_string()).collect();
        let tall = ForeignText::from(lines.join("\n"));
        assert!(tall.as_str().starts_with("... 16\n       17\n") && tall.as_str().ends_with("\n       39"), "{tall}");
        assert_eq!(ForeignText::from(lines[..24].join("\n")).as_str().lines().count(), 24);
    }
}
