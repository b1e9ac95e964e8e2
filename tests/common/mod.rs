//! Builds kernels from C and runs the program on them.
#![allow(dead_code, reason = "every test crate uses its own part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use serde_json::Value;

pub mod json_schema;

/// One entry of broken.json.
#[derive(Debug, Clone)]
pub struct Defect {
    pub id: String,
    pub group: String,
    pub replace: String,
    pub with: String,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Run {
    pub command: String,
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    /// The report of a run with `--format json`.
    pub fn json(&self) -> Result<Value, String> {
        serde_json::from_str(&self.out).map_err(|e| format!("no JSON report ({e}) from {self}"))
    }

    /// Asserts the exit code, and that each of `parts` is in the output. Nothing may ever panic.
    #[track_caller]
    pub fn expect(self, code: i32, parts: &[&str]) -> Run {
        assert_eq!(self.code, Some(code), "exit code of {self}");
        self.no_panic();
        for part in parts {
            assert!(self.err.contains(part) || self.out.contains(part), "{part:?} is missing from {self}");
        }
        self
    }

    #[track_caller]
    pub fn no_panic(&self) {
        assert!(!self.err.contains("panicked") && !self.out.contains("panicked"), "a panic in {self}");
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |text: &str| text.chars().take(2000).collect::<String>();
        let Run { command, code, out, err } = self;
        write!(f, "`{command}`\nexit {code:?}\nstderr: {}\nstdout: {}", short(err), short(out))
    }
}

/// Runs ropecheck.
pub fn ropecheck<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Run {
    let shown: Vec<_> = arguments.iter().map(|a| a.as_ref().to_string_lossy().into_owned()).collect();
    let output = Command::new(env!("CARGO_BIN_EXE_ropecheck"))
        .args(arguments)
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("ropecheck starts");
    Run {
        command: format!("ropecheck {}", shown.join(" ")),
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// `ropecheck check LIBRARY ...`
pub fn check(library: &Path, arguments: &[&str]) -> Run {
    let mut all = vec!["check", text(library)];
    all.extend(arguments);
    ropecheck(&all)
}

/// `ropecheck replay CASE LIBRARY ...`
pub fn replay(case: &str, library: &Path, arguments: &[&str]) -> Run {
    let mut all = vec!["replay", case, text(library)];
    all.extend(arguments);
    ropecheck(&all)
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

/// A file of the repository.
pub fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder for what the calling file makes, below the target folder.
#[track_caller]
pub fn scratch(name: &str) -> PathBuf {
    let file = Path::new(std::panic::Location::caller().file()).file_stem().expect("a file has a name");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file).join(name);
    fs::create_dir_all(&folder).expect("the scratch folder can be made");
    folder
}

/// The same, one that no other build of this run uses: two tests may want the same kernel at the same time.
fn own_scratch(name: &str) -> PathBuf {
    static BUILDS: AtomicUsize = AtomicUsize::new(0);
    let folder = scratch(&format!("{name}-{}", BUILDS.fetch_add(1, Ordering::Relaxed)));
    // What a run before this one left there, such as failures that are kept, belongs to another kernel.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the scratch folder can be made");
    folder
}

/// Compiles C into a shared library. An error is the compiler's.
pub fn compile(from: &Path, name: &str) -> Result<PathBuf, String> {
    let library = own_scratch(name).join("librope.so");
    let root = source("");
    let output = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-Iinclude", "-Ikernels/c", "-o", text(&library), text(from), "-lm"])
        .current_dir(&root)
        .output()
        .map_err(|e| format!("cc does not start: {e}"))?;
    if output.status.success() {
        Ok(library)
    } else {
        Err(format!("cc {}: {}", from.display(), String::from_utf8_lossy(&output.stderr)))
    }
}

/// kernels/c/rope.c as it is.
pub fn kernel() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| compile(&source("kernels/c/rope.c"), "unedited").expect("rope.c compiles"))
}

/// Every defect of broken.json, by id.
pub fn defects() -> &'static BTreeMap<String, Defect> {
    static READ: OnceLock<BTreeMap<String, Defect>> = OnceLock::new();
    READ.get_or_init(|| {
        let text = fs::read_to_string(source("tests/kernels/broken.json")).expect("broken.json can be read");
        let file: Value = serde_json::from_str(&text).expect("broken.json is JSON");
        let field = |k: &Value, name: &str| k[name].as_str().unwrap_or_else(|| panic!("{name} of {k}")).to_owned();
        let read = |k: &Value| Defect {
            id: field(k, "id"),
            group: field(k, "group"),
            replace: field(k, "replace"),
            with: field(k, "with"),
        };
        file["kernels"].as_array().expect("a list").iter().map(read).map(|d| (d.id.clone(), d)).collect()
    })
}

/// rope.c with one defect.
pub fn broken(id: &str) -> Result<PathBuf, String> {
    let defect = defects().get(id).ok_or_else(|| format!("{id} is not in broken.json"))?;
    let good = fs::read_to_string(source("kernels/c/rope.c")).map_err(|e| e.to_string())?;
    match good.matches(&defect.replace).count() {
        1 => {}
        n => return Err(format!("its `replace` occurs {n} times in rope.c")),
    }
    let edited = own_scratch(id).join("rope.c");
    fs::write(&edited, good.replace(&defect.replace, &defect.with)).map_err(|e| e.to_string())?;
    compile(&edited, id)
}

/// A failure in a JSON report.
#[derive(Debug, Clone)]
pub struct Failure {
    pub check: String,
    pub id: String,
    pub case: String,
    pub summary: String,
    /// Tokens of all rows of its layout.
    pub tokens: u64,
}

pub fn failures(report: &Value) -> Vec<Failure> {
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let string = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let mut all = Vec::new();
    for result in list(&report["results"]) {
        for failure in list(&result["failures"]) {
            let case = string(&failure["case"]);
            let tokens = tokens(&case).unwrap_or_else(|| panic!("no layout in the case {case}"));
            let (check, id, summary) =
                (string(&result["check"]), string(&failure["id"]), string(&failure["message"][0]));
            all.push(Failure { check, id, case, summary, tokens });
        }
    }
    all
}

/// Tokens of all rows of a case, from its text: `layout=text:3+video:2x2x2//text:11`.
pub fn tokens(case: &str) -> Option<u64> {
    let layout = case.split(',').find_map(|part| part.strip_prefix("layout="))?;
    // Of packed sequences one may be empty.
    let segments = layout.split("//").filter(|row| !row.is_empty()).flat_map(|row| row.split('+'));
    segments.into_iter().try_fold(0, |sum, segment| {
        let sizes = segment.split_once(':')?.1.split('@').next()?;
        let product = sizes.split('x').try_fold(1, |n: u64, s| Some(n * s.parse::<u64>().ok()?))?;
        Some(sum + product)
    })
}

/// Runs `work` on every item, two at a time; what it says, in the order of the items.
pub fn in_pairs<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    done.lock().expect("no worker panics while it holds the lock").insert(index, result);
                }
            });
        }
    });
    done.into_inner().expect("no worker panics while it holds the lock").into_values().collect()
}
