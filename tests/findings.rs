//! One bug in all schemes and types is told in a screen; what was seen and left to others is a failure if they do not show it.

mod common;

use common::{broken, check};

/// Lines of a terminal of 100 columns.
fn lines(text: &str) -> usize {
    text.lines().map(|line| line.chars().count().div_ceil(100).max(1)).sum()
}

#[test]
fn one_bug_is_told_in_a_screen() {
    // One of them on all schemes, whose table is no longer for it.
    for (defect, first, schemes) in [
        (
            "wrong-sign",
            "FAIL axis-map-probe: pair 0 turns with t backwards, the scheme says t",
            &["--level", "rotate", "--dtype", "f16"][..],
        ),
        ("h-w-swapped", "FAIL axis-map-probe: pair 2 turns with w, the scheme says h", &["--scheme", "m-rope"]),
        ("in-place-hazard", "     all    alias=in", &["--scheme", "m-rope"]),
    ] {
        let library = broken(defect).expect("it compiles");
        let options = [&["--depth", "quick", "--cases", "1"], schemes].concat();
        let run = check(&library, &options).expect(1, &[first]);
        assert!(lines(&run.out) <= 60, "{defect}: {} lines:\n{}", lines(&run.out), run.out);
        let told = |text: &str| run.out.contains(text);
        // A bug of the catalogue has its name, and where it was seen.
        let named = match defect {
            "wrong-sign" => told("(wrong-direction: ") && told("     look   the signs of the two products"),
            "h-w-swapped" => told("\n     likely "),
            _ => true,
        };
        assert!(named, "{run}");
        assert!(told("\n     in     ") && told("\n     replay ropecheck replay '") && told("-v shows them"), "{run}");
        if defect == "h-w-swapped" {
            // Everything that is left out is there for the asking.
            let whole = check(&library, &[&options[..], &["-v"]].concat());
            let whole = whole.expect(1, &[first, "\n     case   ", "\ncoverage  "]);
            assert!(lines(&whole.out) > lines(&run.out) && !whole.out.contains("-v shows"), "{whole}");
        }
    }
}

/// Alone, a check that leaves what it sees to others has nobody to leave it to.
#[test]
fn a_debt_that_nobody_pays_is_a_failure() {
    let library = broken("last-pair-skipped").expect("it compiles");
    let alone = ["--scheme", "m-rope@default", "--dtype", "f32", "--level", "rotate", "--check", "many-rows"];
    let run = check(&library, &alone).expect(1, &["NONCONFORMANT", "in plain memory"]);
    assert!(run.out.contains("FAIL many-rows"), "{run}");
    let both = [&alone[..], &["--check", "accuracy"]].concat();
    let run = check(&library, &both).expect(1, &["FAIL accuracy", "see the other checks"]);
    assert!(!run.out.contains("FAIL many-rows"), "{run}");
}

/// What looks like a bug of the kernel and is one of its manifest is told with the key that it is about.
#[test]
fn slips_of_an_adapter_are_told_with_a_key() {
    for (defect, hint) in [
        ("k-written-to-input", "a kernel that works in place says \"alias\": [\"in\"]"),
        ("reads-undeclared-base", "does the kernel read cos_sin, cos_sin_cache, base, sections?"),
        ("channel-stride-ignored", "a kernel that takes packed tensors only says \"strides\": \"packed\""),
    ] {
        let library = broken(defect).expect("it compiles");
        let narrow = ["--scheme", "m-rope@default", "--dtype", "f32", "--level", "rotate", "--depth", "quick"];
        let run = check(&library, &[&narrow[..], &["--cases", "1", "--no-diagnosis"]].concat());
        let run = run.expect(1, &["\n     hint   ", hint]);
        assert!(!run.out.contains("\n     value ") && !run.out.contains("\n     likely "), "--no-diagnosis: {run}");
    }
    // A right kernel has neither.
    let run = check(
        common::kernel(),
        &["--scheme", "m-rope@default", "--dtype", "f32", "--level", "rotate", "--depth", "quick"],
    );
    let run = run.expect(0, &["CONFORMANT"]);
    assert!(!["hint", "likely", "value"].iter().any(|word| run.out.contains(&format!("\n     {word}"))), "{run}");
}
