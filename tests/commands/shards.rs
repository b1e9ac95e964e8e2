//! A run cut into parts: put together they are one run, byte for byte, and what does not fit together is refused.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Run, broken, kernel, ropecheck, scratch, text};

const NARROWED: [&str; 8] = ["--scheme", "vrope@official", "--dtype", "f16", "--depth", "quick", "--cases", "1"];

fn check(library: &Path, options: &[&str]) -> Run {
    ropecheck(&[&["check", text(library)], &NARROWED[..], options].concat())
}

/// A folder without the journals that tests before these left.
fn empty(name: &str) -> PathBuf {
    let _ = fs::remove_dir_all(scratch(name));
    scratch(name)
}

/// Journals of all shards in a folder, and what the runs of them printed.
fn shards(library: &Path, folder: &Path, of: usize, options: &[&str]) -> (Vec<PathBuf>, Vec<Run>) {
    let one = |number: usize| {
        let (file, shard) = (folder.join(format!("{number}.shard")), format!("{number}/{of}"));
        let run = check(library, &[&["--shard", &shard, "--journal", text(&file)], options].concat());
        (file, run)
    };
    (1..=of).map(one).unzip()
}

fn merge(files: &[PathBuf], options: &[&str]) -> Run {
    let files: Vec<&str> = files.iter().map(|file| text(file)).collect();
    ropecheck(&[&["merge"], &files[..], options].concat())
}

#[test]
fn shards_of_a_wrong_kernel_make_the_report_of_one_run() {
    let folder = empty("shards-red");
    let library = broken("scaling-on-cosine-only").expect("it builds");
    let whole = check(&library, &["--format", "json"]).expect(1, &["NONCONFORMANT", "\"diagnoses\""]);
    let (files, runs) = shards(&library, &folder, 3, &["--threads", "1"]);
    let mut red = 0;
    for (number, run) in runs.into_iter().enumerate() {
        let verdict = format!("SHARD {} OF 3: ", number + 1);
        assert!(run.out.contains(&verdict), "{}", run.out);
        assert!(run.code == Some(0) || run.code == Some(1), "{:?}", run.code);
        assert_eq!(run.code == Some(1), run.out.contains("NONCONFORMANT"), "{}", run.out);
        red += usize::from(run.code == Some(1));
    }
    assert!(red > 0, "what fails, fails in its shard");
    // In any order, and with other threads.
    let files: Vec<PathBuf> = files.into_iter().rev().collect();
    let merged = merge(&files, &["--format", "json"]).expect(1, &[]);
    assert!(merged.out == whole.out, "another report: {}", merged.out);
}

#[test]
fn shards_of_an_honest_kernel_make_the_report_of_one_run() {
    let folder = empty("shards-green");
    let required = ["--require", "levels=rotate,fused", "--require", "tokens=2000000"];
    let whole = check(kernel(), &[&["--format", "json"], &required[..2]].concat()).expect(0, &[]);
    let (files, runs) = shards(kernel(), &folder, 2, &required[..2]);
    for run in runs {
        let run = run.expect(0, &["SHARD", "nothing failed", "merge"]);
        assert!(!run.out.contains("CONFORMANT"), "a shard has no verdict of its own: {}", run.out);
    }
    let merged = merge(&files, &["--format", "json"]).expect(0, &[]);
    assert!(merged.out == whole.out, "another report: {}", merged.out);
    // Another place of the library is another place and nothing else.
    let moved = folder.join("moved.so");
    fs::copy(kernel(), &moved).expect("copied");
    let merged = merge(&files, &["--format", "json", "--backend", text(&moved)]).expect(0, &[]);
    assert!(merged.out == whole.out, "another report: {}", merged.out);
    // What is asked for is settled by the merge alone.
    let (unmet, runs) = shards(kernel(), &empty("shards-unmet"), 2, &[&required[2..], &["--check", "empty"]].concat());
    runs.into_iter().for_each(|run| drop(run.expect(0, &[])));
    merge(&unmet, &[]).expect(4, &[]);
    refusals(&folder, &files);
}

/// What does not fit together.
fn refusals(folder: &Path, files: &[PathBuf]) {
    let [first, second] = [&files[0], &files[1]].map(Clone::clone);
    let refused = |files: &[&PathBuf], says: &[&str]| {
        let files: Vec<PathBuf> = files.iter().map(|file| (*file).clone()).collect();
        merge(&files, &[]).expect(3, says);
    };
    refused(&[&first], &["shards are missing: 2/2"]);
    refused(&[&first, &second, &first], &["it is shard 1/2, as"]);
    let other = |name: &str, library: &Path, options: &[&str]| {
        let file = folder.join(name);
        check(library, &[&["--journal", text(&file)], options].concat()).expect(0, &[]);
        file
    };
    let narrow = ["--check", "empty", "--shard"];
    let seed = other("seed", kernel(), &[&["--seed", "2"], &narrow[..], &["2/2"]].concat());
    refused(&[&first, &seed], &["it is of another run than", "another seed (2, and here 1)"]);
    let checks = other("checks", kernel(), &[&narrow[..], &["2/2"]].concat());
    refused(&[&first, &checks], &["another manifest, contracts or options"]);
    let more = other("more", kernel(), &[&narrow[..], &["2/3"]].concat());
    refused(&[&first, &more], &["another number of shards (--shard 2/3)"]);
    let embedded = folder.join("embedded");
    let options = [&["check"], &NARROWED[..], &narrow, &["2/2", "--journal", text(&embedded)]].concat();
    ropecheck(&options).expect(0, &[]);
    refused(&[&first, &embedded], &["another library (the embedded kernel, and here "]);
    // A library that was exchanged after the shards were run.
    let library = broken("scaling-on-cosine-only").expect("it builds");
    merge(files, &["--backend", text(&library)]).expect(3, &["another library"]);

    let text_of = fs::read_to_string(&first).expect("a journal");
    let lines: Vec<&str> = text_of.split_inclusive('\n').collect();
    let written = |name: &str, text: String| {
        let file = folder.join(name);
        fs::write(&file, text).expect("written");
        file
    };
    let cut = written("cut", lines[..lines.len() - 1].concat());
    refused(&[&cut, &second], &["shard 1/2 is not through", "--resume"]);
    let swapped = written("swapped", text_of.replacen("\"number\":1", "\"number\":2", 1));
    let swapped_too =
        written("too", fs::read_to_string(&second).expect("a journal").replacen("\"number\":2", "\"number\":1", 1));
    refused(&[&swapped, &swapped_too], &["is not one of this shard"]);
    // What failed and holds when it is run again is a failure all the same.
    let held = lines.iter().find(|line| line.contains("\"bands\":[[")).expect("a check that held");
    let unit: String = held.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let failed = written("failed", text_of.replacen(held, &format!("{{\"failed\":{unit}}}\n"), 1));
    merge(&[failed, second.clone()], &[]).expect(1, &["NONCONFORMANT", "failed before", "does not always do the same"]);
    let foreign = text_of.replacen("\"check\",", "\"list\",", 1);
    refused(&[&written("foreign", foreign), &second], &["a command line that this ropecheck does not understand"]);
}

#[test]
fn a_shard_that_makes_no_sense_is_refused() {
    ropecheck(&["check", "--shard", "3/2", "--journal", "x"]).expect(2, &["3/2", "such as 2/4"]);
    ropecheck(&["check", "--shard", "1/2"]).expect(2, &["--shard needs --journal FILE"]);
    ropecheck(&["check", "--shard", "1/2", "--journal", "x", "--time", "1s"]).expect(2, &["--time"]);
    ropecheck(&["merge"]).expect(2, &["FILE"]);
    ropecheck(&["merge", "no-such-file"]).expect(3, &["no-such-file"]);
}
