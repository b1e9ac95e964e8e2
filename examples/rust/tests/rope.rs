//! `cargo test`: one test for each check of ropecheck.

use std::process::ExitCode;

use rope_example::rotate_head;
use ropecheck::backend::function::ndarray::Array4;
use ropecheck::backend::function::{Function, Rotate, Rotated};
use ropecheck::cli::cargo_test::CargoTest;

const MANIFEST: &str = r#"{
    "name": "rope-example", "version": "1", "dtypes": ["f32"], "head_dims": [16, 64, 128], "q_heads": [8], "k_heads": [2, 8],
    "levels": {"rotate": {
        "consumes": ["positions", "axis_of_pair", "inv_freq"],
        "schemes": ["m-rope"],
        "contracts": {"f32": {"class": "fused", "frequencies": "table"}}
    }}
}"#;

fn rotate(call: &Rotate<f32>) -> Result<Rotated<f32>, String> {
    let plan = &call.plan;
    let axes: Vec<usize> = plan.axis_of_pair.iter().map(|&axis| axis.into()).collect();
    let inv_freq: Vec<f32> = plan.inv_freq.iter().map(|&f| f as f32).collect();
    let turn = |x: &Array4<f32>| {
        let (mut x, [_, tokens, heads, head_dim]) = (x.clone(), x.dim().into());
        for (row, head) in x.as_slice_mut().ok_or("not contiguous")?.chunks_mut(head_dim).enumerate() {
            let (b, t) = (row / heads / tokens, row / heads % tokens);
            let position = [0, 1, 2].map(|axis| call.positions[[axis, b, t]] as f32);
            rotate_head(head, position, &axes, &inv_freq);
        }
        Ok::<_, String>(x)
    };
    Ok((turn(&call.q)?, call.k.as_ref().map(turn).transpose()?))
}

fn main() -> ExitCode {
    CargoTest::new().judge(Function::new(MANIFEST).rotate(rotate))
}
