//! Faults in C: the example kernel, edited and compiled.

use std::path::{Path, PathBuf};
use std::process::Command;

use include_dir::{Dir, include_dir};

use super::SourceEdits;

/// The example kernel and the header, as they were when the program was built.
static KERNELS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/kernels/c");
static INCLUDE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/include");
/// Where these folders are in the repository.
const KERNEL_FOLDER: &str = "kernels/c/";

/// Writes the edited source into `folder` and compiles it there, with `cc` or what the variable `CC` names.
///
/// # Errors
/// If there is no such source, an edit does not fit it exactly once, or it does not compile.
pub fn build(edits: &SourceEdits, folder: &Path) -> Result<PathBuf, String> {
    let path = edits.file.strip_prefix(KERNEL_FOLDER).unwrap_or(&edits.file);
    let source = KERNELS.get_file(path).and_then(|file| file.contents_utf8());
    let mut source = source.ok_or_else(|| format!("there is no source {}", edits.file))?.to_owned();
    for (old, new) in &edits.edits {
        let count = source.matches(old.as_str()).count();
        if count != 1 {
            return Err(format!("{:?} occurs {count} times in {}, expected once", old, edits.file));
        }
        source = source.replacen(old.as_str(), new, 1);
    }
    let written = |e: std::io::Error| format!("{} cannot be written: {e}", folder.display());
    for header in KERNELS.files().chain(INCLUDE.files()) {
        if header.path().extension().is_some_and(|e| e == "h")
            && let Some(name) = header.path().file_name()
        {
            std::fs::write(folder.join(name), header.contents()).map_err(written)?;
        }
    }
    let (input, output) = (folder.join("fault.c"), folder.join("libfault.so"));
    std::fs::write(&input, source).map_err(written)?;
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let done = Command::new(&compiler)
        .args(["-std=c11", "-O2", "-shared", "-fPIC", "-w"])
        .args(&edits.flags)
        .arg("-I")
        .arg(folder)
        .arg("-o")
        .args([&output, &input])
        .arg("-lm")
        .output()
        .map_err(|e| format!("no C compiler: {}: {e}", compiler.to_string_lossy()))?;
    if done.status.success() {
        Ok(output)
    } else {
        let said = String::from_utf8_lossy(&done.stderr);
        Err(format!("the edited source does not compile: {}", said.lines().next().unwrap_or_default()))
    }
}
