//! From which position on an angle may be wrong by a whole radian, so that only a pair's length is judged: the tables of
//! docs/numerics.md. `cargo run --example blind_positions`

use std::fmt::Write as _;

use ropecheck::contract::contracts;
use ropecheck::contract::{Contract, Frequency};

/// The largest position that any case has.
pub const LAST: f64 = 2_147_483_647.0;
/// Pairs of a head.
pub const PAIRS: [u32; 9] = [0, 1, 2, 4, 8, 16, 24, 32, 48];
/// Bases, and how they are written.
pub const BASES: [(f64, &str); 5] =
    [(1e4, "10,000"), (5e5, "500,000"), (1e6, "1,000,000"), (5e6, "5,000,000"), (1e7, "10,000,000")];

/// Such as `9.6e6`; `-` where every position is seen.
fn shown(position: f64) -> String {
    if position > LAST { "-".to_owned() } else { format!("{position:.1e}") }
}

/// The frequency of a pair.
pub fn frequency(base: f64, i: u32, dim: u32) -> Frequency {
    Frequency::power(base.powf(-2.0 * f64::from(i) / f64::from(dim)), base, i, dim)
}

fn row(out: &mut String, name: &str, contract: &Contract, base: f64, dim: u32, pairs: &[u32]) {
    let _ = write!(out, "| {name} |");
    for &i in pairs {
        let blind = contract.blind_from(&frequency(base, i, dim));
        let _ = write!(out, " {} |", blind.map_or("?".to_owned(), shown));
    }
    let _ = writeln!(out);
}

/// The tables, as Markdown.
///
/// # Errors
/// If the built-in contracts are not what they should be.
pub fn tables() -> Result<String, String> {
    let contracts = contracts().map_err(|errors| errors.to_string())?;
    let mut out = String::new();
    for dim in [128, 64] {
        let pairs: Vec<u32> = PAIRS.into_iter().filter(|i| *i < dim / 2).collect();
        for (base, name) in BASES {
            let _ = writeln!(out, "head_dim {dim}, base {name}, pair:\n");
            let heads: Vec<String> = pairs.iter().map(u32::to_string).collect();
            let _ = writeln!(out, "| way | {} |", heads.join(" | "));
            let _ = writeln!(out, "|---|{}", "---|".repeat(pairs.len()));
            for way in &contracts.frequencies {
                let contract = contracts.contract("fused", &way.name).ok_or("no class fused")?;
                row(&mut out, &format!("`{}`", way.name), &contract, base, dim, &pairs);
            }
            out.push('\n');
        }
    }
    Ok(out)
}

fn main() -> Result<(), String> {
    print!("{}", tables()?);
    Ok(())
}
