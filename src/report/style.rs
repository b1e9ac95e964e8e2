//! Colours of reports for people.

use anstyle::{AnsiColor, Style};

/// What is as it must be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What is not.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What matters less.
pub(super) const DIM: Style = Style::new().dimmed();

/// How something is shown, on a terminal and on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// It is as it must be.
    Good,
    /// It is not.
    Bad,
    /// It matters less.
    Dim,
}

impl Tone {
    /// On a terminal.
    pub(super) const fn style(self) -> Style {
        match self {
            Tone::Good => GOOD,
            Tone::Bad => BAD,
            Tone::Dim => DIM,
        }
    }

    /// The class of a page's elements.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Dim => "dim",
        }
    }
}

/// A text in a style.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
