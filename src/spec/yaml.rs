//! YAML text to a tree with spans. Scalars stay text, so that 0.29 is exactly 29/100. This is the only module
//! that knows the YAML parser.
//!
//! Refused: anchors, aliases and tags (a file of a few lines can unfold to gigabytes), several documents,
//! duplicate keys, keys that are not plain text, and whatever passes the limits below.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::diagnostic::{Location, SourceFile, SpecError};
use super::regular_file::read_regular;

/// Largest file, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting of sequences and maps.
pub const MAX_NESTING: usize = 32;
/// Most nodes in one file.
pub const MAX_NODES: usize = 50_000;
/// Most entries of one map: keys are looked up one by one.
pub const MAX_KEYS: usize = 256;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where.
    pub location: Location,
}

/// A value.
#[derive(Debug, Clone)]
pub enum Value {
    /// Text, and whether it was written without quotes. An absent value is empty and plain.
    Scalar {
        /// The text, with escapes resolved.
        text: String,
        /// Written without quotes.
        plain: bool,
    },
    /// `[a, b]` or `- a`.
    Seq(Vec<Node>),
    /// `{a: b}` or `a: b`, in file order.
    Map(Vec<(Key, Node)>),
}

/// A key of a map and where it stands.
#[derive(Debug, Clone)]
pub struct Key {
    /// The text.
    pub text: String,
    /// Where.
    pub location: Location,
}

impl Node {
    /// What it is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar { text, plain: true } if text.is_empty() => "nothing",
            Value::Scalar { text, .. } if text.is_empty() => "empty text",
            Value::Scalar { .. } => "a scalar",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// An error at this node.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> SpecError {
        SpecError::new(&self.location, message)
    }

    /// The text of a scalar that is not empty.
    ///
    /// # Errors
    /// If it is a list, a map or nothing. `what` says what was expected, such as "a formula".
    pub fn text(&self, what: &str) -> Result<&str, SpecError> {
        match &self.value {
            Value::Scalar { text, .. } if !text.is_empty() => Ok(text),
            _ => Err(self.error(format!("expected {what}, found {}", self.kind()))),
        }
    }

    /// The elements of a list.
    ///
    /// # Errors
    /// If it is no list.
    pub fn list(&self, what: &str) -> Result<&[Node], SpecError> {
        match &self.value {
            Value::Seq(items) => Ok(items),
            _ => Err(self.error(format!("expected {what} (a list), found {}", self.kind()))),
        }
    }

    /// The entries of a map, in file order.
    ///
    /// # Errors
    /// If it is no map.
    pub fn map(&self, what: &str) -> Result<&[(Key, Node)], SpecError> {
        match &self.value {
            Value::Map(entries) => Ok(entries),
            _ => Err(self.error(format!("expected {what} (a map), found {}", self.kind()))),
        }
    }

    /// The value under a key, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(other, _)| other.text == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// Place of some bytes of a scalar's text: exact where the text stands in the file as it is (one line, no
    /// escapes), else the whole scalar.
    #[must_use]
    pub fn locate(&self, part: Range<usize>) -> Location {
        let Value::Scalar { text, .. } = &self.value else { return self.location.clone() };
        let span = &self.location.span;
        let source = self.location.file.text.get(span.clone()).unwrap_or("");
        let offset = if source == text {
            0
        } else if source.get(1..source.len().saturating_sub(1)) == Some(text) {
            1
        } else {
            return self.location.clone();
        };
        let at = |byte: usize| (span.start + offset + byte).min(span.end);
        Location { file: Arc::clone(&self.location.file), span: at(part.start)..at(part.end) }
    }
}

/// Reads a file.
///
/// # Errors
/// If it is missing, no file, too large or not UTF-8.
pub fn read(path: &Path) -> Result<Arc<SourceFile>, SpecError> {
    let name = path.display().to_string();
    let fail = |message: String| SpecError::file(name.clone(), message);
    let cannot = |error: std::io::Error| fail(format!("cannot be read: {error}"));
    let bytes = read_regular(path, MAX_BYTES as u64).map_err(cannot)?;
    let text = String::from_utf8(bytes)
        .map_err(|error| fail(format!("is not UTF-8: invalid byte at offset {}", error.utf8_error().valid_up_to())))?;
    Ok(Arc::new(SourceFile { name, text }))
}

/// Parses one document.
///
/// # Errors
/// The first mistake: syntax, something refused, or a limit.
pub fn parse(file: &Arc<SourceFile>) -> Result<Node, SpecError> {
    if file.text.len() > MAX_BYTES {
        let message = format!("a file may have {MAX_BYTES} bytes, this one has {}", file.text.len());
        return Err(SpecError::file(file.name.clone(), message));
    }
    if file.text.trim().is_empty() {
        return Err(SpecError::file(file.name.clone(), "the file is empty: expected a map"));
    }
    let mut builder = Builder { file, open: Vec::new(), root: None, nodes: 0, documents: 0 };
    for event in Parser::new_from_str(&file.text) {
        let (event, span) = event.map_err(|error| builder.syntax(&error))?;
        builder.event(event, span)?;
    }
    builder.root.ok_or_else(|| SpecError::file(file.name.clone(), "the file holds only comments: expected a map"))
}

/// A list or map that is not closed yet.
struct OpenCollection {
    start: usize,
    flow: bool,
    content: YamlContent,
}

enum YamlContent {
    Seq(Vec<Node>),
    Map(Vec<(Key, Node)>, Option<Key>),
}

struct Builder<'a> {
    file: &'a Arc<SourceFile>,
    open: Vec<OpenCollection>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
}

impl Builder<'_> {
    fn location(&self, span: Range<usize>) -> Location {
        Location { file: Arc::clone(self.file), span }
    }

    /// Byte range of a span.
    fn bytes(&self, span: &Span) -> Range<usize> {
        let byte = |marker: &granit_parser::Marker| {
            marker.byte_offset().unwrap_or_else(|| {
                self.file.text.char_indices().nth(marker.index()).map_or(self.file.text.len(), |(at, _)| at)
            })
        };
        let start = byte(&span.start);
        start..byte(&span.end).max(start)
    }

    fn syntax(&self, error: &ScanError) -> SpecError {
        let at = self.bytes(&Span::empty(*error.marker())).start.min(self.file.text.len());
        let wrong = SpecError::new(&self.location(at..at), format!("this is not YAML: {}", error.info()));
        // The parser notices an unclosed bracket only where something else does not fit any more.
        match self.open.iter().rev().find(|open| open.flow) {
            Some(open) => {
                let (line, column) = self.location(open.start..open.start).line_column();
                wrong.note(format!("the bracket at line {line}, column {column} is not closed before that"))
            }
            None => wrong,
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), SpecError> {
        let bytes = self.bytes(&span);
        let refuse =
            |what: &str| Err(SpecError::new(&self.location(bytes.clone()), format!("{what} may not be used here")));
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "expected one document, found another";
                    return Err(SpecError::new(&self.location(bytes), message));
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => return refuse("an alias (`*name`)"),
            Event::Anchor(..) => return refuse("an anchor (`&name`)"),
            Event::Scalar(text, style, anchor, tag) => {
                if anchor != 0 {
                    return refuse("an anchor (`&name`)");
                }
                if tag.is_some() {
                    return refuse("a tag (`!name`)");
                }
                let plain = style == ScalarStyle::Plain;
                // The parser writes an absent value as `~`.
                let text = if plain && bytes.is_empty() { String::new() } else { text.into_owned() };
                let location = self.location(bytes);
                self.add(Node { value: Value::Scalar { text, plain }, location })?;
            }
            Event::SequenceStart(_, anchor, ref tag) | Event::MappingStart(_, anchor, ref tag) => {
                if anchor != 0 {
                    return refuse("an anchor (`&name`)");
                }
                if tag.is_some() {
                    return refuse("a tag (`!name`)");
                }
                if self.open.len() >= MAX_NESTING {
                    let message = format!("a file may nest {MAX_NESTING} levels deep, this one is deeper");
                    return Err(SpecError::new(&self.location(bytes), message));
                }
                if let Some(OpenCollection { content: YamlContent::Map(_, None), .. }) = self.open.last() {
                    let message = "expected a name as key, found a list or a map";
                    return Err(SpecError::new(&self.location(bytes), message));
                }
                let flow = !bytes.is_empty() && matches!(self.file.text.as_bytes().get(bytes.start), Some(b'[' | b'{'));
                let content = if matches!(event, Event::SequenceStart(..)) {
                    YamlContent::Seq(Vec::new())
                } else {
                    YamlContent::Map(Vec::new(), None)
                };
                self.open.push(OpenCollection { start: bytes.start, flow, content });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(bytes)?,
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, end: Range<usize>) -> Result<(), SpecError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let (value, last) = match open.content {
            YamlContent::Seq(items) => {
                let last = items.last().map(|node| node.location.span.end);
                (Value::Seq(items), last)
            }
            YamlContent::Map(entries, _) => {
                let last = entries.last().map(|(key, node)| node.location.span.end.max(key.location.span.end));
                (Value::Map(entries), last)
            }
        };
        // A block ends where its last child ends: the parser notices the end only at the next token.
        let end = if open.flow { end.end } else { last.unwrap_or(open.start) };
        let location = self.location(open.start..end.max(open.start));
        self.add(Node { value, location })
    }

    fn add(&mut self, node: Node) -> Result<(), SpecError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("a file may have {MAX_NODES} values, this one has more");
            return Err(SpecError::new(&node.location, message));
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(YamlContent::Seq(items)) => items.push(node),
            Some(YamlContent::Map(entries, pending)) => match pending.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let Value::Scalar { text, .. } = node.value else { return Ok(()) };
                    let first = entries.iter().find(|(key, _)| key.text == text);
                    if let Some((first, _)) = first {
                        let (line, column) = first.location.line_column();
                        let message = format!("the key `{text}` stands here for the second time");
                        let note = format!("it stands first at line {line}, column {column}");
                        return Err(SpecError::new(&node.location, message).note(note));
                    }
                    if entries.len() >= MAX_KEYS {
                        let message = format!("a map may have {MAX_KEYS} keys, this one has more");
                        return Err(SpecError::new(&node.location, message));
                    }
                    *pending = Some(Key { text, location: node.location });
                }
            },
        }
        Ok(())
    }
}
