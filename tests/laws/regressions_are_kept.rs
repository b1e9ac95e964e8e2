//! A law that fails once is tried on that very input in every later run.

use std::cell::RefCell;
use std::fs;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use crate::common::laws;

#[test]
fn a_failing_input_is_written_and_tried_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("some_laws.txt");
    let path: &'static str = Box::leak(file.display().to_string().into_boxed_str());
    // What `proptest!` sets by itself, and a source that a file may belong to.
    let config = || Config { source_file: Some(file!()), test_name: Some("a_law"), ..laws(200, path) };
    let wrong = |v: u64| if v >= 1_000_000 { Err(TestCaseError::fail("too large")) } else { Ok(()) };
    let first = TestRunner::new(config()).run(&any::<u64>(), wrong);
    let Err(TestError::Fail(_, 1_000_000)) = first else { panic!("not shrunk to the smallest: {first:?}") };
    let kept = fs::read_to_string(&file).expect("the file is written");
    assert!(kept.contains("cc ") && kept.contains("shrinks to"), "{kept}");
    // Mended or not: the first input of the next run is one that failed.
    let seen = RefCell::new(Vec::new());
    let second = TestRunner::new(config()).run(&any::<u64>(), |v| {
        seen.borrow_mut().push(v);
        Ok(())
    });
    assert!(second.is_ok());
    assert!(seen.borrow()[0] >= 1_000_000, "{:?}", &seen.borrow()[..2]);
    assert_eq!(seen.borrow().len(), 201, "one more than usual");
}
