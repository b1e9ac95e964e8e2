//! Every committed input of the fuzz targets passes, corpora stay small, and bugs that are planted in a C kernel are found while the
//! same kernel without one passes: without the engine, on bytes from a fixed seed.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::targets::TARGETS;
use crate::targets::host::judge;
use crate::targets::library::open;
use ropecheck::backend::Backend;
use ropecheck::numeric::Rng;

#[test]
fn committed_inputs_pass() {
    let mut total = 0;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, run, aims) in TARGETS {
        for aim in aims {
            let there = |end: &&str| root.join(format!("{aim}{end}")).exists();
            assert!(["", ".rs", "_text.rs"].iter().any(there), "{name}: there is no {aim}");
        }
        let folder = root.join("fuzz/corpus").join(name);
        let mut inputs = 0;
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("an entry").path();
            let data = fs::read(&path).expect("a file");
            println!("{}", path.display());
            run(&data);
            (inputs, total) = (inputs + 1, total + data.len());
        }
        assert!(inputs > 0, "{name} has no corpus");
    }
    assert!(total < 300_000, "{total} bytes");
}

/// Builds fuzz/kernels/planted.c with a bug, and starts it.
fn planted(folder: &Path, bug: u32) -> Box<dyn Backend> {
    let library = folder.join(format!("libplanted{bug}.so"));
    let built = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["-std=c11", "-O2", "-shared", "-fPIC", "-Iinclude", "-Ikernels/c"])
        .arg(format!("-DBUG={bug}"))
        .arg("-o")
        .arg(&library)
        .args(["fuzz/kernels/planted.c", "-lm"])
        .status();
    assert!(built.is_ok_and(|status| status.success()), "a C compiler is needed");
    open(&library, PathBuf::from(env!("CARGO_BIN_EXE_ropecheck"))).unwrap_or_else(|error| panic!("{error}"))
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
