//! Bases and rotary widths, with the frequencies that they give.

use ropecheck::contract::{Contract, Frequency};
use ropecheck::numeric::Number;

/// One base and width.
#[derive(Debug, Clone)]
pub struct World {
    /// b
    pub base: f64,
    /// d
    pub rotary_dim: u32,
    /// b^(-2i/d), each the nearest f64: the truth.
    pub inv_freq: Vec<f64>,
    /// The same, as a contract sees them.
    pub frequencies: Vec<Frequency>,
}

/// Every base with every width, bases outermost. What is no power in our numbers is left out.
#[must_use]
pub fn worlds(bases: &[f64], widths: &[u32]) -> Vec<World> {
    let one = |base: f64, d: u32| -> Option<World> {
        let number = Number::from_f64(base).ok()?;
        let power = |i: u32| {
            let exponent = Number::ratio(-2 * i128::from(i), i128::from(d)).ok()?;
            Some(number.pow(&exponent).ok()?.to_f64())
        };
        let inv_freq: Vec<f64> = (0..d / 2).map(power).collect::<Option<_>>()?;
        let frequencies = (0..).zip(&inv_freq).map(|(i, f)| Frequency::power(*f, base, i, d)).collect();
        Some(World { base, rotary_dim: d, inv_freq, frequencies })
    };
    bases.iter().flat_map(|b| widths.iter().filter_map(move |d| one(*b, *d))).collect()
}

impl World {
    /// Errors of the frequencies under a contract, in units of 2^-24; infinite where it says nothing of one.
    #[must_use]
    pub fn steps(&self, contract: &Contract) -> Vec<f64> {
        self.frequencies.iter().map(|f| contract.steps(f).unwrap_or(f64::INFINITY)).collect()
    }
}
