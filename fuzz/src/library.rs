//! Any library backend: ROPECHECK_BACKEND=./libmine.so. A nonconformance, a crash or a hang of the library is
//! a finding.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ropecheck::backend::library::{Work, run_worker};
use ropecheck::backend::program::{NEVER, ProgramFactory, ProgramOptions, WORKER_COMMAND};
use ropecheck::backend::{Backend, BackendFactory, StartError};

use super::host::judge;
use super::world::NAMES;

thread_local! {
    static BACKEND: RefCell<Option<Box<dyn Backend>>> = const { RefCell::new(None) };
}

/// Becomes the worker that holds a library, if this program was started as one, as `ropecheck worker` does.
pub fn work_if_asked() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, command, option, library] = &arguments[..] else { return };
    if command != WORKER_COMMAND || option != "--library" {
        return;
    }
    let ended = run_worker(&Work::Library(library.into()), None);
    std::process::exit(if ended.is_ok() { 0 } else { 70 });
}

/// Starts a library in a worker, which is `worker` (a program that calls [`work_if_asked`], or `ropecheck`).
///
/// # Errors
/// If it cannot be started.
pub fn open(library: &Path, worker: PathBuf) -> Result<Box<dyn Backend>, StartError> {
    let [start_timeout, timeout] = [60, 10].map(Duration::from_secs);
    let options = ProgramOptions { worker, start_timeout, timeout, memory: None, interrupted: &NEVER };
    ProgramFactory::library(library, options, *NAMES).start()
}

/// Opens the library that ROPECHECK_BACKEND names, or librope.so next to this program; or says why not and
/// ends the program.
pub fn backend_or_exit() {
    let wrong = |why: &str| -> ! {
        eprintln!("{why}");
        std::process::exit(2)
    };
    let Ok(program) = std::env::current_exe() else { wrong("this program does not know where it is") };
    let beside = program.with_file_name("librope.so");
    let path = match std::env::var_os("ROPECHECK_BACKEND") {
        Some(path) => PathBuf::from(path),
        None if beside.is_file() => beside,
        None => wrong("ROPECHECK_BACKEND is not set: it names the library to be fuzzed, such as ./librope.so"),
    };
    match open(&path, program) {
        Ok(backend) => BACKEND.with_borrow_mut(|slot| *slot = Some(backend)),
        Err(error) => wrong(&error.to_string()),
    }
}

/// Judges the case that the bytes make, inside the library's own manifest.
pub fn run(data: &[u8]) {
    BACKEND.with_borrow_mut(|slot| {
        let Some(backend) = slot.as_mut() else { return };
        let manifest = backend.manifest().clone();
        judge(data, &manifest, &mut **backend);
    });
}
