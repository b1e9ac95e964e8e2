//! Layouts as text and as JSON: what is read comes back as it was.

use ropecheck::positions::{Layout, LayoutError};
use ropecheck::positions::{MAX_SEGMENTS, MAX_TOKENS};

/// Text; after a first byte of 0x80 or more, JSON.
pub fn run(data: &[u8]) {
    match data {
        [0x80..=0xff, json @ ..] => {
            if let Ok(value) = serde_json::from_slice(json)
                && let Some(layout) = held(Layout::from_json(&value), "")
            {
                assert_eq!(Layout::from_json(&layout.to_json()).as_ref(), Ok(&layout));
            }
        }
        _ => {
            let Ok(text) = std::str::from_utf8(data) else { return };
            if let Some(layout) = held(Layout::parse(text), text) {
                assert_eq!(Layout::from_json(&layout.to_json()).as_ref(), Ok(&layout));
            }
        }
    }
}

/// What holds of every layout, or of the message that refuses one.
fn held(read: Result<Layout, LayoutError>, text: &str) -> Option<Layout> {
    let layout = match read {
        Ok(layout) => layout,
        Err(error) => {
            assert!(error.column().is_none_or(|column| (1..=text.chars().count() + 1).contains(&column)), "{error}");
            if let Some([line, carets]) = error.excerpt() {
                assert!(line.chars().count() <= 200 && carets.chars().count() <= 200, "{error}");
            }
            return None;
        }
    };
    let (segments, tokens) = (layout.segments(), layout.tokens());
    assert!(!segments.is_empty() || text.is_empty());
    assert!(segments.len() <= MAX_SEGMENTS && tokens <= MAX_TOKENS);
    assert_eq!(segments.iter().map(|s| s.tokens()).sum::<u64>(), tokens);
    if !segments.is_empty() {
        assert_eq!(Layout::parse(&layout.to_string()).as_ref(), Ok(&layout));
    }
    let mut next = 0;
    for (index, segment) in segments.iter().enumerate() {
        let range = layout.token_range(index);
        assert_eq!((range.start, range.end - range.start), (next, segment.tokens()));
        assert_eq!(layout.locate(range.start), Some((index, 0)));
        assert_eq!(layout.locate(range.end - 1), Some((index, segment.tokens() - 1)));
        next = range.end;
        // A quadratic look at each prefix is for short ones.
        if index < 16 {
            assert_eq!(layout.up_to(index).tokens(), range.end);
        }
    }
    assert_eq!(layout.locate(tokens), None);
    Some(layout)
}
