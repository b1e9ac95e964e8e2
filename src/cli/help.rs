//! Help: commands in groups, colours, completions of shells and pages of a manual.

use std::fs;
use std::path::PathBuf;

use anstyle::Style;
use clap::{Args, ColorChoice, Command, Subcommand};
use clap_complete::Shell;

use super::output::print;
use crate::run::{ExitCode, RunError};

/// Commands in the order of help, below a heading each.
pub(super) const GROUPS: [(&str, &[&str]); 4] = [
    ("Judge", &["check", "merge", "replay", "snapshot", "vectors", "bench"]),
    ("Look", &["list", "explain", "describe", "positions", "properties", "plot", "experiment"]),
    ("Make", &["init", "spec", "completions", "man"]),
    ("Prove", &["selftest"]),
];

/// Columns that help is kept to where it is made here.
const COLUMNS: usize = 80;

/// What `check --help` ends with.
pub(super) const OF_CHECK: &str = "\
Examples:
  ropecheck check ./librope.so                       all that it offers
  ropecheck check port.py --dtype bf16 --level rotate
  ropecheck check ./librope.so --depth quick --time 60s --max-fail 1
  ropecheck check ./librope.so --report html=run.html --report junit=run.xml
  ropecheck check --exec 'perl rope.pl' --quiet

Exit codes:
    0  conformant: what was judged holds, and something was proved of each
    1  nonconformant, or an expectation that is not met
    2  usage, or a mistake in ropecheck.yaml
    3  a spec is invalid, missing or not true of itself
    4  nothing was judged or proved, or a requirement was not met
    5  a control failed: the verdicts of this run cannot be believed
    6  the backend could not be started, or died in every case
   70  internal error, or a report that cannot be written
   71  part of the run could not be run, and nothing that ran failed
  130  interrupted";

/// When output has colours.
#[derive(Debug, Args)]
pub(super) struct ColorArgument {
    /// When output has colours; NO_COLOR and CLICOLOR_FORCE say what `auto` is
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto)]
    color: ColorChoice,
}

/// Puts in force what a command line says of colours. It is looked for before the line is read, so that what is said about a
/// line which cannot be read is coloured so, too.
pub(super) fn colours(arguments: &[String]) {
    let asked = arguments.iter().enumerate().find_map(|(at, argument)| match argument.strip_prefix("--color") {
        Some("") => arguments.get(at + 1).map(String::as_str),
        Some(value) => value.strip_prefix('='),
        None => None,
    });
    match asked {
        Some("always") => anstream::ColorChoice::Always.write_global(),
        Some("never") => anstream::ColorChoice::Never.write_global(),
        _ => {}
    }
}

/// The help of the program, with commands in groups.
pub(super) fn template<C: Subcommand>() -> String {
    let all = C::augment_subcommands(Command::new("ropecheck"));
    let head = Style::new().bold().underline();
    let width = all.get_subcommands().map(|one| one.get_name().len()).max().unwrap_or(0);
    let mut out = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (title, names) in GROUPS {
        out += &format!("\n{head}{title}:{head:#}\n");
        for command in names.iter().filter_map(|name| all.find_subcommand(name)) {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let mut line = format!("  {:width$} ", command.get_name());
            for word in about.split(' ') {
                if line.len() + 1 + word.len() > COLUMNS {
                    out += &(line + "\n");
                    line = " ".repeat(width + 3);
                }
                line += &format!(" {word}");
            }
            out += &(line + "\n");
        }
    }
    out + &format!("\n{head}Options:{head:#}\n{{options}}{{after-help}}")
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// A folder for a page of every command; without it, ropecheck's own page is printed
    folder: Option<PathBuf>,
}

/// Prints what a shell reads to complete a command line.
pub(super) fn completions(a: &CompletionsArguments, command: &Command) -> Result<ExitCode, RunError> {
    // clap_complete would offer hidden commands, too.
    let shown = command.get_subcommands().filter(|one| !one.is_hide_set()).cloned();
    let mut shown = Command::new("ropecheck").args(command.get_arguments().cloned()).subcommands(shown);
    let mut out = Vec::new();
    clap_complete::generate(a.shell, &mut shown, "ropecheck", &mut out);
    print(&String::from_utf8_lossy(&out))?;
    Ok(ExitCode::Conformant)
}

/// Prints the manual, or writes a page of every command.
pub(super) fn man(a: &ManArguments, command: Command) -> Result<ExitCode, RunError> {
    let internal = |e: std::io::Error| RunError::new(ExitCode::Internal, format!("the manual cannot be written: {e}"));
    match &a.folder {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(internal)?;
            clap_mangen::generate_to(command, folder).map_err(internal)?;
        }
        None => {
            let mut out = Vec::new();
            clap_mangen::Man::new(command).render(&mut out).map_err(internal)?;
            print(&String::from_utf8_lossy(&out))?;
        }
    }
    Ok(ExitCode::Conformant)
}
