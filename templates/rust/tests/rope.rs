//! A rotary position embedding, for `cargo test`. It passes as it is: call your own kernel in `rotate`.

use std::process::ExitCode;

use ropecheck::backend::function::ndarray::Array4;
use ropecheck::backend::function::{Function, Rotate, Rotated};
use ropecheck::cli::cargo_test::CargoTest;

/// What the function takes. ropecheck asks for nothing else, and shows every mistake in it.
const MANIFEST: &str = r#"{
    "name": "my-rope", "version": "1", "dtypes": ["f32"], "head_dims": [64, 128], "q_heads": [8], "k_heads": [2, 8],
    "levels": {"rotate": {
        "consumes": ["positions", "axis_of_pair", "inv_freq"],
        "schemes": ["m-rope"],
        "contracts": {"f32": {"class": "fused", "frequencies": "table"}}
    }}
}"#;

/// q, k: [batch, tokens, heads, head_dim]; positions: [axes, batch, tokens]; axis_of_pair, inv_freq: [1, pairs].
fn rotate(call: &Rotate<f32>) -> Result<Rotated<f32>, String> {
    let (axes, inv_freq) = (call.plan.axis_of_pair.row(0), call.plan.inv_freq.row(0));
    let turn = |x: &Array4<f32>| {
        let mut out = x.clone();
        for ((b, t, h), pair) in heads_of(x).flat_map(|row| (0..inv_freq.len()).map(move |pair| (row, pair))) {
            let position = call.positions[[axes[pair].into(), b, t]] as f32;
            let (sin, cos) = (position * inv_freq[pair] as f32).sin_cos();
            let (first, second) = ([b, t, h, pair], [b, t, h, pair + inv_freq.len()]);
            out[first] = x[first] * cos - x[second] * sin;
            out[second] = x[second] * cos + x[first] * sin;
        }
        out
    };
    Ok((turn(&call.q), call.k.as_ref().map(turn)))
}

/// Row, token and head of every head of a tensor.
fn heads_of(x: &Array4<f32>) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
    let (batch, tokens, heads, _) = x.dim();
    (0..batch * tokens * heads).map(move |i| (i / heads / tokens, i / heads % tokens, i % heads))
}

fn main() -> ExitCode {
    CargoTest::new().judge(Function::new(MANIFEST).rotate(rotate))
}
