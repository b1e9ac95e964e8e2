//! Every exit code, each with the reports that were asked for: none of them says anything else than the program did.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{Run, broken, compile, kernel, ropecheck, scratch, source, text};
use serde_json::Value;

const SMALL: [&str; 10] =
    ["--scheme", "m-rope@default", "--dtype", "f32", "--level", "rotate", "--depth", "quick", "--cases", "1"];

/// Forms of reports.
const FORMS: [&str; 7] = ["json", "ndjson", "junit", "sarif", "markdown", "badge", "html"];

/// Runs `check` with one report of every form, and holds them against the exit code.
#[track_caller]
fn ends_in(code: i32, name: &str, arguments: &[&str], says: &str) -> Run {
    let folder = scratch(name);
    let file = |form: &str| folder.join(format!("report.{form}"));
    let reports: Vec<String> = FORMS.iter().map(|form| format!("{form}={}", text(&file(form)))).collect();
    let mut all = vec!["check"];
    all.extend(arguments);
    reports.iter().for_each(|report| all.extend(["--report", report]));
    let run = ropecheck(&all).expect(code, &[says]);
    agree(code, &folder);
    run
}

/// That the reports in a folder call for this exit code.
#[track_caller]
fn agree(code: i32, folder: &Path) {
    let read = |form: &str| {
        let file = folder.join(format!("report.{form}"));
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        fs::remove_file(&file).expect("the report can be removed");
        text
    };
    let json: Value = serde_json::from_str(&read("json")).expect("the report is JSON");
    assert_eq!((&json["format"], &json["exit_code"]), (&Value::from(1), &Value::from(code)), "{json}");
    let verdict = json["verdict"].as_str().expect("a verdict").to_owned();
    assert_eq!(verdict.starts_with("CONFORMANT"), code == 0, "{verdict}");

    let ndjson = read("ndjson");
    let events: Vec<Value> = ndjson.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert!(events.iter().all(|event| event["format"] == 1), "{ndjson}");
    let last = events.last().expect("an event");
    assert_eq!(
        (&last["event"], &last["exit_code"], &last["verdict"]),
        (&"finished".into(), &Value::from(code), &Value::from(verdict.as_str()))
    );

    let junit = read("junit");
    assert!(junit.starts_with("<?xml"), "{junit}");
    assert!(junit.contains(&format!("<property name=\"exit_code\" value=\"{code}\"/>")), "{junit}");
    let red = |attribute: &str| {
        let all = junit.split_once("<testsuites ").expect("suites").1;
        let count = all.split_once(&format!("{attribute}=\"")).expect("an attribute").1;
        count.split_once('"').expect("its end").0.parse::<u32>().expect("a number")
    };
    assert_eq!(red("failures") + red("errors") > 0, code != 0, "{junit}");
    assert!(!junit.contains(" time="), "equal runs have equal bytes: {junit}");

    let sarif: Value = serde_json::from_str(&read("sarif")).expect("SARIF is JSON");
    let run = &sarif["runs"][0];
    assert_eq!(run["invocations"][0]["exitCode"], code);
    assert_eq!(run["invocations"][0]["executionSuccessful"], code == 0 || code == 1);
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.iter().any(|result| result["level"] == "error"), code != 0, "{sarif}");
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().expect("an index") as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(result["locations"].as_array().is_some_and(|all| !all.is_empty()), "{result}");
    }

    let markdown = read("markdown");
    assert_eq!(markdown.starts_with("## \u{2705} ropecheck"), code == 0, "{markdown}");
    assert!(markdown.contains(&format!("Exit code {code}.")), "{markdown}");

    let page = read("html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"), "{page}");
    assert!(page.contains(&format!("Exit code {code}.")), "{page}");
    assert_eq!(page.contains("<div class=\"verdict good\">"), code == 0, "{page}");
    only_own_markup(&page);

    let badge: Value = serde_json::from_str(&read("badge")).expect("a badge is JSON");
    let green = badge["color"] == "brightgreen";
    assert_eq!(green, code == 0 && !verdict.contains("IN PART"), "{badge}");
    assert_eq!(badge["message"].as_str().expect("a message").starts_with("conformant"), code == 0, "{badge}");
}

/// That nothing in a page came from elsewhere as markup: every tag is one that pages are made of, with its attributes, and
/// scripts are none but the one that copies.
#[track_caller]
fn only_own_markup(page: &str) {
    let tags = "!doctype a article body button code dd desc details div dl dt figure g h1 h2 h3 head html li line main meta \
                nav p path polyline pre rect circle script section span strong style summary svg table tbody td text th \
                thead title tr ul";
    let attributes = "aria-label= charset= class= content= cx= cy= d= fill= height= href= http-equiv= id= lang= name= points= \
                      r= role= scope= tabindex= text-anchor= viewbox= width= x= x1= x2= y= y1= y2= html /";
    let (tags, attributes): (Vec<&str>, Vec<&str>) = (tags.split(' ').collect(), attributes.split(' ').collect());
    let scripts = page.matches("<script").count();
    assert_eq!(scripts, usize::from(page.contains("<pre class=\"copy\">")), "{page}");
    // Style and script hold no markup of their own.
    let without = |page: &str, tag: &str| match (page.find(&format!("<{tag}>")), page.find(&format!("</{tag}>"))) {
        (Some(start), Some(end)) => format!("{}{}", &page[..start], &page[end..]),
        _ => page.to_owned(),
    };
    let page = without(&without(page, "style"), "script").to_lowercase();
    for tag in page.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').unwrap_or_else(|| panic!("<{tag} has no end"));
        assert!(!text.contains('>'), "{text}");
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap_or_default();
        assert!(tags.contains(&name), "<{tag}>");
        // Between two quotes is a value, and between values the names of attributes.
        for attribute in
            tag[tag.len().min(name.len() + 1)..].split('"').step_by(2).filter(|name| !name.trim().is_empty())
        {
            assert!(attributes.contains(&attribute.trim()), "{attribute:?} in <{tag}>");
        }
    }
}

#[test]
fn conformant_is_0() {
    ends_in(0, "0", &[&[text(kernel())], &SMALL[..], &["--check", "controls"]].concat(), "CONFORMANT IN PART: only ");
}

#[test]
fn nonconformant_is_1() {
    let identity = broken("identity").expect("it compiles");
    ends_in(1, "1", &[&[text(&identity)], &SMALL[..], &["--check", "controls"]].concat(), "NONCONFORMANT");
}

#[test]
fn a_name_that_does_not_exist_is_2() {
    ends_in(2, "2", &["--check", "acuracy"], "did you mean \"accuracy\"");
    ends_in(2, "2-contract", &["--contract", "fused/nothing"], "--contract fused/nothing");
}

#[test]
fn a_broken_spec_is_3() {
    let spec = scratch("spec").join("broken.yaml");
    fs::write(&spec, "scheme: x\ntitle: [\n").expect("the spec can be written");
    ends_in(3, "3", &["--spec", text(&spec)], "not YAML");
}

#[test]
fn a_selection_of_nothing_is_4() {
    ends_in(4, "4", &[text(kernel()), "--scheme", "videorope", "--level", "fused"], "nothing is selected");
}

#[test]
fn a_group_of_which_nothing_was_proved_is_4() {
    ends_in(4, "4-empty", &[&[text(kernel())], &SMALL[..], &["--check", "empty"]].concat(), "NOTHING PROVED of m-rope");
    let wide = ["--contract", "fused/pow,library_ulps=32768"];
    ends_in(4, "4-wide", &[&[text(kernel())], &SMALL[..], &wide].concat(), "contract too wide");
}

#[test]
fn a_requirement_that_is_not_met_is_4_and_a_failure_before_it_1() {
    let require = ["--check", "controls", "--require", "q_heads=64"];
    let says = "REQUIREMENT NOT MET: q_heads=64 (found rotate ";
    ends_in(4, "4-require", &[&[text(kernel())], &SMALL[..], &require].concat(), says);
    let identity = broken("identity").expect("it compiles");
    ends_in(1, "1-require", &[&[text(&identity)], &SMALL[..], &require].concat(), "NONCONFORMANT");
    ends_in(2, "2-require", &["--require", "q_head=64"], "did you mean \"q_heads\"?");
}

#[test]
fn a_run_whose_time_is_over_before_anything_was_judged_is_4() {
    let says = "NOTHING WAS JUDGED: stopped by --time 1ms after 0 of ";
    ends_in(4, "4-time", &[&[text(kernel())], &SMALL[..], &["--time", "1ms"]].concat(), says);
    for (time, says) in [("60", "time unit needed"), ("0s", "expected more than 0")] {
        ropecheck(&["check", "--time", time]).expect(2, &[says]);
    }
}

/// Frequencies of 0 turn nothing, so that a kernel which returns its input is right: a control passes that must fail.
#[test]
fn a_control_that_passes_is_5() {
    let rope = fs::read_to_string(source("spec/schemes/rope.yaml")).expect("the spec can be read");
    let still = rope.replacen("\naxes:", "\nfrequencies: {inv_freq: \"base * 0\"}\naxes:", 1);
    assert_ne!(still, rope, "the spec says its axes");
    // In the place of the built-in scheme it would contradict the anchors first.
    let still = still.replacen("scheme: rope\n", "scheme: still\n", 1);
    let spec = scratch("still").join("still.yaml");
    fs::write(&spec, still).expect("the spec can be written");
    let arguments = ["--spec", text(&spec), "--scheme", "still@default", "--dtype", "f32", "--check", "linearity"];
    ends_in(5, "5", &arguments, "CONTROL FAILED");
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn a_backend_that_does_not_start_is_6() {
    let run = ends_in(6, "6", &["no-such-library.so"], "there is no such file");
    assert!(run.out.is_empty(), "{run}");
    let segfault = broken("segfault").expect("it compiles");
    ends_in(6, "6-dies", &[&[text(&segfault)], &SMALL[..]].concat(), "THE BACKEND DIED IN EVERY CASE");
}

#[test]
fn a_report_that_cannot_be_written_is_70_in_all_others() {
    let arguments = [&[text(kernel())], &SMALL[..], &["--check", "controls", "--output", "/dev/full"]].concat();
    ends_in(70, "70", &arguments, "/dev/full cannot be written");
}

#[test]
fn standard_output_that_cannot_be_written_is_70_and_a_closed_pipe_is_quiet() {
    for arguments in [&["list", "checks"][..], &["--help"], &["check", "--scheme", "rope", "--check", "controls"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full is there");
        let run =
            Command::new(env!("CARGO_BIN_EXE_ropecheck")).args(arguments).stdout(full).output().expect("it starts");
        assert_eq!(run.status.code(), Some(70), "{arguments:?}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_ropecheck"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let run = child.wait_with_output().expect("it ends");
        assert_eq!((run.status.code(), String::from_utf8_lossy(&run.stderr).as_ref()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_report_that_has_no_place_is_2_before_the_run() {
    let nowhere = scratch("nowhere").join("no folder").join("report.xml");
    let run = ropecheck(&["check", text(kernel()), "--report", &format!("junit={}", text(&nowhere))]);
    run.expect(2, &["cannot be written"]);
    ropecheck(&["check", "--report", "junit"]).expect(2, &["expected FORMAT=FILE"]);
    ropecheck(&["check", "--report", "xml=a"]).expect(2, &["xml"]);
}

/// The kernel sleeps in every call, so that the signal comes in the middle.
#[test]
fn an_interrupt_is_130() {
    let slow = scratch("slow").join("rope.c");
    let good = fs::read_to_string(source("kernels/c/rope.c")).expect("rope.c can be read");
    let call = "ropecheck_status ropecheck_rotate(";
    assert_eq!(good.matches(call).count(), 1, "{call}");
    let edited = good.replace(call, "#include <unistd.h>\nstatic ropecheck_status turn(");
    let sleeping = "\nropecheck_status ropecheck_rotate(void *c, const ropecheck_rotate_call *a, char *m, size_t n) {\n\
                    usleep(20000);\n    return turn(c, a, m, n);\n}\n";
    fs::write(&slow, edited + sleeping).expect("the source can be written");
    let library = compile(&slow, "slow").expect("it compiles");
    let folder = scratch("130");
    let report = |form: &str| format!("{form}={}", text(&folder.join(format!("report.{form}"))));
    let reports = FORMS.map(report);
    let mut child = Command::new(env!("CARGO_BIN_EXE_ropecheck"))
        .args(["check", text(&library)])
        .args(SMALL)
        .args(["--format", "ndjson"])
        .args(reports.iter().flat_map(|report| ["--report", report]))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let done = |line: &str| line.contains("\"event\":\"unit-done\"");
    assert!(lines.by_ref().any(|line| done(&line.expect("a line"))), "nothing was done");
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill starts");
    assert!(kill.success());
    let rest: Vec<String> = lines.map(|line| line.expect("a line")).collect();
    assert!(rest.last().is_some_and(|last| last.contains("INTERRUPTED")), "{rest:?}");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    agree(130, &folder);
}

/// What a kernel prints decides nothing: it died by a signal, and its case is made small.
#[test]
fn words_of_a_kernel_that_dies_are_no_evidence() {
    let edited = scratch("words").join("rope.c");
    let good = fs::read_to_string(source("kernels/c/rope.c")).expect("rope.c can be read");
    let call = "ropecheck_status ropecheck_rotate(";
    let named = r#"\"name\":\"rope.c\""#;
    assert_eq!(good.matches(named).count(), 1, "{named}");
    let good = good.replace(named, r#"\"name\":\"<img src=x onerror=alert(1)>\""#);
    let dying = good.replace(call, "#include <signal.h>\n#include <stdio.h>\nstatic ropecheck_status turn(")
        + "\nropecheck_status ropecheck_rotate(void *c, const ropecheck_rotate_call *a, char *m, size_t n) {\n\
           if (a->qk.tokens > 3) {\n        fputs(\"hung died panicked no answer within 1s\\n</pre><script>alert(1)</script>\\\" onclick='x'\\n\", stderr);\n\
           raise(SIGSEGV);\n    }\n    return turn(c, a, m, n);\n}\n";
    fs::write(&edited, dying).expect("the source can be written");
    let library = compile(&edited, "words").expect("it compiles");
    let arguments = [&[text(&library)], &SMALL[..], &["--check", "accuracy", "--check", "decode-shape"]].concat();
    let mut all = vec!["check"];
    all.extend(arguments);
    let page = scratch("words").join("report.html");
    let html = format!("html={}", text(&page));
    all.extend(["--format", "json", "--report", &html]);
    let run = ropecheck(&all);
    assert_eq!(run.code, Some(1), "{run}");
    // Nor are they anything but text on a page.
    let page = fs::read_to_string(page).expect("a page");
    assert!(page.contains("&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot; onclick=&#39;x&#39;"), "{page}");
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"), "the name of the backend is there: {page}");
    only_own_markup(&page);
    let report = run.json().expect("a report");
    let failures: Vec<Value> = report["results"]
        .as_array()
        .expect("results")
        .iter()
        .flat_map(|result| result["failures"].as_array().cloned().unwrap_or_default())
        .collect();
    assert!(!failures.is_empty());
    for failure in &failures {
        assert_eq!(failure["cause"]["kind"], "crashed", "{failure}");
        assert_eq!(failure["cause"]["death"]["end"], serde_json::json!({"how": "signal", "number": 11}));
        assert!(failure["cause"]["death"]["printed"].as_str().is_some_and(|said| said.contains("hung died panicked")));
    }
    assert!(report["results"].as_array().expect("results").iter().all(|result| result["stopped"].is_null()));
    // Four tokens are needed, and no more.
    assert!(failures[0]["shrunk_from"].is_string(), "{}", failures[0]);
    assert_eq!(crate::common::tokens(failures[0]["case"].as_str().expect("a case")), Some(4), "{}", failures[0]);
}

/// Killed in mid run, at any line, and gone on: the report is that of a run that nobody disturbed, and what was through is
/// not run again. The kernel is wrong, so that what failed is run again, too.
#[test]
fn a_run_that_was_killed_goes_on_from_its_journal() {
    let folder = scratch("journal");
    let library = broken("scaling-on-cosine-only").expect("it builds");
    let (journal, report) = (folder.join("journal"), folder.join("report.json"));
    // Those of the run before this one.
    let _ = [&journal, &folder.join("again")].map(fs::remove_file);
    let options = ["--scheme", "vrope@official", "--dtype", "f16", "--depth", "quick", "--cases", "1"];
    let run = |threads: &str, more: &[&str]| {
        let mut all =
            vec!["check", text(&library), "--threads", threads, "--format", "json", "--output", text(&report)];
        all.extend(options);
        all.extend(more);
        let run = ropecheck(&all);
        (run, fs::read_to_string(&report).unwrap_or_default())
    };
    let (whole, undisturbed) = run("2", &["--journal", text(&journal)]);
    whole.expect(1, &[]);
    let all = fs::read_to_string(&journal).expect("a journal");
    let lines: Vec<&str> = all.split_inclusive('\n').collect();
    assert!(lines.len() > 50 && all.ends_with('\n'), "{all}");

    let mut killed = Command::new(env!("CARGO_BIN_EXE_ropecheck"));
    let again = folder.join("again");
    killed.args(["check", text(&library), "--threads", "2", "--journal", text(&again)]).args(options);
    let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let kept = || fs::read(&again).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count());
    while kept() < 20 && killed.try_wait().expect("a child").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    killed.kill().expect("it can be killed");
    killed.wait().expect("it ends");
    let cut = fs::read_to_string(&again).expect("a journal");
    for (threads, left) in [("1", cut.clone()), ("2", cut + "{\"unit\":7,\"resu"), ("2", lines[..30].concat())] {
        fs::write(&again, &left).expect("written");
        let (run, report) = run(threads, &["--resume", text(&again)]);
        run.expect(1, &[]);
        assert!(report == undisturbed, "another report");
        let now = fs::read_to_string(&again).expect("a journal");
        let whole = &left[..left.rfind('\n').map_or(0, |end| end + 1)];
        assert!(now.starts_with(whole), "what was kept stays");
        assert_eq!(now.lines().count(), lines.len(), "nothing is run twice, and nothing is left out");
    }

    let refused = |code: i32, more: &[&str], says: &str| drop(run("2", more).0.expect(code, &[says]));
    refused(2, &["--journal", text(&journal)], "it is there already");
    refused(3, &["--resume", text(&journal), "--seed", "2"], "it is of another run");
    fs::write(&again, format!("{}[]\n", lines[0])).expect("written");
    refused(3, &["--resume", text(&again)], "line 2: no result");
    fs::write(&again, "{}\n").expect("written");
    refused(3, &["--resume", text(&again)], "line 1: expected the beginning of a journal");
    refused(3, &["--resume", text(&folder.join("none"))], "No such file");
}

/// Runs a small check under a limit of the shell (`ulimit`), which must end with one of these codes, and never in a panic.
/// `user`: as this user, who reads the program and the library from this folder and writes there.
#[track_caller]
fn under(limit: &str, user: Option<(u32, &Path)>, codes: &[i32]) -> Run {
    let own = scratch(&format!("under{}", limit.replace(' ', "")));
    let folder = user.map_or(&*own, |(_, folder)| folder);
    let json = folder.join("report.json");
    let _ = fs::remove_file(&json);
    let (program, library) = match user {
        Some((_, folder)) => (folder.join("ropecheck"), folder.join("librope.so")),
        None => (env!("CARGO_BIN_EXE_ropecheck").into(), kernel().to_owned()),
    };
    let script = format!("ulimit {limit} && exec \"$@\"");
    let mut command = Command::new("bash");
    command.args(["-c", &script, "sh", text(&program), "check", text(&library)]).args(SMALL);
    command.args(["--check", "controls", "--check", "linearity", "--check", "accuracy"]);
    command
        .args(["--threads", "2", "--report", &format!("json={}", text(&json))])
        .current_dir(folder)
        .env("RUST_BACKTRACE", "0");
    if let Some((user, _)) = user {
        std::os::unix::process::CommandExt::uid(&mut command, user);
    }
    let output = command.output().expect("a shell starts");
    let run = Run {
        command: format!("ulimit {limit}; ropecheck check"),
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    run.no_panic();
    assert!(run.code.is_some_and(|code| codes.contains(&code)), "{codes:?} are documented here: {run}");
    // An honest kernel: whatever is said, it is not that something is wrong with it.
    assert!(!run.out.contains("NONCONFORMANT") && !run.out.contains("FAIL"), "{run}");
    assert_eq!(run.code == Some(0), run.out.contains("\nCONFORMANT IN PART"), "{run}");
    if let Some(report) = fs::read_to_string(&json).ok().filter(|text| !text.is_empty()) {
        let report: Value = serde_json::from_str(&report).expect("a report that is there is whole");
        assert_eq!(report["exit_code"].as_i64(), run.code.map(i64::from), "{run}");
    }
    run
}

/// Files that may not grow: reports (70), and the memory that is shared with the library (71).
#[test]
fn files_that_may_not_grow_end_in_a_documented_code() {
    for limit in ["-f 0", "-f 1", "-f 64", "-f 1024"] {
        under(limit, None, &[70, 71]);
    }
    under("-f unlimited", None, &[0]);
}

/// Without memory something is not run, or nothing; where there is just enough, all is well.
#[test]
fn a_machine_without_memory_ends_in_a_documented_code() {
    let codes = ["-v 30000", "-v 60000", "-v 100000", "-d 8000", "-d 20000", "-d 40000"].map(|limit| {
        let run = under(limit, None, &[0, 71]);
        run.code
    });
    assert!(codes.contains(&Some(71)), "some of these are too little: {codes:?}");
    under("-v unlimited", None, &[0]);
}

/// Without processes no backend can be started, and without threads the run takes place on the one that there is.
#[test]
fn a_machine_without_threads_ends_in_a_documented_code() {
    // The superuser has no such limit. Of a user who runs nothing else the numbers are known.
    let folder = tempfile::tempdir().expect("a folder");
    let superuser = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if superuser {
        for (from, name) in [(Path::new(env!("CARGO_BIN_EXE_ropecheck")), "ropecheck"), (kernel(), "librope.so")] {
            fs::copy(from, folder.path().join(name)).expect("it can be copied");
        }
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(folder.path(), all).expect("the folder is ours");
    }
    let user = superuser.then_some((64_321, folder.path()));
    let codes: Vec<_> = (1..6).map(|most| under(&format!("-u {most}"), user, &[0, 71]).code).collect();
    assert!(codes.contains(&Some(71)), "one process is too little: {codes:?}");
    if superuser {
        assert!(codes.contains(&Some(0)), "two processes are enough: {codes:?}");
    }
}
