//! How the laws are tried: so many random inputs each, and what once failed first.

use proptest::test_runner::{Config, FileFailurePersistence};

/// `cases` inputs per law. A failing one is written to `file`, below tests/regressions (commit it), and is tried first from then
/// on. proptest's own choice of a file looks for a lib.rs above the test, and finds none above tests/.
pub fn laws(cases: u32, file: &'static str) -> Config {
    Config { cases, failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))), ..Config::default() }
}
