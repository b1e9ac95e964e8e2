//! Cases as lines: whatever is read is printed as a line that is read as the same case.

use arbitrary::{Result, Unstructured};

use ropecheck::case::Case;

/// Keys, and values that some of them take.
const KEYS: [(&str, &[&str]); 22] = [
    ("scheme", &["rope", "vrope@official", "x"]),
    ("level", &["positions", "rotate", "fused", "apply"]),
    ("dtype", &["f32", "f16", "bf16"]),
    ("pairing", &["half", "adjacent"]),
    ("layout", &["text:3", "text:2+video:2x1x2@0.5s//text:6", "image:3x5", "video:4294967295x1x1"]),
    ("packed", &["true", "false"]),
    ("window", &["1+3", "0+1", "18446744073709551615+1"]),
    ("shift", &["-7", "0", "9007199254740992", "-9223372036854775808"]),
    ("random", &["-3..7", "0..9007199254740992", "-9223372036854775808..1"]),
    ("span", &["-3..7", "0..2147483647"]),
    ("fractions", &["-1..2/3", "0..1/1048576", "-9007199254740992..9007199254740992/1048576"]),
    ("quarter-turns", &["1..355", "-9..9"]),
    ("positions", &["i32", "i64", "f32", "f64", "f16", "bf16"]),
    ("heads", &["28/4", "1/0", "4294967295/4294967295"]),
    ("head-dim", &["128", "2", "4294967295"]),
    ("rotary", &["64+32", "2+0"]),
    ("scaling", &["1", "0.7", "1e-300", "1.7976931348623157e308", "5e-324"]),
    ("direction", &["-1", "1", "0"]),
    ("memory", &["packed", "padded", "heads-first", "spread", "sliced", "guard-end", "far-rows"]),
    ("alias", &["in", "out"]),
    ("data", &["uniform", "ties", "overflow"]),
    ("seed", &["1f", "ffffffffffffffff", "0"]),
];

/// A line; after a first byte of 0x80 or more, choices that make one.
pub fn run(data: &[u8]) {
    let line = match data {
        [0x80..=0xff, choices @ ..] => made(&mut Unstructured::new(choices)).ok(),
        _ => std::str::from_utf8(data).ok().map(str::to_owned),
    };
    let Some(line) = line else { return };
    match line.parse::<Case>() {
        Ok(case) => {
            let printed = case.to_string();
            assert_eq!(printed.parse::<Case>().as_ref(), Ok(&case), "from {line}, printed as {printed}");
            assert!(!printed.contains(char::is_whitespace) || line.contains(char::is_whitespace), "{printed}");
        }
        Err(error) => assert!(error.token.chars().count() <= 200 && line.starts_with(&error.token)),
    }
}

/// Mostly keys with values that they take, some with other text.
fn made(u: &mut Unstructured) -> Result<String> {
    let mut line = (*u.choose(&["accuracy", "positions-exact", ""])?).to_owned();
    line += ",scheme=rope,layout=text:4,head-dim=8";
    for _ in 0..u.int_in_range(0..=8)? {
        let (key, values) = u.choose(&KEYS)?;
        let text: &str = if u.ratio(3, 4)? { u.choose(values)? } else { u.arbitrary()? };
        if matches!(*key, "scheme" | "layout" | "head-dim") {
            line = line.split(',').filter(|part| !part.starts_with(key)).collect::<Vec<_>>().join(",");
        }
        line += &format!(",{key}={text}");
    }
    if u.ratio(1, 3)? {
        let (n, d): (i128, i128) = (u.arbitrary()?, i128::from(u.arbitrary::<u32>()?) + 1);
        if let Ok(value) = ropecheck::numeric::Number::ratio(n, d) {
            line += &format!(",param.x={value}");
        }
    }
    Ok(line)
}
