//! Positions and inputs that are hard to get right.

use ropecheck::numeric::{DType, Dd, Rng};

/// Largest positions of the bands.
const BANDS: [u64; 8] = [1 << 8, 1 << 11, 1 << 15, 1 << 17, 1 << 20, 1 << 24, 1 << 28, 1 << 31];

/// A position: in any band, around 2^24, at the end of the range, negative, a fraction, or one that brings
/// the angle of some frequency near a multiple of pi/2.
#[must_use]
pub fn position(rng: &mut Rng, inv_freq: &[f64]) -> Dd {
    let band = BANDS[rng.below(8) as usize];
    let whole = |n: u64| Dd::from_f64(n as f64);
    let p = match rng.below(16) {
        0 => whole(rng.below(4)),
        1 => whole((1 << 24) - 4 + rng.below(8)),
        2 => whole((1 << 25) - 4 + rng.below(8)),
        3 => whole((1 << 31) - rng.below(64)),
        4 => Dd::from_ratio(rng.below(3 * band) as f64, 3.0),
        5 => Dd::from_ratio(rng.below(7 * band) as f64, 7.0),
        6 => Dd::from_f64(rng.below(band) as f64 / 1024.0),
        7..=10 => Dd::from_f64(near_quarter_turn(rng, inv_freq, band)),
        _ => whole(rng.below(band)),
    };
    if rng.one_in(6) { -p } else { p }
}

/// The integer below `band`, of a few, that brings some pair's angle nearest to a multiple of pi/2.
fn near_quarter_turn(rng: &mut Rng, inv_freq: &[f64], band: u64) -> f64 {
    let f = rng.choose(inv_freq).copied().unwrap_or(1.0).max(1e-30);
    let quarters = (band as f64 * f * std::f64::consts::FRAC_2_PI) as u64;
    let mut best = (f64::INFINITY, 0.0);
    for _ in 0..12 {
        let turns = (rng.below(quarters) + 1) as f64;
        let p = (turns * std::f64::consts::FRAC_PI_2 / f).round().min(band as f64);
        let off = (p * f - turns * std::f64::consts::FRAC_PI_2).abs();
        if off < best.0 {
            best = (off, p);
        }
    }
    best.1
}

/// Makes pairs of inputs of a storage type.
#[derive(Debug, Clone, Copy)]
pub struct Inputs {
    storage: DType,
    least: i64,
    most: i64,
    largest: f64,
}

impl Inputs {
    /// How many kinds [`Inputs::pair`] knows.
    pub const KINDS: u64 = 20;

    /// For a storage type.
    #[must_use]
    pub fn new(storage: DType) -> Self {
        let (least, most) = (i64::from(storage.min_exponent()), i64::from(storage.max_exponent()));
        Self { storage, least, most, largest: storage.max_finite() }
    }

    /// Any number with an exponent of low..=high.
    fn any(&self, rng: &mut Rng, low: i64, high: i64) -> f64 {
        let bits = rng.next_u64();
        let span = (high - low + 1) as u64;
        let exponent = low + (((bits & 0xffff) * span) >> 16) as i64;
        // Fraction from the high bits; one bit for the sign.
        let value = f64::from_bits(((exponent + 1023) as u64) << 52 | bits >> 12);
        self.storage.round(if bits & (1 << 16) == 0 { value } else { -value })
    }

    /// A pair of inputs of one of the kinds for a pair with exact factors (cos, sin).
    #[inline]
    pub fn pair(&self, rng: &mut Rng, kind: u64, cos: f64, sin: f64) -> (f64, f64) {
        let s = self.storage;
        let a = self.any(rng, -3, 3);
        let nudge = |rng: &mut Rng, v: f64| v * (1.0 + (rng.below(5) as f64 - 2.0) * s.half_ulp_parts().0);
        let (a, b) = match kind {
            // The first output cancels, or the second.
            0 => (a, nudge(rng, a * cos / sin)),
            1 => (nudge(rng, -a * cos / sin), a),
            2 => (a, self.any(rng, -12, -4)),
            3 => (self.any(rng, self.least - 9, self.least + 3), self.any(rng, self.least - 9, self.least + 3)),
            4 => {
                let tiny = self.any(rng, self.least - 9, self.least + 3);
                (tiny, tiny * cos / sin)
            }
            5 => (a, 0.0),
            6 => (0.0, a),
            // Outputs just above a power of two, where half an ulp is largest for its number.
            7 => (1.001 * a.signum() / cos, 0.0005 / sin),
            8 => (0.0005 / sin, 1.001 * a.signum() / cos),
            // Near the end of the range: such elements may overflow.
            9 => (self.any(rng, self.most - 1, self.most), self.any(rng, self.most - 3, self.most)),
            10 => (self.any(rng, self.most - 6, self.most - 3), self.any(rng, self.least - 3, 0)),
            11 => (self.any(rng, self.least - 3, 0), self.any(rng, self.most - 6, self.most - 3)),
            // The first output, or the second, near a tie of the storage type.
            12 => {
                let tie = self.tie(rng, a * cos);
                (a, (a * cos - tie) / sin)
            }
            13 => {
                let tie = self.tie(rng, a * cos);
                ((tie - a * cos) / sin, a)
            }
            14 => (a, self.any(rng, self.least - 9, 3)),
            _ => (a, self.any(rng, -3, 3)),
        };
        // A quotient may be no number of the type.
        let kept = |v: f64| if v.abs() <= self.largest { s.round(v) } else { 1.0 };
        (kept(a), kept(b))
    }

    /// A middle between two neighbours near `v`.
    fn tie(&self, rng: &mut Rng, v: f64) -> f64 {
        let half = self.storage.half_ulp(v);
        self.storage.round(v) + half * (2.0 * rng.below(9) as f64 - 7.0)
    }
}
