//! Why something is not a layout, and where in its text that shows.

use std::fmt;

/// Characters of a long text that are shown on each side of a mistake.
const EXCERPT_SIDE: usize = 36;

/// Why something is not a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutError(Box<Mistake>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mistake {
    column: Option<usize>,
    expected: String,
    found: String,
    help: Option<String>,
    excerpt: Option<[String; 2]>,
}

impl LayoutError {
    /// Column of the mistake in the text, in characters from 1; `None` if there was no text.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.0.column
    }

    /// The part of the text around the mistake, and a line of carets under it.
    #[must_use]
    pub fn excerpt(&self) -> Option<&[String; 2]> {
        self.0.excerpt.as_ref()
    }
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake { column, expected, found, help, excerpt } = &*self.0;
        if let Some(column) = column {
            write!(f, "layout, column {column}: ")?;
        } else {
            f.write_str("layout: ")?;
        }
        write!(f, "expected {expected}, found {found}")?;
        if let Some([text, carets]) = excerpt {
            write!(f, "\n  {text}\n  {carets}")?;
        }
        if let Some(help) = help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LayoutError {}

/// What is wrong, before it is known where it stands.
pub(super) struct Problem {
    expected: String,
    found: String,
    help: Option<String>,
}

impl Problem {
    pub(super) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Problem { expected: expected.into(), found: found.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn without_place(self, segment: impl fmt::Display) -> LayoutError {
        let found = format!("{} in `{segment}`", self.found);
        Problem { found, ..self }.nowhere()
    }

    pub(super) fn nowhere(self) -> LayoutError {
        let Problem { expected, found, help } = self;
        LayoutError(Box::new(Mistake { column: None, expected, found, help, excerpt: None }))
    }

    /// `start..end` are bytes of `text`.
    pub(super) fn at(self, text: &str, start: usize, end: usize) -> LayoutError {
        let before: Vec<char> = text[..start].chars().collect();
        let marked: Vec<char> = text[start..end].chars().collect();
        let after: Vec<char> = text[end..].chars().collect();
        let skipped = before.len().saturating_sub(EXCERPT_SIDE);
        let shown = marked.len().min(EXCERPT_SIDE);
        let mut line = String::new();
        let mut carets = String::new();
        if skipped > 0 {
            line.push('…');
            carets.push(' ');
        }
        let printable = |c: &char| if c.is_control() { ' ' } else { *c };
        line.extend(before[skipped..].iter().map(printable));
        carets.extend(std::iter::repeat_n(' ', before.len() - skipped));
        line.extend(marked[..shown].iter().map(printable));
        carets.extend(std::iter::repeat_n('^', shown.max(1)));
        if shown < marked.len() {
            line.push('…');
        } else {
            line.extend(after.iter().take(EXCERPT_SIDE).map(printable));
            if after.len() > EXCERPT_SIDE {
                line.push('…');
            }
        }
        LayoutError(Box::new(Mistake {
            column: Some(before.len() + 1),
            expected: self.expected,
            found: self.found,
            help: self.help,
            excerpt: Some([line.trim_end().to_owned(), carets]),
        }))
    }
}
