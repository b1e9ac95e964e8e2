//! Positions and inputs that are hard to get right.

use ropecheck::numeric::{DType, Rng};

/// A position of one of four bands, or one that is no f32, or one that brings an angle near a multiple of pi/2.
pub fn position(rng: &mut Rng, inv_freq: &[f64]) -> f64 {
    const BANDS: [u64; 4] = [256, 2048, 32_768, 131_072];
    let band = BANDS[rng.below(4) as usize];
    match rng.below(12) {
        0 => 0.0,
        1 => -(rng.below(band) as f64),
        2 => rng.below(3 * band) as f64 / 3.0,
        3 => (1u64 << 24) as f64 + rng.between(-3, 3) as f64,
        4 => rng.below(band) as f64 / 1024.0,
        5 | 6 => {
            let f = inv_freq[rng.below(inv_freq.len() as u64) as usize];
            let turns = rng.below((band as f64 * f / 1.6) as u64 + 1) + 1;
            (turns as f64 * std::f64::consts::FRAC_PI_2 / f).round().min(band as f64)
        }
        _ => rng.below(band) as f64,
    }
}

/// A pair of inputs of a storage type for a pair with exact factors (cos, sin).
pub fn inputs(rng: &mut Rng, storage: DType, cos: f64, sin: f64) -> (f64, f64) {
    let mut any = |low: i64, high: i64| {
        let v = (1.0 + rng.unit()) * 2f64.powi(rng.between(low, high) as i32);
        storage.round(if rng.one_in(2) { v } else { -v })
    };
    let a = any(-3, 3);
    let b = any(-3, 3);
    let least = i64::from(storage.min_exponent());
    let most = i64::from(storage.max_exponent());
    let (small, tiny, huge) = (any(-12, -4), any(least - 9, least + 3), any(most - 6, most - 4));
    let (a, b) = match rng.below(12) {
        // The first output cancels, or the second.
        0 => (a, storage.round(a * cos / sin)),
        1 => (storage.round(-b * cos / sin), b),
        2 => (a, small),
        3 => (tiny, b),
        4 => (tiny, storage.round(tiny * cos / sin)),
        5 => (a, 0.0),
        6 => (0.0, b),
        // Just above a power of two, where an ulp is largest for its number.
        7 => (storage.round(1.001 / cos), storage.round(0.0005 / sin)),
        8 => (huge, b),
        9 => (a, huge),
        _ => (a, b),
    };
    // A cotangent may leave the range.
    let kept = |v: f64| if v.abs() <= storage.max_finite() / 16.0 { v } else { 1.0 };
    (kept(a), kept(b))
}
