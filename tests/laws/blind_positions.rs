//! The tables in docs/numerics.md are what the example prints.

use crate::example;

#[test]
fn the_document_has_the_tables_that_the_example_prints() {
    let document = include_str!("../../docs/numerics.md");
    let tables = example::tables().expect("the contracts load");
    assert!(tables.lines().count() > 100);
    for table in tables.split("\n\nhead_dim") {
        let table = table.trim();
        assert!(
            document.contains(table),
            "run `cargo run --example blind_positions`; this is not in the document:\n{table}"
        );
    }
}

#[test]
fn f64_angles_are_seen_at_every_position() {
    let contracts = ropecheck::contract::contracts().expect("the contracts load");
    for way in &contracts.frequencies {
        let mut contract = contracts.contract("fused", &way.name).expect("is there");
        contract.class.angles = ropecheck::contract::Precision::F64;
        for (base, _) in example::BASES {
            for (dim, i) in [64, 96, 128].into_iter().flat_map(|dim| (0..dim / 2).map(move |i| (dim, i))) {
                let blind = contract.blind_from(&example::frequency(base, i, dim)).expect("has a base");
                assert!(blind > example::LAST, "{} base {base} pair {i} of {dim}: {blind:e}", way.name);
            }
        }
    }
}
