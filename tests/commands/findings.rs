//! One bug in all schemes and types is told in a screen; what was seen and left to others is a failure if they do not show it.

use std::fs;
use std::process::Command;

use crate::common::{broken, check, compile, kernel, replay, ropecheck, scratch, source, text};

/// Lines of a terminal of 100 columns.
fn lines(text: &str) -> usize {
    text.lines().map(|line| line.chars().count().div_ceil(100).max(1)).sum()
}

/// The findings of a report, without what depends on a compiler or the C library: numbers, and the case that is replayed.
fn findings(out: &str) -> String {
    let mut told = String::new();
    for line in out.lines().skip_while(|line| !line.starts_with("FAIL")).take_while(|line| !line.is_empty()) {
        let line = line.split_once(" (0x").map_or(line, |(number, _)| number);
        let line = line.split_once(",scheme=").map_or(line, |(replay, _)| replay);
        let mut digits = false;
        for c in line.chars() {
            let is_digit = c.is_ascii_digit() || digits && matches!(c, '.' | 'e' | '-' | '+');
            if !is_digit {
                told.push(c);
            } else if !digits {
                told.push('N');
            }
            digits = is_digit;
        }
        told.push('\n');
    }
    told
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn one_bug_is_told_in_a_screen() {
    // On all schemes, in all types; four of them only where the kernel rotates, which is where they are.
    let rotate = &["--level", "rotate"][..];
    for (defect, levels) in [
        ("h-w-swapped", &[][..]),
        ("wrong-sign", rotate),
        ("bf16-angles", rotate),
        ("passthrough-not-copied", rotate),
        ("k-heads-collapse", rotate),
    ] {
        let library = broken(defect).expect("it compiles");
        let run = check(&library, &[&["--depth", "quick", "--cases", "1"], levels].concat());
        let run = run.expect(1, &["\n     in     ", "\n     replay ropecheck replay '", "-v shows them"]);
        assert!(lines(&run.out) <= 60, "{defect}: {} lines:\n{}", lines(&run.out), run.out);
        insta::assert_snapshot!(defect.replace('-', "_"), findings(&run.out));
    }
    // Everything that is left out is there for the asking.
    let library = broken("in-place-hazard").expect("it compiles");
    let narrow = ["--depth", "quick", "--cases", "1", "--scheme", "m-rope"];
    let run = check(&library, &narrow).expect(1, &["     all    alias=in"]);
    let whole = check(&library, &[&narrow[..], &["-v"]].concat()).expect(1, &["\n     case   ", "\ncoverage  "]);
    assert!(lines(&whole.out) > lines(&run.out) && !whole.out.contains("-v shows"), "{whole}");
}

/// Alone, a check that leaves what it sees to others has nobody to leave it to.
#[test]
fn a_debt_that_nobody_pays_is_a_failure() {
    let library = broken("last-pair-skipped").expect("it compiles");
    let group = ["--scheme", "m-rope@default", "--dtype", "f32", "--level", "rotate", "--depth", "quick"];
    let alone = [&group[..], &["--check", "many-rows"]].concat();
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
    let run =
        check(kernel(), &["--scheme", "m-rope@default", "--dtype", "f32", "--level", "rotate", "--depth", "quick"]);
    let run = run.expect(0, &["CONFORMANT"]);
    assert!(!["hint", "likely", "value"].iter().any(|word| run.out.contains(&format!("\n     {word}"))), "{run}");
}

#[test]
fn what_failed_is_kept_beside_the_backend_and_tried_first() {
    let library = broken("h-w-swapped").expect("it compiles");
    let file = library.with_file_name(".ropecheck").join("failures");
    let _ = fs::remove_dir_all(file.parent().expect("a folder"));
    let positions = ["--scheme", "m-rope@default", "--level", "positions", "--depth", "quick", "--cases", "1"];
    let run = |more: &[&str]| {
        let arguments = [&["check", text(&library)], &positions[..], more].concat();
        let out = Command::new(env!("CARGO_BIN_EXE_ropecheck")).args(arguments).output().expect("it starts");
        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
    };
    // Nobody's folder is written into who did not make one for it.
    let (code, out) = run(&[]);
    assert!(code == Some(1) && !out.contains("\ncorpus ") && !file.exists(), "{out}");
    fs::create_dir(file.parent().expect("a folder")).expect("made");
    let (code, out) = run(&["--no-corpus"]);
    assert!(code == Some(1) && !out.contains("\ncorpus ") && !file.exists(), "{out}");
    let (code, out) = run(&[]);
    let kept = fs::read_to_string(&file).expect("the file is there");
    let cases: Vec<&str> = kept.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(code == Some(1) && out.contains(&format!("\ncorpus    {} cases added to ", cases.len())), "{out}");
    assert!(cases.len() > 1 && cases.iter().all(|case| case.contains(",spec=")), "{kept}");
    // Again the same fails: nothing is added, and the report is the same bytes at any number of threads.
    let [one, two] = ["1", "2"].map(|threads| run(&["--threads", threads, "--format", "json"]));
    assert!(one == two && one.1.contains("/corpus/0000"), "{}", one.1);
    let (_, out) = run(&[]);
    assert!(out.contains(&format!("{} cases that failed before fail still\n", cases.len())), "{out}");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), kept);
    // What the run is narrowed away from is kept, and so is what no longer fits; both are said.
    let (_, out) = run(&["--check", "non-negative"]);
    assert!(out.contains(&format!("failures: {} cases not selected\n", cases.len())), "{out}");
    let (line, replaced) = (cases[0], cases[0].split(",spec=").next().expect("a hash").to_owned() + ",spec=00000000");
    fs::write(&file, kept.replace(line, &replaced)).expect("written");
    let (_, out) = run(&["--check", "non-negative"]);
    assert!(out.contains("not run: line 3: m-rope@default is another scheme than when the case failed"), "{out}");
    let again =
        replay(text(&file), &library, &[]).expect(1, &["line 3: not run: the case is of another m-rope@default"]);
    assert!(again.out.ends_with(&format!("{} of {} cases fail\n", cases.len() - 1, cases.len())), "{again}");
    fs::write(&file, &kept).expect("written");
    // Mended: the cases hold, and stay.
    replay(text(&file), kernel(), &[]).expect(0, &["line 3: holds: ", &format!("\n0 of {} cases fail\n", cases.len())]);
    fs::copy(kernel(), &library).expect("copied");
    let (code, out) = run(&[]);
    assert!(code == Some(0) && out.contains("that failed before hold now\n"), "{out}");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), kept);
    fs::write(&file, format!("{kept}\n<<<<<<<\n")).expect("written");
    let place = format!("failures:{}: in the case \"<<<<<<<\"", kept.lines().count() + 2);
    replay(text(&file), &library, &[]).expect(2, &[&place]);
    assert_eq!(run(&[]).0, Some(2));
    let journal = text(&library.with_file_name("journal")).to_owned();
    assert_eq!(run(&["--corpus", text(&file), "--journal", &journal]).0, Some(2));
}

/// A kernel that is wrong at one position in two thousand million, and a case that knows it.
#[test]
fn a_failure_that_only_the_corpus_knows_is_one() {
    let from = scratch("one-position").join("rope.c");
    let good = fs::read_to_string(source("kernels/c/rope.c")).expect("rope.c");
    let angle = "position[pairs[i].axis] * pairs[i].inv_freq;";
    assert_eq!(good.matches(angle).count(), 1);
    let wrong = "position[pairs[i].axis] * pairs[i].inv_freq + (position[0] == 777771 ? 1.0f : 0.0f);";
    fs::write(&from, good.replace(angle, wrong)).expect("written");
    let library = compile(&from, "one-position").expect("it compiles");
    let case = |seed: usize| {
        format!(
            "accuracy,scheme=m-rope,level=rotate,dtype=f32,pairing=half,layout=text:1,span=777771..777771,\
             positions=i64,heads=1/0,head-dim=16,memory=packed,alias=out,data=uniform,seed={seed:x}"
        )
    };
    let corpus = library.with_file_name("known");
    let narrow = ["--scheme", "m-rope@default", "--level", "rotate", "--dtype", "f32", "--check", "accuracy"];
    let quick = [&narrow[..], &["--depth", "quick", "--cases", "1", "--no-diagnosis"]].concat();
    check(&library, &quick).expect(0, &["CONFORMANT"]);
    // As many as a file keeps, and a comment. The oldest goes for a new one.
    let cases: Vec<String> = (1..=200).map(case).collect();
    fs::write(&corpus, format!("# mine\n{}\n", cases.join("\n"))).expect("written");
    let run = check(&library, &[&quick[..], &["--corpus", text(&corpus)]].concat());
    let run = run.expect(1, &["known: 200 cases that failed before fail still", "FAIL accuracy: token 0"]);
    assert!(!run.out.contains("added"), "{run}");
    let elsewhere = broken("last-pair-skipped").expect("it compiles");
    check(&elsewhere, &[&quick[..], &["--corpus", text(&corpus)]].concat()).expect(1, &["1 case added to"]);
    let kept = fs::read_to_string(&corpus).expect("it is there");
    assert!(kept.starts_with(&format!("# mine\n{}\n", cases[1])) && kept.lines().count() == 201, "{kept}");
    // Where nothing can be written that is a note.
    let nowhere = format!("{}/failures", text(&corpus));
    let run = check(&elsewhere, &[&quick[..], &["--corpus", &nowhere]].concat());
    run.expect(1, &["corpus    1 case could not be added to"]);
    ropecheck(&["check", "host", "--corpus", text(&corpus), "--no-corpus"]).expect(2, &[]);
}
