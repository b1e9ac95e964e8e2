//! The worked example of docs/protocol.md is what happens: its requests are sent to the example kernel, its
//! answers come back.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

use crate::common::{kernel, scratch, source};
use serde_json::Value;

#[test]
fn the_worked_example_is_what_happens() {
    let path = scratch("arena").join("arena");
    let arena = File::options().read(true).write(true).create(true).truncate(true).open(&path).expect("a file");
    arena.set_len(1 << 16).expect("room");
    let put = |offset, bytes: &[u8]| arena.write_all_at(bytes, offset).expect("written");
    put(64, &[1.0f64, 0.01].map(f64::to_le_bytes).concat());
    put(128, &[0i64, 3].map(i64::to_le_bytes).concat());
    for token in [0, 4] {
        put(256 + 4 * token, &[1.0f32, 0.0, 0.0, 0.0].map(f32::to_le_bytes).concat());
    }
    let mut worker = Command::new(env!("CARGO_BIN_EXE_ropecheck"))
        .args(["worker", "--library"])
        .arg(kernel())
        .env("ROPECHECK_ARENA", &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the worker starts");
    let (mut input, output) = (worker.stdin.take().expect("a pipe"), worker.stdout.take().expect("a pipe"));
    let mut output = BufReader::new(output).lines();
    let text = fs::read_to_string(source("docs/protocol.md")).expect("the page");
    let example = text.split("```protocol\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the example");
    let mut lines = 0;
    for line in example.lines() {
        lines += 1;
        match line.split_at(2) {
            ("> ", sent) => writeln!(input, "{sent}").expect("sent"),
            ("< ", expected) => {
                let said: Value = serde_json::from_str(&output.next().expect("a line").expect("read")).expect("JSON");
                let expected: Value = serde_json::from_str(expected).expect("JSON");
                if expected["hello"].is_object() {
                    assert_eq!(said["hello"]["protocol"], expected["hello"]["protocol"], "{said}");
                } else {
                    for member in ["id", "status"] {
                        assert_eq!(said["answer"][member], expected["answer"][member], "{said}");
                    }
                }
            }
            _ => panic!("a line of the example is nobody's: {line}"),
        }
        if lines == 3 {
            let mut found = [0u8; 32];
            arena.read_exact_at(&mut found, 512).expect("read");
            let at = |n: usize| f32::from_le_bytes(found[4 * n..4 * n + 4].try_into().expect("four bytes"));
            let found = [0, 1, 2, 3, 4, 5, 6, 7].map(at);
            let (sin, cos) = 3f64.sin_cos();
            #[allow(clippy::cast_possible_truncation, reason = "what an f32 kernel stores")]
            let expected = [1.0, 0.0, 0.0, 0.0, cos as f32, 0.0, sin as f32, 0.0];
            for (found, expected) in found.into_iter().zip(expected) {
                // An ulp of the result, of an f32 sine or cosine that is not rounded correctly.
                assert!((found - expected).abs() <= f32::EPSILON, "{found} is not {expected}");
            }
        }
    }
    assert_eq!(lines, 6, "the example has grown: say here what is expected of it");
    assert!(worker.wait().expect("it ends").success());
}
