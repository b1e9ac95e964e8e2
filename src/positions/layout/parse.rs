//! Reading layouts, with errors that show the place.

use serde_json::Value;

use crate::numeric::Number;
use crate::spec::suggest::closest;

use super::{Layout, LayoutError, MAX_SEGMENTS, MAX_TOKENS, Mistake, Segment};

/// Longest text of a layout, in bytes: more than the longest layout needs.
const MAX_TEXT: usize = 1 << 20;
/// Seconds between frames may not exceed this.
const MAX_SECONDS: i64 = 1_000_000;
/// Characters of a long text that are shown on each side of a mistake.
const EXCERPT_SIDE: usize = 36;
const KINDS: [&str; 3] = ["text", "image", "video"];

/// What is wrong, before it is known where it stands.
pub(super) struct Problem {
    expected: String,
    found: String,
    help: Option<String>,
}

impl Problem {
    fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Problem { expected: expected.into(), found: found.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn without_place(self, segment: &Segment) -> LayoutError {
        let found = format!("{} in `{segment}`", self.found);
        Problem { found, ..self }.nowhere()
    }

    fn nowhere(self) -> LayoutError {
        let Problem { expected, found, help } = self;
        LayoutError(Box::new(Mistake { column: None, expected, found, help, excerpt: None }))
    }

    /// `start..end` are bytes of `text`.
    fn at(self, text: &str, start: usize, end: usize) -> LayoutError {
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

/// Tokens of a segment that is the `index`-th and comes after `before` tokens, if all limits are kept.
pub(super) fn check(segment: &Segment, index: usize, before: u64) -> Result<u64, Problem> {
    if index >= MAX_SEGMENTS {
        return Err(Problem::new(format!("at most {MAX_SEGMENTS} segments"), "one more"));
    }
    let sizes = match segment {
        Segment::Text(n) => vec![*n],
        _ => segment.grid().unwrap_or_default().to_vec(),
    };
    if sizes.contains(&0) {
        return Err(Problem::new("sizes of at least 1", "a size of 0").help("leave an empty segment out"));
    }
    let seconds = segment.seconds();
    let limit = Number::from_i64(MAX_SECONDS);
    if seconds <= Number::zero() || seconds > limit {
        return Err(Problem::new(format!("seconds above 0 and up to {MAX_SECONDS}"), seconds.to_string()));
    }
    // The C interface hands seconds over as a fraction of two 64-bit integers.
    let fits = |(num, den): (i128, i128)| i64::try_from(num).is_ok() && i64::try_from(den).is_ok();
    if !seconds.as_ratio().is_some_and(fits) {
        return Err(Problem::new("seconds as a fraction of 64-bit integers", seconds.to_string()));
    }
    let tokens = segment.tokens();
    match before.checked_add(tokens) {
        Some(total) if total <= MAX_TOKENS => Ok(tokens),
        Some(total) if total < u64::MAX => {
            Err(Problem::new(format!("at most 2^31 = {MAX_TOKENS} tokens in all"), format!("{total} up to here")))
        }
        _ => Err(Problem::new(format!("at most 2^31 = {MAX_TOKENS} tokens in all"), "more than 2^64")),
    }
}

pub(super) fn parse(text: &str) -> Result<Layout, LayoutError> {
    if text.len() > MAX_TEXT {
        return Err(Problem::new(format!("a layout of at most {MAX_TEXT} bytes"), format!("{}", text.len())).nowhere());
    }
    let mut segments = Vec::new();
    let mut total = 0;
    let mut at = 0;
    // Explicit separators must stand between two segments.
    let mut separator: Option<usize> = None;
    loop {
        at += text[at..].find(|c: char| !c.is_whitespace()).unwrap_or(text.len() - at);
        let Some(first) = text[at..].chars().next() else { break };
        if first == '+' || first == ',' {
            if segments.is_empty() || separator.is_some() {
                return Err(Problem::new("a segment", format!("`{first}`")).at(text, at, at + 1));
            }
            separator = Some(at);
            at += 1;
            continue;
        }
        let length = text[at..].find(|c: char| c.is_whitespace() || c == '+' || c == ',').unwrap_or(text.len() - at);
        let word = &text[at..at + length];
        let segment = segment(word).map_err(|(problem, from, to)| problem.at(text, at + from, at + to))?;
        let tokens = check(&segment, segments.len(), total).map_err(|problem| problem.at(text, at, at + length))?;
        total += tokens;
        segments.push(segment);
        separator = None;
        at += length;
    }
    if let Some(at) = separator {
        return Err(Problem::new("a segment after the separator", "the end").at(text, at, at + 1));
    }
    if segments.is_empty() {
        let problem = Problem::new("at least one segment", "none").help("such as `text:3 video:4x2x3 text:5`");
        return Err(problem.at(text, 0, 0));
    }
    Layout::new(segments)
}

/// A problem and its bytes in the word.
type InWord = (Problem, usize, usize);

fn segment(word: &str) -> Result<Segment, InWord> {
    let Some(colon) = word.find(':') else {
        return Err((unknown_kind(word, "KIND:SIZE"), 0, word.len()));
    };
    let (kind, rest) = (&word[..colon], &word[colon + 1..]);
    if !KINDS.contains(&kind) {
        return Err((unknown_kind(kind, "text, image or video"), 0, colon.max(1)));
    }
    let from = colon + 1;
    let (grid, seconds) = match rest.find('@') {
        Some(at) => (&rest[..at], Some((from + at + 1, &rest[at + 1..]))),
        None => (rest, None),
    };
    let form = match kind {
        "text" => "N, the number of tokens",
        "image" => "HxW, rows and columns",
        _ => "TxHxW, frames, rows and columns",
    };
    let sizes = sizes(grid, from, form)?;
    let wrong_count = || {
        let problem = Problem::new(form, format!("`{grid}`"));
        (problem.help(format!("as in `{}`", example(kind))), from, (from + grid.len()).max(from))
    };
    if let (Some((at, text)), true) = (seconds, kind != "video") {
        let problem = Problem::new(format!("no seconds after {kind}"), format!("`@{text}`"));
        return Err((problem.help("only a video has seconds between frames"), at - 1, word.len()));
    }
    match (kind, sizes.as_slice()) {
        ("text", &[n]) => Ok(Segment::Text(n)),
        ("image", &[h, w]) => Ok(Segment::Image { h, w }),
        ("video", &[t, h, w]) => {
            let seconds = match seconds {
                None => Number::one(),
                Some((at, text)) => seconds_value(text).map_err(|problem| (problem, at, word.len()))?,
            };
            Ok(Segment::Video { t, h, w, seconds })
        }
        _ => Err(wrong_count()),
    }
}

fn example(kind: &str) -> &'static str {
    match kind {
        "text" => "text:3",
        "image" => "image:3x5",
        _ => "video:4x2x3@0.5s",
    }
}

fn unknown_kind(found: &str, expected: &str) -> Problem {
    let problem = Problem::new(expected, if found.is_empty() { "nothing".to_owned() } else { format!("`{found}`") });
    match closest(&found.to_lowercase(), KINDS) {
        Some(kind) => problem.help(format!("did you mean `{}`?", example(&kind))),
        None => problem.help("such as `text:3 image:3x5 video:4x2x3@0.5s`"),
    }
}

/// Sizes separated by `x`. `from` is where `text` stands in the word.
fn sizes(text: &str, from: usize, form: &str) -> Result<Vec<u32>, InWord> {
    let mut sizes = Vec::new();
    let mut at = 0;
    for part in text.split(['x', 'X', '×']) {
        let start = from + at;
        let separator = text[at + part.len()..].chars().next().map_or(0, char::len_utf8);
        at += part.len() + separator;
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            let found = if part.is_empty() { "nothing".to_owned() } else { format!("`{part}`") };
            return Err((Problem::new(format!("a whole number ({form})"), found), start, start + part.len()));
        }
        let size = part.parse::<u32>().ok().filter(|&size| u64::from(size) <= MAX_TOKENS);
        let Some(size) = size else {
            let problem = Problem::new(format!("a size of at most 2^31 = {MAX_TOKENS}"), format!("`{part}`"));
            return Err((problem, start, start + part.len()));
        };
        sizes.push(size);
        if sizes.len() > 3 {
            return Err((Problem::new(form, format!("`{text}`")), from, from + text.len()));
        }
    }
    Ok(sizes)
}

fn seconds_value(text: &str) -> Result<Number, Problem> {
    let digits = text.strip_suffix('s').unwrap_or(text);
    // A long literal is refused before arithmetic sees it.
    let value = if digits.len() <= 40 { Number::parse(digits).ok() } else { None };
    value.ok_or_else(|| {
        Problem::new("seconds between frames, such as `0.5s` or `1/3s`", format!("`{text}`"))
            .help("a decimal or a fraction, taken exactly")
    })
}

pub(super) fn from_json(value: &Value) -> Result<Layout, LayoutError> {
    let wrong = |expected: &str, found: &Value| Problem::new(expected, found.to_string()).nowhere();
    let items = value.as_array().ok_or_else(|| wrong("a list of segments", value))?;
    if items.len() > MAX_SEGMENTS {
        let problem = Problem::new(format!("at most {MAX_SEGMENTS} segments"), items.len().to_string());
        return Err(problem.nowhere());
    }
    let size = |value: &Value| {
        let size = value.as_u64().and_then(|n| u32::try_from(n).ok());
        size.ok_or_else(|| wrong("a whole number that fits", value))
    };
    let sizes = |value: &Value, form: &str, count: usize| -> Result<Vec<u32>, LayoutError> {
        let list = value.as_array().filter(|list| list.len() == count).ok_or_else(|| wrong(form, value))?;
        list.iter().map(size).collect()
    };
    let mut segments = Vec::with_capacity(items.len());
    for item in items {
        let object = item.as_object().ok_or_else(|| wrong("a segment object", item))?;
        let known = ["text", "image", "video", "seconds_per_frame"];
        if let Some(key) = object.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(Problem::new("text, image, video or seconds_per_frame", format!("`{key}`")).nowhere());
        }
        let seconds = object.get("seconds_per_frame");
        let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| object.contains_key(*kind)).collect();
        let segment = match (kinds.as_slice(), seconds) {
            (["text"], None) => Segment::Text(size(&object["text"])?),
            (["image"], None) => {
                let sizes = sizes(&object["image"], "[rows, columns]", 2)?;
                Segment::Image { h: sizes[0], w: sizes[1] }
            }
            (["video"], seconds) => {
                let sizes = sizes(&object["video"], "[frames, rows, columns]", 3)?;
                let seconds = match seconds {
                    None => Number::one(),
                    Some(Value::String(text)) => seconds_value(text).map_err(Problem::nowhere)?,
                    Some(Value::Number(number)) => seconds_value(&number.to_string()).map_err(Problem::nowhere)?,
                    Some(other) => return Err(wrong("seconds", other)),
                };
                Segment::Video { t: sizes[0], h: sizes[1], w: sizes[2], seconds }
            }
            _ => return Err(wrong("one of text, image or video (seconds_per_frame only with video)", item)),
        };
        segments.push(segment);
    }
    Layout::new(segments)
}
