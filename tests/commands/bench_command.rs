//! `ropecheck bench` times what it says, and says what it cannot time. No time is asserted, only what a time is about.

use crate::common::{kernel, ropecheck, source, text};
use serde_json::Value;

const QUICK: [&str; 6] = ["--tokens", "64,300", "--seconds", "0.01", "--samples", "3"];

#[test]
fn a_library_is_timed_by_level_type_and_tokens() {
    let arguments = [&["bench", text(kernel()), "--dtype", "bf16", "--format", "json"], &QUICK[..]].concat();
    let report = ropecheck(&arguments).expect(0, &[]).json().expect("a report");
    assert_eq!((&report["format"], &report["device"], &report["clock"]), (&1.into(), &Value::Null, &"host".into()));
    let rows = report["rows"].as_array().expect("rows");
    let said: Vec<_> =
        rows.iter().map(|r| (r["level"].as_str(), r["tokens"].as_u64(), r["q_heads"].as_u64())).collect();
    let each = |level| [(Some(level), Some(64), Some(28)), (Some(level), Some(300), Some(28))];
    assert_eq!(said, [each("rotate"), each("fused")].concat());
    for row in rows {
        let number = |v: &Value| v.as_f64().expect("a number");
        // q and k of 28 + 4 heads of 128 channels of 2 bytes, in and out; rotate reads positions besides.
        let tensors = 2.0 * number(&row["tokens"]) * 32.0 * 128.0 * 2.0;
        let positions = number(&row["bytes"]) - tensors;
        assert_eq!(positions > 0.0, row["level"] == "rotate", "{row}");
        approx::assert_relative_eq!(
            number(&row["bandwidth"]),
            number(&row["bytes"]) / number(&row["call"]["median"]),
            max_relative = 1e-9
        );
        approx::assert_relative_eq!(
            number(&row["of_copy"]),
            number(&row["bandwidth"]) / number(&row["copy_bandwidth"]),
            max_relative = 1e-9
        );
        assert!(number(&row["call"]["samples"]) >= 3.0);
    }
}

#[test]
fn the_table_names_what_was_timed() {
    let run = ropecheck(&[&["bench", "--dtype", "f32", "--level", "rotate"], &QUICK[..]].concat());
    run.expect(0, &["host memory", "rotate  m-rope@default f32        64    28+4x128", "run `ropecheck check`"]);
}

#[test]
fn what_cannot_be_timed_is_named() {
    ropecheck(&["bench", "missing.so"]).expect(6, &["missing.so: there is no such file"]);
    ropecheck(&["bench", "--preset", "qwen2-vl-7"]).expect(2, &["qwen2-vl-7b"]);
    ropecheck(&["bench", "--scheme", "m-rop"]).expect(2, &["m-rope"]);
    ropecheck(&["bench", "--level", "positions"])
        .expect(2, &["invalid value 'positions' for '--level", "rotate, fused, apply"]);
    ropecheck(&["bench", "--tokens", "0"]).expect(2, &["0"]);
    ropecheck(&["bench", "--level", "fused"]).expect(4, &["nothing is selected"]);
    let folder = source("tests");
    ropecheck(&[&["bench", "--output", text(&folder), "--dtype", "f32", "--level", "apply"], &QUICK[..]].concat())
        .expect(2, &["cannot be written"]);
}
