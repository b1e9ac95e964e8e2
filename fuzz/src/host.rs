//! The embedded kernel against the reference, on any case inside its manifest.

use std::cell::RefCell;

use arbitrary::Unstructured;

use ropecheck::backend::host::Host;
use ropecheck::backend::{Backend, Manifest};
use ropecheck::case::Case;
use ropecheck::check::Stop;
use ropecheck::report::words;
use ropecheck::run::{Context, replay};

use super::made;
use super::world::{LIBRARY, with_context};

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::new());
}

/// Judges the case that the bytes make.
pub fn run(data: &[u8]) {
    HOST.with_borrow_mut(|host| {
        let manifest = host.manifest().clone();
        judge(data, &manifest, host);
    });
}

/// Makes a case inside `manifest`, and panics unless `backend` passes it; the message is the line that
/// replays it. `None` where the bytes make no case.
pub fn judge(data: &[u8], manifest: &Manifest, backend: &mut dyn Backend) -> Option<Case> {
    with_context(|context| judge_with(context, data, manifest, backend))
}

fn judge_with(context: &Context, data: &[u8], manifest: &Manifest, backend: &mut dyn Backend) -> Option<Case> {
    let case = made::case(&mut Unstructured::new(data), manifest, &LIBRARY, &context.plans).ok().flatten()?;
    let line = case.to_string();
    assert_eq!(line.parse::<Case>().as_ref(), Ok(&case), "the line of a case is not the case: {line}");
    match replay(&case, backend, context) {
        Ok(Ok(measure)) => assert!(measure.worst <= 1.0, "passed beyond the bound: {line}"),
        Ok(Err(Stop::NotJudged(_))) => {}
        Ok(Err(Stop::NotRun(error))) => panic!("not run: {error}\n  {line}"),
        Ok(Err(Stop::Owed(owed))) => panic!("nonconformant: {:?}\n  ropecheck replay '{line}'", owed.failure),
        Ok(Err(Stop::Failed(failure))) => {
            panic!(
                "nonconformant: {}
  ropecheck replay '{line}'",
                words::message(&failure).join(
                    "
  "
                )
            )
        }
        Ok(Err(Stop::Broken(why))) => panic!("the case is inside the manifest and broken: {why}\n  {line}"),
        Err(why) => panic!("the case cannot be run: {why}\n  {line}"),
    }
    Some(case)
}
