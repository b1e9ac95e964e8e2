//! The GitHub action, and the workflows that `init` writes: their `run` steps, in their order, with bash.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{ropecheck, scratch, source, text};
use serde_yaml::Value;

/// A job: names of expressions, such as `inputs.args`, and what they are.
type Values = BTreeMap<String, String>;

fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A text with its expressions `${{ name }}` filled in. An output that nobody gave is empty, as on GitHub.
fn filled(text: &str, values: &Values) -> String {
    let mut parts = text.split("${{");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").expect("an expression ends");
        let name = name.trim();
        let known = values.get(name).cloned();
        out += &known
            .unwrap_or_else(|| if name.contains(".outputs.") { String::new() } else { panic!("what is {name}?") });
        out += rest;
    }
    out
}

/// Where a job runs: a checkout, programs of its own before all others, and files of the runner.
struct Runner {
    checkout: PathBuf,
    temp: PathBuf,
    programs: PathBuf,
}

impl Runner {
    fn new(name: &str) -> Runner {
        let root = scratch(name);
        fs::remove_dir_all(&root).expect("an old folder goes");
        let folders = ["checkout", "temp", "programs"].map(|part| root.join(part));
        folders.iter().for_each(|folder| fs::create_dir_all(folder).expect("a folder"));
        let [checkout, temp, programs] = folders;
        Runner { checkout, temp, programs }
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.programs.join(name);
        fs::write(&path, format!("#!/bin/bash\nset -e\n{script}\n")).expect("a program is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it may run");
    }

    fn summary(&self) -> String {
        fs::read_to_string(self.temp.join("summary")).unwrap_or_default()
    }

    /// Runs the steps; the first that fails ends the job. The values afterwards, and what was printed.
    fn steps(&self, steps: &Value, mut values: Values) -> (Option<i32>, Values, String) {
        let mut printed = String::new();
        for step in steps.as_sequence().expect("steps") {
            let (code, said) = match (&step["run"], &step["uses"]) {
                (Value::String(script), Value::Null) => self.run(step, script, &mut values),
                (Value::Null, Value::String(action)) => self.action(step, action, &mut values),
                _ => panic!("a step is run or uses: {step:?}"),
            };
            printed += &said;
            if code != Some(0) {
                return (code, values, printed);
            }
        }
        (Some(0), values, printed)
    }

    fn run(&self, step: &Value, script: &str, values: &mut Values) -> (Option<i32>, String) {
        assert!(!script.contains("${{"), "an expression in a script is code: {script}");
        let output = self.temp.join("output");
        fs::write(&output, "").expect("an empty file");
        let path = format!("{}:{}", text(&self.programs), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        // As GitHub starts it where a step says `shell: bash`.
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).env("PATH", path);
        command.env("GITHUB_OUTPUT", &output).env("GITHUB_STEP_SUMMARY", self.temp.join("summary"));
        command.env("RUNNER_TEMP", &self.temp).env_remove("CARGO_TARGET_DIR");
        command.current_dir(self.checkout.join(filled(step["working-directory"].as_str().unwrap_or("."), values)));
        for (name, value) in step["env"].as_mapping().into_iter().flatten() {
            command.env(name.as_str().expect("a name"), filled(value.as_str().expect("a text"), values));
        }
        let done = command.output().expect("bash starts");
        if let Some(id) = step["id"].as_str() {
            for line in fs::read_to_string(&output).expect("outputs").lines() {
                let (name, value) = line.split_once('=').expect("NAME=VALUE");
                values.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
            }
        }
        let said = [done.stdout, done.stderr].concat();
        (done.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    fn action(&self, step: &Value, action: &str, values: &mut Values) -> (Option<i32>, String) {
        let with = |name: &str| step["with"][name].as_str().map(|value| filled(value, values));
        match action.split('@').next() {
            Some("actions/checkout") => {
                if let Some(path) = with("path") {
                    assert_eq!(with("repository").as_deref(), Some("the/sources"));
                    symlink(source(""), self.checkout.join(path)).expect("the sources are there");
                }
                (Some(0), String::new())
            }
            Some("actions/setup-python" | "actions/upload-artifact") => (Some(0), String::new()),
            Some("./.ropecheck-source") => {
                let given = step["with"].as_mapping().expect("inputs");
                let given = given.iter().map(|(name, value)| {
                    (name.as_str().expect("a name").to_owned(), filled(value.as_str().expect("a text"), values))
                });
                let (code, inner, said) = self.ours(given.collect());
                let id = step["id"].as_str().expect("an id");
                values.extend(inner.into_iter().map(|(name, value)| (format!("steps.{id}.{name}"), value)));
                (code, said)
            }
            _ => panic!("an action that nobody knows: {action}"),
        }
    }

    /// Runs the action with inputs. Its outputs, by names such as `outputs.sarif`.
    fn ours(&self, given: Values) -> (Option<i32>, Values, String) {
        let action = yaml(&source("action.yml"));
        let mut values = Values::from([("github.action_path".to_owned(), text(&source("")).to_owned())]);
        for (name, about) in action["inputs"].as_mapping().expect("inputs") {
            let name = name.as_str().expect("a name");
            let default = about["default"].as_str().expect("every input has a default");
            values.insert(format!("inputs.{name}"), default.to_owned());
        }
        for (name, value) in given {
            assert!(values.insert(format!("inputs.{name}"), value).is_some(), "there is no input {name}");
        }
        let (code, values, said) = self.steps(&action["runs"]["steps"], values);
        let outputs = action["outputs"].as_mapping().expect("outputs").iter().map(|(name, about)| {
            let value = filled(about["value"].as_str().expect("a value"), &values);
            (format!("outputs.{}", name.as_str().expect("a name")), value)
        });
        (code, outputs.collect(), said)
    }
}

fn given(inputs: &[(&str, &str)]) -> Values {
    inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A build that takes the program of these tests in the place of one that takes minutes.
const BUILD: &str = r#"while [ $# -gt 0 ]; do
  case "$1" in
    --manifest-path) [ -f "$2" ]; shift ;;
    --target-dir) target="$2"; shift ;;
  esac
  shift
done
mkdir -p "$target/release"
ln -sf "$TESTED" "$target/release/ropecheck""#;

fn builds(runner: &Runner) {
    runner.program("cargo", &BUILD.replace("$TESTED", env!("CARGO_BIN_EXE_ropecheck")));
    runner.program(
        "rustup",
        r#"[ "$*" = "toolchain install 1.95 --profile minimal" ] && [ "$RUSTUP_TOOLCHAIN" = 1.95 ]"#,
    );
}

const SHORT: &str = "--depth quick --cases 1 --scheme 'm-rope@default' --dtype f32 --check pairing-probe";

#[test]
fn a_kernel_that_holds() {
    let runner = Runner::new("action-holds");
    builds(&runner);
    let library = crate::common::compile(&source("templates/c/rope.c"), "action-good").expect("it compiles");
    let (code, outputs, said) = runner.ours(given(&[("backend", text(&library)), ("args", SHORT)]));
    assert_eq!((code, outputs["outputs.exit-code"].as_str()), (Some(0), "0"), "{said}");
    assert!(said.contains("CONFORMANT IN PART"), "{said}");
    assert!(runner.summary().contains("CONFORMANT IN PART"), "{}", runner.summary());
    let json = |name: &str| -> serde_json::Value {
        let path = &outputs[&format!("outputs.{name}")];
        serde_json::from_str(&fs::read_to_string(path).expect("a report")).expect("JSON")
    };
    assert_eq!(json("sarif")["version"], "2.1.0");
    assert_eq!(json("badge")["schemaVersion"], 1);
    assert_eq!(json("json")["exit_code"], 0);
}

#[test]
fn a_kernel_that_fails_has_its_reports_all_the_same() {
    let runner = Runner::new("action-fails");
    let bad = scratch("action-source").join("rope.c");
    let good = fs::read_to_string(source("templates/c/rope.c")).expect("the template");
    fs::write(&bad, good.replace("a * c - b * s", "a * c + b * s")).expect("written");
    fs::copy(source("include/ropecheck.h"), bad.with_file_name("ropecheck.h")).expect("copied");
    let library = crate::common::compile(&bad, "action-bad").expect("it compiles");
    let own = [("backend", text(&library)), ("args", SHORT), ("ropecheck", env!("CARGO_BIN_EXE_ropecheck"))];
    let (code, outputs, said) = runner.ours(given(&own));
    assert_eq!((code, outputs["outputs.exit-code"].as_str()), (Some(1), "1"), "{said}");
    assert!(runner.summary().contains("NONCONFORMANT"), "{}", runner.summary());
    let sarif: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&outputs["outputs.sarif"]).expect("SARIF")).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "pairing-probe");
}

#[test]
fn arguments_are_words_and_no_code() {
    let runner = Runner::new("action-arguments");
    let own = env!("CARGO_BIN_EXE_ropecheck");
    let seen = |args: &str| {
        runner.program("seen", "printf '[%s]' \"$@\"; exit 2");
        let path = runner.programs.join("seen");
        let (code, outputs, said) =
            runner.ours(given(&[("backend", "a b.so"), ("args", args), ("ropecheck", text(&path))]));
        assert_eq!((code, outputs["outputs.sarif"].as_str()), (Some(2), ""), "{said}");
        said.split("[--report]").next().unwrap_or_default().to_owned()
    };
    assert_eq!(seen(""), "[check][a b.so]");
    assert_eq!(
        seen("--spec 'my file.yaml'\n--exec \"$(id) `id` * $HOME\""),
        "[check][a b.so][--spec][my file.yaml][--exec][$(id) `id` * $HOME]"
    );
    let (code, _, said) = runner.ours(given(&[("args", "--spec 'no end"), ("ropecheck", own)]));
    assert!(code != Some(0) && said.contains("unmatched"), "{said}");
    // Without a backend the embedded kernel would be judged, which nobody asks an action for.
    let (code, _, said) = runner.ours(given(&[("args", SHORT), ("ropecheck", own)]));
    assert!(code == Some(2) && said.contains("no backend"), "{said}");
}

/// What `init` writes for a language, as a repository; its workflow, run.
fn workflow(language: &str, runner: &Runner) -> (Option<i32>, Values, String) {
    ropecheck(&["init", language, "--output", text(&runner.checkout)]).expect(0, &["ropecheck-", ".yml"]);
    let file = runner.checkout.join(format!(".github/workflows/ropecheck-{language}.yml"));
    let steps = &yaml(&file)["jobs"]["rope"]["steps"];
    runner.steps(steps, given(&[("vars.ROPECHECK_REPOSITORY", "the/sources")]))
}

#[test]
fn the_workflow_of_init_c_passes_as_written() {
    let runner = Runner::new("workflow-c");
    builds(&runner);
    let (code, values, said) = workflow("c", &runner);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(values["steps.rope.outputs.exit-code"], "0");
    assert!(Path::new(&values["steps.rope.outputs.sarif"]).is_file());
    assert!(runner.summary().contains("CONFORMANT"), "{}", runner.summary());
}

/// nvcc is a C++ compiler with the launch shim.
#[test]
fn the_workflow_of_init_cuda_passes_as_written_and_a_changed_line_fails() {
    let shim = format!(
        r#"[ "$*" = "-std=c++17 -arch=native -O2 -Xcompiler -fPIC -shared -o librope.so rope.cu" ]
c++ -std=c++17 -O2 -Wall -Wextra -Werror -Wno-unknown-pragmas -shared -fPIC -I"{}" -o librope.so -x c++ rope.cu"#,
        text(&source("kernels/cuda/shim"))
    );
    let runner = Runner::new("workflow-cuda");
    builds(&runner);
    runner.program("nvcc", &shim);
    let (code, values, said) = workflow("cuda", &runner);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(values["steps.rope.outputs.exit-code"], "0");
    let kernel = runner.checkout.join("rope.cu");
    let good = fs::read_to_string(&kernel).expect("the kernel");
    for (from, to, check) in [
        ("a * c - b * sn", "a * c + b * sn", "pairing-probe"),
        ("if (row >= s.batch * s.tokens) return;", "if (row >= s.batch * s.tokens - 1) return;", "fully-written"),
        ("*refused = 1;", "*refused = 0;", "rejects-nonsense"),
    ] {
        assert_eq!(good.matches(from).count(), 1, "{from}");
        fs::write(&kernel, good.replace(from, to)).expect("written");
        let mut build = Command::new(runner.programs.join("nvcc"));
        build.args("-std=c++17 -arch=native -O2 -Xcompiler -fPIC -shared -o librope.so rope.cu".split(' '));
        assert!(build.current_dir(&runner.checkout).status().expect("it starts").success());
        let library = runner.checkout.join("librope.so");
        crate::common::check(&library, &["--depth", "quick", "--check", check]).expect(1, &[&format!("FAIL {check}")]);
    }
}

/// They install packages or build for minutes: here only that what they name is there.
#[test]
fn the_other_workflows_name_what_is_there() {
    for language in ["python", "rust"] {
        let runner = Runner::new(&format!("workflow-{language}"));
        ropecheck(&["init", language, "--output", text(&runner.checkout)]).expect(0, &["wrote"]);
        let steps = yaml(&runner.checkout.join(format!(".github/workflows/ropecheck-{language}.yml")));
        let steps = steps["jobs"]["rope"]["steps"].as_sequence().expect("steps").clone();
        let inputs = yaml(&source("action.yml"))["inputs"].clone();
        for step in &steps {
            if step["uses"] == "./.ropecheck-source" {
                let with = step["with"].as_mapping().expect("inputs");
                assert!(with.keys().all(|name| !inputs[name].is_null()), "{with:?}");
                assert!(runner.checkout.join(step["with"]["backend"].as_str().expect("a backend")).is_file());
            }
        }
        let says = |words: &str| steps.iter().any(|step| step["run"].as_str().is_some_and(|run| run.trim() == words));
        assert!(if language == "python" {
            says("pip install ./.ropecheck-source")
        } else {
            says("cargo test --test rope")
        });
    }
    assert!(source("pyproject.toml").is_file());
}

#[test]
fn pre_commit_hooks_are_commands_that_exist() {
    let hooks = yaml(&source(".pre-commit-hooks.yaml"));
    for hook in hooks.as_sequence().expect("hooks") {
        let words: Vec<&str> = hook["entry"].as_str().expect("an entry").split(' ').collect();
        assert_eq!((words[0], &hook["language"]), ("ropecheck", &Value::from("python")));
        // A backend that is not there is the only thing that is wrong with it.
        let arguments = [&words[1..], &["no-such-library.so"]].concat();
        ropecheck(&arguments).expect(6, &["no-such-library.so"]);
    }
}
