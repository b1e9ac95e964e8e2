//! Messages about a file: where, what was expected, what was found, what may have been meant.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::suggest::closest;

/// A file that was read, as messages show it.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path or name, as shown to people.
    pub name: String,
    /// Whole text; empty if the file could not be read.
    pub text: String,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Bytes of its text.
    pub span: Range<usize>,
}

impl Location {
    /// Line and column of the start, both from 1; the column counts characters.
    #[must_use]
    pub fn line_column(&self) -> (usize, usize) {
        let mut end = self.span.start.min(self.file.text.len());
        while !self.file.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.file.text[..end];
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
        (line, column)
    }
}

/// One mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// Where.
    pub location: Location,
    /// What was expected and what was found, in one line.
    pub message: String,
    /// Further lines.
    pub notes: Vec<String>,
    /// What may have been meant.
    pub suggestion: Option<String>,
}

impl SpecError {
    /// A mistake at a place.
    #[must_use]
    pub fn new(location: &Location, message: impl Into<String>) -> Self {
        SpecError { location: location.clone(), message: message.into(), notes: Vec::new(), suggestion: None }
    }

    /// A mistake that concerns a file as a whole, such as one that cannot be read.
    #[must_use]
    pub fn file(name: impl Into<String>, message: impl Into<String>) -> Self {
        let file = Arc::new(SourceFile { name: name.into(), text: String::new() });
        SpecError::new(&Location { file, span: 0..0 }, message)
    }

    /// Adds a line.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds which of the names may have been meant by a word, if one is like it.
    #[must_use]
    pub fn suggest<'a>(mut self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        self.suggestion = closest(word, known);
        self
    }

    /// `file:line:column: message`, on one line.
    #[must_use]
    pub fn line(&self) -> String {
        let name = &self.location.file.name;
        let help = self.suggestion.as_ref().map(|meant| format!(" (did you mean `{meant}`?)")).unwrap_or_default();
        if self.location.file.text.is_empty() {
            return format!("{name}: {}{help}", self.message);
        }
        let (line, column) = self.location.line_column();
        format!("{name}:{line}:{column}: {}{help}", self.message)
    }

    /// The message with the excerpt of the file, over several lines; with colour for a terminal, or plain.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let text = &self.location.file.text;
        let group = if text.is_empty() {
            Level::ERROR.primary_title(self.line()).elements(Vec::<annotate_snippets::Element<'_>>::new())
        } else {
            let annotation = AnnotationKind::Primary.span(self.shown_span());
            let snippet = Snippet::source(text.as_str()).path(self.location.file.name.as_str()).annotation(annotation);
            Level::ERROR.primary_title(self.message.as_str()).element(snippet)
        };
        let notes = self.notes.iter().map(|note| Level::NOTE.message(note.as_str()));
        let help = self.suggestion.iter().map(|meant| Level::HELP.message(format!("did you mean `{meant}`?")));
        let group = group.elements(notes).elements(help);
        renderer.render(&[group])
    }

    /// The span, cut to its first line and to whole characters.
    fn shown_span(&self) -> Range<usize> {
        let text = &self.location.file.text;
        let boundary = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = boundary(self.location.span.start);
        let end = boundary(self.location.span.end.max(start));
        let line = text[start..end].find('\n').map_or(end, |length| start + length);
        start..line
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())
    }
}

impl std::error::Error for SpecError {}

/// Every mistake that was found, at least one, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecErrors(Vec<SpecError>);

impl SpecErrors {
    /// The mistakes.
    #[must_use]
    pub fn errors(&self) -> &[SpecError] {
        &self.0
    }

    /// All messages with excerpts, with a blank line between them.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let all: Vec<String> = self.0.iter().map(|error| error.render(colour)).collect();
        all.join("\n\n")
    }
}

impl From<SpecError> for SpecErrors {
    fn from(error: SpecError) -> Self {
        SpecErrors(vec![error])
    }
}

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&error.line())?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecErrors {}

/// Most mistakes that are reported at once: each is shown with its place in the file.
pub const MAX_ERRORS: usize = 100;

/// Collects mistakes, so that one run can report several.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    errors: Vec<SpecError>,
    /// Mistakes beyond [`MAX_ERRORS`].
    more: usize,
}

impl Sink {
    /// Notes a mistake; one that is already there is dropped (profiles share most of their file).
    pub(crate) fn push(&mut self, error: SpecError) {
        if self.errors.len() >= MAX_ERRORS {
            self.more += 1;
        } else if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Value of a result, or `None` with its mistake noted.
    pub(crate) fn take<T>(&mut self, result: Result<T, SpecError>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Number of mistakes so far.
    pub(super) fn len(&self) -> usize {
        self.errors.len() + self.more
    }

    /// The first mistake, if there is one.
    pub(super) fn first(self) -> Option<SpecError> {
        self.errors.into_iter().next()
    }

    /// `value` if there was no mistake.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, SpecErrors> {
        let mut errors = self.errors;
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => {
                errors.sort_by(|a, b| {
                    let key = |error: &SpecError| (error.location.file.name.clone(), error.location.span.start);
                    key(a).cmp(&key(b))
                });
                if let Some(last) = errors.pop() {
                    errors.push(if self.more > 0 { last.note("there are more mistakes than are shown") } else { last });
                }
                Err(SpecErrors(errors))
            }
        }
    }
}
