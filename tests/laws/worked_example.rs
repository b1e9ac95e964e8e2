//! The worked examples of the documentation are what they say: files that load.

use std::fs;
use std::path::Path;

use ropecheck::spec::Library;

/// The worked example of `docs/spec.md` is what it says: a file that loads.
#[test]
fn the_worked_example_of_the_documentation_loads() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/spec.md");
    let text = fs::read_to_string(document).expect("docs/spec.md");
    let mut library = Library::embedded().expect("built-in specs");
    let mut loaded = 0;
    for block in text.split("```yaml\n").skip(1) {
        let block = block.split("```").next().expect("block");
        if block.starts_with("scheme:") {
            library.add_text("docs/spec.md", block).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
            loaded += 1;
        }
    }
    assert!(loaded >= 2, "{loaded} examples");
}
