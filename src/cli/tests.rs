//! Every command that a page shows is one that the program takes.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};

use super::Arguments;
use super::help::{GROUPS, OF_CHECK};

fn pages(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(below).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|e| e == "md") || path.ends_with("next.txt") {
            found.push(path);
        }
    }
}

/// Commands of one page: lines of blocks of commands, and what stands between two backquotes.
fn commands(text: &str) -> Vec<String> {
    let begins = |line: &str| line.starts_with("ropecheck ") || line.starts_with("cargo run -- ");
    let mut found = Vec::new();
    let mut block = None;
    for line in text.lines() {
        if let Some(info) = line.strip_prefix("```") {
            block = if block.is_none() { Some(info.split(' ').next().unwrap_or_default()) } else { None };
        } else if block.is_some_and(|language| ["sh", "console"].contains(&language)) {
            if let Some(begun) = found.last_mut().filter(|command: &&mut String| command.ends_with('\\')) {
                begun.pop();
                begun.push_str(line);
                continue;
            }
            let line = if block == Some("sh") { Some(line) } else { line.strip_prefix("$ ") };
            found.extend(line.filter(|line| begins(line)).map(str::to_owned));
        } else if block.is_none() {
            found.extend(line.split('`').skip(1).step_by(2).filter(|span| begins(span)).map(str::to_owned));
        }
    }
    found
}

/// The arguments of a command as a shell would hand them over, up to a comment, a pipe or another command.
fn arguments(command: &str) -> Option<Vec<String>> {
    let words = shlex::split(command)?;
    let ends = ["|", "&&", ";", ">", ">>", "||"];
    let from = words.iter().position(|word| word == "ropecheck" || word == "--")?;
    let words = words.into_iter().skip(from + 1).take_while(|word| !ends.contains(&&**word));
    // Pages write N where a number goes, and what there is to choose from as a|b.
    let shown = |word: String| if word == "N" { "3".to_owned() } else { word };
    let words = words.map(shown).map(|word| word.split('|').next().unwrap_or_default().to_owned());
    Some(std::iter::once("ropecheck".to_owned()).chain(words).collect())
}

/// Help shows every command, and its end every exit code.
#[test]
fn help_leaves_nothing_out() {
    let command = Arguments::command();
    let mut shown: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let mut all: Vec<&str> =
        command.get_subcommands().filter(|one| !one.is_hide_set()).map(|one| one.get_name()).collect();
    shown.sort_unstable();
    all.sort_unstable();
    assert_eq!(shown, all);
    let codes = OF_CHECK.split_once("Exit codes:\n").expect("exit codes").1;
    let codes: Vec<&str> = codes.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(codes, ["0", "1", "2", "3", "4", "5", "6", "70", "71", "130"]);
    assert!(OF_CHECK.lines().all(|line| line.len() <= 80), "it fits a terminal");
}

#[test]
fn commands_of_pages_are_taken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![root.join("README.md")];
    for folder in ["docs", "kernels", "templates", "ports"] {
        pages(&root.join(folder), &mut all);
    }
    let mut tried = 0;
    for page in all {
        let text = std::fs::read_to_string(&page).expect("a page");
        for command in commands(&text) {
            let arguments = arguments(&command).unwrap_or_else(|| panic!("{}: {command}", page.display()));
            if let Err(error) = Arguments::try_parse_from(&arguments) {
                // Help is no error, and prose names a command without its arguments, or with names for them.
                let capitals = |word: &String| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
                let name = |word: &String| capitals(word) || word.contains('$');
                let placeholder = [ErrorKind::InvalidValue, ErrorKind::ValueValidation].contains(&error.kind())
                    && arguments.iter().any(name);
                let whole = error.use_stderr() && error.kind() != ErrorKind::MissingRequiredArgument && !placeholder;
                assert!(!whole, "{}: {command}\n{error}", page.display());
            }
            tried += 1;
        }
    }
    assert!(tried > 50, "only {tried} commands were found");
}
