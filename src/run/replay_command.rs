//! Commands that a person can run again, as a shell takes them.

use std::path::{Path, PathBuf};

/// How the backend of a run was named, and the options without which a case of it is not the same case.
#[derive(Debug, Clone, Default)]
pub struct ReplayCommand {
    backend: Option<String>,
    specs: Vec<String>,
    /// `--contract` options.
    contracts: Vec<String>,
    /// Other options, each a name and a value.
    options: Vec<(String, String)>,
    /// The command that takes a case in an environment variable, of a backend that has no name.
    test: Option<String>,
}

impl ReplayCommand {
    /// A run on `backend` (none: the embedded kernel) with these files of schemes and contracts.
    #[must_use]
    pub fn new(backend: Option<&Path>, specs: &[PathBuf], contracts: &[String]) -> Self {
        ReplayCommand {
            backend: backend.map(|path| path.display().to_string()),
            specs: specs.iter().map(|path| path.display().to_string()).collect(),
            contracts: contracts.to_vec(),
            options: Vec::new(),
            test: None,
        }
    }

    /// `test` runs the case that it finds in the environment variable [`ReplayCommand::CASE`].
    #[must_use]
    pub fn of_test(test: String) -> Self {
        ReplayCommand { test: Some(test), ..ReplayCommand::default() }
    }

    /// The environment variable in which tests find the case that they are to run again.
    pub const CASE: &str = "ROPECHECK_CASE";

    /// The same with an option such as `--timeout 60`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.options.push((name.to_owned(), value.to_string()));
        self
    }

    /// The command that runs `case` again.
    #[must_use]
    pub fn replay(&self, case: &str) -> String {
        if let Some(test) = &self.test {
            return format!("{}='{case}' {test}", Self::CASE);
        }
        let contracts = self.contracts.iter().flat_map(|text| ["--contract", text]);
        // A case is quoted even where a shell would not ask for it: it is easier to see where it ends.
        format!("ropecheck replay '{case}'{}", words(self.rest().into_iter().chain(contracts)))
    }

    /// `ropecheck snapshot ACTION FILE` with this backend.
    #[must_use]
    pub fn snapshot(&self, action: &str, file: &str) -> String {
        format!("ropecheck snapshot {action}{}", words([file].into_iter().chain(self.rest())))
    }

    fn rest(&self) -> Vec<&str> {
        let specs = self.specs.iter().flat_map(|path| ["--spec", path]);
        let options = self.options.iter().flat_map(|(name, value)| [name.as_str(), value]);
        self.backend.as_deref().into_iter().chain(specs).chain(options).collect()
    }
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    // A word with a NUL cannot be an argument of a program at all.
    words.into_iter().map(|word| format!(" {}", shlex::try_quote(word).unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_the_command_as_it_was_meant() {
        let backend = Path::new("./my kernels/lib'x'.so");
        let specs = [PathBuf::from("a b.yaml")];
        let command =
            ReplayCommand::new(Some(backend), &specs, &["bf16=cached/pow,trig_ulps=1".into()]).with("--timeout", 60);
        let expected = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            shlex::split(&command.replay("s@p/fused a=1")),
            Some(expected(&[
                "ropecheck",
                "replay",
                "s@p/fused a=1",
                "./my kernels/lib'x'.so",
                "--spec",
                "a b.yaml",
                "--timeout",
                "60",
                "--contract",
                "bf16=cached/pow,trig_ulps=1",
            ]))
        );
        assert_eq!(ReplayCommand::default().replay("x"), "ropecheck replay 'x'");
        assert_eq!(ReplayCommand::default().snapshot("diff", "a.snap"), "ropecheck snapshot diff a.snap");
    }
}
