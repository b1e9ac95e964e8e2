//! Runs a target on files and folders, without the engine: `replay TARGET PATH...`. For corpora in tests, and for coverage.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn files(path: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| files(entry, found))
}

fn main() -> ExitCode {
    ropecheck_fuzz::library::work_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let target = arguments.first().and_then(|name| ropecheck_fuzz::TARGETS.iter().find(|t| t.0 == name.as_str()));
    let Some((name, run, rooms)) = target else {
        // The sources that each target aims at, for scripts/fuzz_lane.sh.
        for (name, _, rooms) in ropecheck_fuzz::TARGETS {
            println!("{name} {}", rooms.join(" "));
        }
        return ExitCode::from(u8::from(!arguments.is_empty()) * 2);
    };
    ropecheck_fuzz::start(name);
    let mut found = Vec::new();
    for path in &arguments[1..] {
        if let Err(error) = files(Path::new(path), &mut found) {
            eprintln!("{path}: {error}");
            return ExitCode::from(2);
        }
    }
    for path in &found {
        match std::fs::read(path) {
            Ok(data) => run(&data),
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                return ExitCode::from(2);
            }
        }
    }
    println!("{name}: {} inputs, aimed at {}", found.len(), rooms.join(" "));
    ExitCode::SUCCESS
}
