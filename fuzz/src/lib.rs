//! What the fuzz targets do, apart from the engine, so that `replay` and the tests can do it too. One module
//! per target; each has `run`, which panics if what the target guards does not hold. docs/fuzzing.md says
//! what that is.

pub mod formula;
pub mod frames;
pub mod host;
pub mod index;
pub mod layout;
pub mod library;
pub mod made;
pub mod manifest;
pub mod snapshot;
pub mod spec;
pub mod tensors;
pub mod token;
pub mod world;

/// A target: its name, what it does, and the sources it aims at (parts of paths; coverage is counted there).
type Target = (&'static str, fn(&[u8]), &'static [&'static str]);

/// Every target.
pub const TARGETS: [Target; 11] = [
    ("spec", spec::run, &["src/spec/", "src/positions/segment.rs", "src/positions/evaluate.rs"]),
    ("formula", formula::run, &["src/spec/expr/", "src/numeric/number", "src/numeric/ratio.rs", "src/numeric/real.rs"]),
    ("layout", layout::run, &["src/positions/layout"]),
    ("token", token::run, &["src/case/token.rs", "src/case/position_source.rs", "src/numeric/number_text.rs"]),
    ("manifest", manifest::run, &["src/backend/manifest", "src/contract/declaration.rs", "src/check/generator.rs"]),
    ("tensors", tensors::run, &["src/case/tensor_file.rs"]),
    (
        "frames",
        frames::run,
        &["src/backend/program/protocol.rs", "src/backend/program/wire.rs", "src/backend/program/answer.rs"],
    ),
    (
        "host",
        host::run,
        &["src/case/", "src/backend/host/", "src/contract/bound.rs", "src/contract/pair_bound.rs", "src/check/judge"],
    ),
    ("snapshot", snapshot::run, &["src/run/snapshot/file.rs"]),
    ("index", index::run, &["src/run/vectors/"]),
    ("library", library::run, &["src/backend/library/"]),
];

/// What a target does before its first input.
pub fn start(target: &str) {
    // The worker that holds a library is this very program, started again.
    library::work_if_asked();
    if target == "library" {
        library::backend_or_exit();
    }
}
