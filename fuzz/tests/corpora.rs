//! Every committed input passes its target, and corpora stay small.

use std::fs;
use std::path::Path;

use ropecheck_fuzz::TARGETS;

#[test]
fn committed_inputs_pass() {
    let mut total = 0;
    for (name, run, _) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
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
