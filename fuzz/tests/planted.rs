//! Bugs that are planted in a C kernel are found, and the same kernel without one passes: without the engine, on bytes from a
//! fixed seed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use ropecheck::backend::Backend;
use ropecheck::numeric::Rng;
use ropecheck_fuzz::host::judge;
use ropecheck_fuzz::library::open;

/// Builds fuzz/kernels/planted.c with a bug, and starts it.
fn planted(folder: &Path, bug: u32) -> Box<dyn Backend> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let library = folder.join(format!("libplanted{bug}.so"));
    let built = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()))
        .current_dir(&root)
        .args(["-std=c11", "-O2", "-shared", "-fPIC", "-Iinclude", "-Ikernels/c"])
        .arg(format!("-DBUG={bug}"))
        .arg("-o")
        .arg(&library)
        .args(["fuzz/kernels/planted.c", "-lm"])
        .status();
    assert!(built.is_ok_and(|status| status.success()), "a C compiler is needed");
    // `replay` becomes a worker when it is asked to.
    open(&library, PathBuf::from(env!("CARGO_BIN_EXE_replay"))).unwrap_or_else(|error| panic!("{error}"))
}

/// Inputs until the first finding, and what was said; `None` if there is none among `most`.
fn found(backend: &mut dyn Backend, most: u32) -> Option<(u32, String)> {
    let manifest = backend.manifest().clone();
    let mut rng = Rng::new(7);
    for turn in 1..=most {
        let data: Vec<u8> = (0..24).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| judge(&data, &manifest, backend))) {
            return Some((turn, panic.downcast_ref::<String>().cloned().unwrap_or_default()));
        }
    }
    None
}

#[test]
fn planted_bugs_are_found_and_the_honest_kernel_passes() {
    const MOST: u32 = 3000;
    let folder = tempfile::tempdir().expect("a folder");
    std::panic::set_hook(Box::new(|_| {}));
    let honest = found(&mut *planted(folder.path(), 0), MOST);
    let wrong = found(&mut *planted(folder.path(), 1), MOST);
    let crash = found(&mut *planted(folder.path(), 2), MOST);
    let _ = std::panic::take_hook();
    assert_eq!(honest, None);
    let (turn, text) = wrong.expect("BUG 1 is found");
    assert!(
        text.contains("nonconformant") && (text.contains("direction=-1") || text.contains("turned back")),
        "input {turn}: {text}"
    );
    let (turn, text) = crash.expect("BUG 2 is found");
    assert!(text.contains("SIGSEGV"), "input {turn}: {text}");
}
