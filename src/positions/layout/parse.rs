//! Reading layouts, with errors that show the place.

use serde_json::Value;

use super::Layout;
use super::error::{LayoutError, Problem};
use super::segment::{MAX_SEGMENTS, MAX_TOKENS, Segment, check};
use crate::numeric::Number;
use crate::spec::suggest::closest;

/// Longest text of a layout, in bytes: more than the longest layout needs.
const MAX_TEXT: usize = 1 << 20;
const KINDS: [&str; 3] = ["text", "image", "video"];

impl Layout {
    /// Reads the text form. Segments are separated by spaces, `+` or `,`.
    ///
    /// # Errors
    /// [`LayoutError`] with the place, what was expected and what was found.
    pub fn parse(text: &str) -> Result<Self, LayoutError> {
        if text.len() > MAX_TEXT {
            return Err(
                Problem::new(format!("a layout of at most {MAX_TEXT} bytes"), format!("{}", text.len())).nowhere()
            );
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
            let length =
                text[at..].find(|c: char| c.is_whitespace() || c == '+' || c == ',').unwrap_or(text.len() - at);
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

    /// Reads the JSON form; seconds may also be a JSON number, taken as the decimal that is written.
    ///
    /// # Errors
    /// [`LayoutError`] without a place in a text.
    pub fn from_json(value: &Value) -> Result<Self, LayoutError> {
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
}

impl TryFrom<String> for Layout {
    type Error = LayoutError;

    /// As [`Layout::parse`], but nothing at all is the empty sequence.
    fn try_from(text: String) -> Result<Self, LayoutError> {
        if text.is_empty() { Layout::new(Vec::new()) } else { Layout::parse(&text) }
    }
}

impl std::str::FromStr for Layout {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        Layout::parse(text)
    }
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
