//! The text form of a layout: what is read, what comes back, and what a mistake is told.

use ropecheck::numeric::Number;
use ropecheck::positions::{Layout, Segment};
use ropecheck::positions::{MAX_SEGMENTS, MAX_TOKENS};

fn error(text: &str) -> String {
    match Layout::parse(text) {
        Ok(layout) => panic!("`{text}` was read as `{layout}`"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_separator_gives_the_same_layout() {
    let expected = Layout::parse("text:3 video:4x2x3 image:3x5 video:6x3x2@0.5s text:5").expect("a layout");
    for text in [
        "text:3+video:4x2x3+image:3x5+video:6x3x2@0.5s+text:5",
        "text:3, video:4x2x3, image:3x5, video:6x3x2@1/2s, text:5",
        "  text:3\tvideo:4X2×3 + image:3x5 ,video:6x3x2@0.50s\ntext:5 ",
    ] {
        assert_eq!(Layout::parse(text).as_ref(), Ok(&expected), "{text}");
    }
    assert_eq!(expected.tokens(), 3 + 24 + 15 + 36 + 5);
    assert_eq!(expected.segments().len(), 5);
    assert_eq!(expected.first_visual(), 3);
}

#[test]
fn the_canonical_text_and_the_json_form_come_back() {
    for text in [
        "text:1",
        "image:1x1",
        "video:1x1x1",
        "text:3 video:4x2x3@1/3s image:3x5 video:2x2x2@2.5s",
        "video:2x1x1@29/100s",
    ] {
        let layout = Layout::parse(text).expect("a layout");
        assert_eq!(layout.to_string(), text);
        assert_eq!(Layout::from_json(&layout.to_json()), Ok(layout));
    }
    // 0.29 has no finite binary form, so its canonical form is a fraction.
    assert_eq!("text:3 image:2x2".parse(), Layout::parse("text:3 image:2x2"));
    assert_eq!(Layout::parse("video:2x1x1@0.29s").expect("a layout").to_string(), "video:2x1x1@29/100s");
    assert_eq!(Layout::parse("video:2x1x1@1s").expect("a layout").to_string(), "video:2x1x1");
}

#[test]
fn json_numbers_are_taken_as_the_decimals_they_are() {
    let json = serde_json::json!([{"text": 2}, {"video": [4, 2, 3], "seconds_per_frame": 0.29}, {"image": [3, 5]}]);
    let layout = Layout::from_json(&json).expect("a layout");
    assert_eq!(layout.to_string(), "text:2 video:4x2x3@29/100s image:3x5");
    for wrong in [
        serde_json::json!({"text": 2}),
        serde_json::json!([{"text": 0}]),
        serde_json::json!([{"text": 2, "image": [1, 1]}]),
        serde_json::json!([{"text": 2, "seconds_per_frame": 1}]),
        serde_json::json!([{"video": [1, 2]}]),
        serde_json::json!([{"video": [1, 2, -3]}]),
        serde_json::json!([{"vidoe": [1, 2, 3]}]),
        serde_json::json!([{"text": 4_294_967_297u64}]),
    ] {
        assert!(Layout::from_json(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn tokens_are_found_in_their_segments() {
    let layout = Layout::parse("text:3 video:2x2x1 image:1x2").expect("a layout");
    let found: Vec<_> = (0..10).map(|token| layout.locate(token)).collect();
    let expected = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)];
    assert_eq!(found[..9], expected.map(Some));
    assert_eq!(found[9], None);
    assert_eq!(layout.token_range(1), 3..7);
    assert_eq!(layout.token_range(3), 9..9);
    assert_eq!(layout.up_to(1).to_string(), "text:3 video:2x2x1");
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    let expected = "\
layout, column 18: expected a whole number (TxHxW, frames, rows and columns), found nothing
  text:3 video:4x2x image:3x5
                   ^";
    assert_eq!(error("text:3 video:4x2x image:3x5"), expected);
    let expected = "\
layout, column 8: expected text, image or video, found `vidoe`
  text:3 vidoe:4x2x3
         ^^^^^
  help: did you mean `video:4x2x3@0.5s`?";
    assert_eq!(error("text:3 vidoe:4x2x3"), expected);
    let expected = "\
layout, column 7: expected TxHxW, frames, rows and columns, found `4x2`
  video:4x2
        ^^^
  help: as in `video:4x2x3@0.5s`";
    assert_eq!(error("video:4x2"), expected);
    let expected = "\
layout, column 8: expected a segment, found `,`
  text:1,,text:2
         ^";
    assert_eq!(error("text:1,,text:2"), expected);
    let expected = "\
layout, column 10: expected no seconds after image, found `@1s`
  image:3x5@1s
           ^^^
  help: only a video has seconds between frames";
    assert_eq!(error("image:3x5@1s"), expected);
    let (shown, marks) = ("x".repeat(36), "^".repeat(36));
    let long = "x".repeat(37);
    assert!(
        error(&format!("{long}:3")).contains(&format!("\n  {shown}…\n  {marks}")),
        "{}",
        error(&format!("{long}:3"))
    );
    assert!(
        error(&format!("{shown}:3")).contains(&format!("\n  {shown}:3\n  {marks}")),
        "{}",
        error(&format!("{shown}:3"))
    );
}

#[test]
fn every_kind_of_mistake_says_what_it_is() {
    for (text, part) in [
        ("", "at least one segment"),
        ("   ", "at least one segment"),
        ("text", "expected KIND:SIZE, found `text`"),
        ("text:", "found nothing"),
        ("text:x", "found nothing"),
        ("text:-1", "found `-1`"),
        ("text:1.5", "found `1.5`"),
        ("text:0", "a size of 0"),
        ("video:1x0x1", "a size of 0"),
        ("text:3x4", "expected N, the number of tokens"),
        ("image:3", "expected HxW"),
        ("video:1x2x3x4", "expected TxHxW"),
        ("text:99999999999999999999", "a size of at most 2^31"),
        ("text:2147483649", "a size of at most 2^31"),
        ("text:2147483648 text:1", "2147483649 up to here"),
        ("video:2147483648x2147483648x2147483648", "more than 2^64"),
        ("image:3x5@1s", "only a video has seconds"),
        ("text:5@1s", "only a video has seconds"),
        ("video:1x1x1@", "seconds between frames"),
        ("video:1x1x1@s", "seconds between frames"),
        ("video:1x1x1@fasts", "found `fasts`"),
        ("video:1x1x1@0s", "seconds above 0"),
        ("video:1x1x1@-1s", "seconds above 0"),
        ("video:1x1x1@1/0s", "seconds between frames"),
        ("video:1x1x1@1000001s", "up to 1000000"),
        ("video:1x1x1@0.0000000000000000000000000001s", "64-bit"),
        ("text:1,,text:2", "expected a segment, found `,`"),
        ("+text:1", "expected a segment, found `+`"),
        ("text:1,", "found the end"),
        ("tex:3", "did you mean `text:3`"),
        ("Video:1x2x3", "did you mean `video:4x2x3@0.5s`"),
        ("audio:3", "such as"),
        (":3", "found nothing"),
        ("téxt:3", "did you mean"),
    ] {
        let message = error(text);
        assert!(message.contains(part), "`{text}` gives\n{message}\nwithout `{part}`");
    }
}

#[test]
fn long_texts_are_shown_in_part_and_limits_are_kept() {
    let long = format!("{} text:y {}", "text:1 ".repeat(40), "text:1 ".repeat(40));
    let message = error(&long);
    assert!(message.lines().all(|line| line.chars().count() < 90), "{message}");
    let carets = message.lines().nth(2).expect("carets");
    let text = message.lines().nth(1).expect("an excerpt");
    let at = carets.chars().position(|c| c == '^').expect("a caret");
    assert_eq!(text.chars().nth(at), Some('y'));

    let many = "text:1 ".repeat(MAX_SEGMENTS);
    assert_eq!(Layout::parse(&many).expect("a layout").segments().len(), MAX_SEGMENTS);
    assert!(error(&format!("{many} text:1")).contains("at most 4096 segments"));
    let json = |count: usize| Layout::from_json(&vec![serde_json::json!({"text": 1}); count].into());
    assert_eq!(json(MAX_SEGMENTS).expect("a layout").segments().len(), MAX_SEGMENTS);
    assert!(json(MAX_SEGMENTS + 1).is_err_and(|e| e.to_string().contains("at most 4096 segments, found 4097")));
    let padded = |bytes: usize| format!("text:1{}", " ".repeat(bytes - 6));
    assert_eq!(Layout::parse(&padded(1 << 20)).expect("a layout").tokens(), 1);
    assert!(error(&padded((1 << 20) + 1)).contains("at most 1048576 bytes"));
    assert_eq!(Layout::parse("text:2147483648").expect("a layout").tokens(), MAX_TOKENS);
}

#[test]
fn layouts_made_by_programs_are_checked_too() {
    let message = |segments: Vec<Segment>| Layout::new(segments).expect_err("a mistake").to_string();
    assert_eq!(
        message(vec![Segment::Text(0)]),
        "layout: expected sizes of at least 1, found a size of 0 in `text:0`\n  help: leave an empty segment out"
    );
    assert_eq!(
        message(vec![Segment::video(u32::MAX, u32::MAX, u32::MAX)]),
        "layout: expected at most 2^31 = 2147483648 tokens in all, found more than 2^64 in \
         `video:4294967295x4294967295x4294967295`"
    );
    assert_eq!(
        message(vec![Segment::Text(1 << 31), Segment::Text(1)]),
        "layout: expected at most 2^31 = 2147483648 tokens in all, found 2147483649 up to here in `text:1`"
    );
    assert_eq!(
        message(vec![Segment::Video { t: 1, h: 1, w: 1, seconds: Number::from_i64(-1) }]),
        "layout: expected seconds above 0 and up to 1000000, found -1 in `video:1x1x1@-1s`"
    );
    assert_eq!(Layout::new(Vec::new()).expect("an empty sequence").tokens(), 0);
}
