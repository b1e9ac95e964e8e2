//! Where the tokens of a case are: where the scheme puts them, or numbers drawn for the sake of the rotation.

use std::fmt;

use crate::numeric::{DType, Dd, Rng};

/// Where the tokens of a case are. All but `Layout` are for levels rotate and apply; there each axis and token gets a
/// number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionSource {
    /// Where the scheme puts them, plus this on every axis (levels rotate and apply only, where it is not 0).
    Layout {
        /// Added to every position.
        shift: i64,
    },
    /// Any integer in low..=high.
    Random {
        /// Smallest.
        low: i64,
        /// Largest.
        high: i64,
    },
    /// Integers of every octave of low..=high, token by token; the ends of an octave as often as what lies between. From
    /// token to token the octave is the next one on every axis, and after a round the axes are one octave further apart.
    Octaves {
        /// Smallest.
        low: i64,
        /// Largest.
        high: i64,
        /// How many tokens of this walk other calls have had.
        turn: u32,
        /// The one axis that walks, the others being at 0; beyond the last of a scheme, its last. `None`: all do.
        axis: Option<u8>,
    },
    /// Any integer in low..=high, and both ends are among them: on every axis one token is at `high` and, if there are two, one at `low`.
    Span {
        /// Smallest.
        low: i64,
        /// Largest.
        high: i64,
    },
    /// Fractions n/parts between low and high that are no integers, rounded to the type of the positions.
    Fractions {
        /// Smallest.
        low: i64,
        /// Largest.
        high: i64,
        /// Denominator, at least 2.
        parts: i64,
    },
    /// Integers in low..=high that are unusually near a multiple of π/2, where a cosine or a sine nearly vanishes.
    QuarterTurns {
        /// Smallest.
        low: i64,
        /// Largest.
        high: i64,
    },
}

/// Integers nearer to a multiple of π/2 than every smaller one, or nearly so: numerators of continued fractions.
pub const CONVERGENTS: [i64; 9] = [355, 710, 103_993, 312_689, 833_719, 1_146_408, 4_272_943, 80_143_857, 245_850_922];
/// Largest denominator of `Fractions`, so that products with a position stay far from overflow.
const MOST_PARTS: i64 = 1 << 20;
/// Largest magnitude of a bound: an f64 holds every integer up to here.
const MOST: i64 = 1 << 53;

/// The number of this type nearest to `value` on the side of 0. `None` if an integer type cannot hold it.
fn held(dtype: DType, value: f64) -> Option<f64> {
    match dtype {
        DType::I32 => (value.fract() == 0.0 && value.abs() <= f64::from(i32::MAX)).then_some(value),
        DType::I64 => (value.fract() == 0.0 && value.abs() <= MOST as f64).then_some(value),
        DType::F32 => {
            let near = value as f32;
            let outside = f64::from(near).abs() > value.abs();
            Some(f64::from(match outside {
                true if value > 0.0 => near.next_down(),
                true => near.next_up(),
                false => near,
            }))
        }
        _ => Some(value),
    }
}

/// Whether a type of positions holds an integer.
#[must_use]
pub fn holds(dtype: DType, position: i64) -> bool {
    position.abs() <= MOST && held(dtype, position as f64) == Some(position as f64)
}

/// How far an integer is from the nearest multiple of π/2, by a reduction in three parts: the first two products are exact
/// up to 2^31, and only the order of the results matters.
fn from_quarter_turn(p: f64) -> f64 {
    const KEEP: u64 = !((1 << 31) - 1);
    const REST: f64 = 6.123_233_995_736_766e-17;
    let quarter = std::f64::consts::FRAC_PI_2;
    let high = f64::from_bits(quarter.to_bits() & KEEP);
    let middle = f64::from_bits((quarter - high).to_bits() & KEEP);
    let low = (quarter - high - middle) + REST;
    let turns = (p / quarter).round_ties_even();
    (((p - turns * high) - turns * middle) - turns * low).abs()
}

impl PositionSource {
    /// Whether the scheme says where the tokens are.
    #[must_use]
    pub fn is_layout(&self) -> bool {
        matches!(self, PositionSource::Layout { .. })
    }

    /// Whether the bounds make sense; else what is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        let (low, high) = match *self {
            PositionSource::Layout { shift } => (shift, shift),
            PositionSource::Fractions { low, high, parts } if !(2..=MOST_PARTS).contains(&parts) || high <= low => {
                return Err(format!(
                    "fractions={low}..{high}/{parts}: expected LOW < HIGH and 2 to {MOST_PARTS} parts"
                ));
            }
            PositionSource::Random { low, high }
            | PositionSource::Octaves { low, high, .. }
            | PositionSource::Span { low, high }
            | PositionSource::Fractions { low, high, .. }
            | PositionSource::QuarterTurns { low, high } => (low, high),
        };
        if low > high || low < -MOST || high > MOST {
            return Err(format!("positions {low}..{high}: expected LOW <= HIGH, within 2^53 of 0"));
        }
        Ok(())
    }

    /// Positions of `[axis][row][token]`, each a number of `dtype`; `None` for `Layout`. An error says which position the
    /// type cannot hold.
    pub(super) fn draw(
        &self,
        rng: &Rng,
        dtype: DType,
        [axes, rows, tokens]: [usize; 3],
    ) -> Option<Result<Vec<Vec<Vec<Dd>>>, String>> {
        if self.is_layout() {
            return None;
        }
        let octaves = match *self {
            PositionSource::Octaves { low, high, .. } => octaves(low, high),
            _ => Vec::new(),
        };
        let one = |axis: usize, row: usize, token: usize| {
            let mut rng = rng.fork((axis as u64) << 48 ^ (row as u64) << 32 ^ token as u64);
            if let PositionSource::Octaves { turn, axis: alone, .. } = *self {
                let value = match alone.map(|one| usize::from(one).min(axes - 1)) {
                    Some(one) if one != axis => 0.0,
                    alone => {
                        let walks = if alone.is_some() { 0 } else { axis };
                        let place = turn as usize + row * tokens + token;
                        in_octave(&mut rng, octaves[walk(place, walks, octaves.len())])
                    }
                };
                return held(dtype, value).map(Dd::from_f64).ok_or_else(|| cannot_hold(dtype, value));
            }
            let value = self.one(&mut rng, dtype, (token + axis) % tokens.max(1));
            value.map(Dd::from_f64)
        };
        let row = |axis, row| (0..tokens).map(|token| one(axis, row, token)).collect::<Result<Vec<_>, _>>();
        let axis = |axis| (0..rows).map(|b| row(axis, b)).collect::<Result<Vec<_>, _>>();
        Some((0..axes).map(axis).collect())
    }

    /// Of a walk, the octave that each axis is in at every token, as the number nearest to 0 of it: `tokens` rows of `axes`.
    #[must_use]
    pub fn walked(&self, axes: usize, tokens: usize) -> Vec<Vec<i64>> {
        let PositionSource::Octaves { low, high, turn, axis: alone } = *self else { return Vec::new() };
        let octaves = octaves(low, high);
        let alone = alone.map(|one| usize::from(one).min(axes.saturating_sub(1)));
        let at = |axis: usize, token: usize| {
            if alone.is_some_and(|one| one != axis) {
                return 0;
            }
            let walks = if alone.is_some() { 0 } else { axis };
            let (least, most) = octaves[walk(turn as usize + token, walks, octaves.len())];
            if least < 0 { most } else { least }
        };
        (0..tokens).map(|token| (0..axes).map(|axis| at(axis, token)).collect()).collect()
    }

    /// One position. `turn` counts through the tokens of an axis, from another one on each axis.
    fn one(&self, rng: &mut Rng, dtype: DType, turn: usize) -> Result<f64, String> {
        let value = match *self {
            PositionSource::Layout { .. } | PositionSource::Octaves { .. } => 0.0,
            PositionSource::Random { low, high } => rng.between(low, high) as f64,
            PositionSource::Span { low, high } => match turn {
                0 => high as f64,
                1 => low as f64,
                _ => rng.between(low, high) as f64,
            },
            PositionSource::Fractions { low, high, parts } => {
                let (least, most) = (low.saturating_mul(parts), high.saturating_mul(parts));
                let drawn = rng.between(least, most);
                let n = if drawn % parts != 0 {
                    drawn
                } else if drawn < most {
                    drawn + 1
                } else {
                    drawn - 1
                };
                let value = n as f64 / parts as f64;
                if !dtype.is_float() {
                    return Err(cannot_hold(dtype, value));
                }
                dtype.round(value)
            }
            PositionSource::QuarterTurns { low, high } => quarter_turn(rng, dtype, turn, low, high),
        };
        held(dtype, value).ok_or_else(|| cannot_hold(dtype, value))
    }
}

fn cannot_hold(dtype: DType, value: f64) -> String {
    format!("position {value} does not fit in {}", dtype.name())
}

/// The octaves of low..=high: 0, and what lies between two powers of two, the smaller one among it; likewise below 0.
fn octaves(low: i64, high: i64) -> Vec<(i64, i64)> {
    let positive = (0..=53).map(|power| 1i64 << power).map(|least| (least, 2 * least - 1));
    let negative = (0..=53).map(|power| 1i64 << power).map(|least| (1 - 2 * least, -least));
    let all = [(0, 0)].into_iter().chain(positive).chain(negative);
    let mut found: Vec<(i64, i64)> =
        all.map(|(a, b)| (a.max(low), b.min(high))).filter(|(least, most)| least <= most).collect();
    found.sort_unstable();
    found
}

/// Which of `count` octaves an axis is in at a place of the walk. All pairs of octaves of two of the first four axes come
/// about in m^2 places, where m is the least number from `count` on that 2 and 3 do not divide: axis k is k d octaves
/// ahead of axis 0 in round d, and k d and differences of such numbers walk through all remainders of m.
fn walk(place: usize, axis: usize, count: usize) -> usize {
    let rounds = (count..).find(|m| m % 2 != 0 && m % 3 != 0).unwrap_or(count);
    let octave = (place + axis.min(3) * (place / rounds)) % rounds;
    octave % count
}

/// Some number of an octave: an end of it, its neighbour, or any other.
fn in_octave(rng: &mut Rng, (least, most): (i64, i64)) -> f64 {
    let value = match rng.below(6) {
        0 => least,
        1 => (least + 1).min(most),
        2 => most,
        _ => rng.between(least, most),
    };
    value as f64
}

/// The convergents that lie in the range, the largest one first; then the best of a few random numbers.
fn quarter_turn(rng: &mut Rng, dtype: DType, turn: usize, low: i64, high: i64) -> f64 {
    const TRIES: u32 = 64;
    let inside = |p: &i64| (low..=high).contains(p) && held(dtype, *p as f64) == Some(*p as f64);
    if let Some(p) = CONVERGENTS.into_iter().rev().filter(inside).nth(turn) {
        return p as f64;
    }
    let mut best = rng.between(low, high) as f64;
    let mut distance = f64::INFINITY;
    for _ in 0..TRIES {
        let p = rng.between(low, high) as f64;
        let p = held(dtype, p).unwrap_or(p);
        let away = from_quarter_turn(p);
        if p != 0.0 && away < distance {
            (best, distance) = (p, away);
        }
    }
    best
}

/// As the token of a case has it; nothing for the scheme's own places.
impl fmt::Display for PositionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PositionSource::Layout { shift: 0 } => Ok(()),
            PositionSource::Layout { shift } => write!(f, ",shift={shift}"),
            PositionSource::Random { low, high } => write!(f, ",random={low}..{high}"),
            PositionSource::Octaves { low, high, turn, axis: None } => write!(f, ",octaves={low}..{high}@{turn}"),
            PositionSource::Octaves { low, high, turn, axis: Some(axis) } => {
                write!(f, ",octaves={low}..{high}@{turn}/{axis}")
            }
            PositionSource::Span { low, high } => write!(f, ",span={low}..{high}"),
            PositionSource::Fractions { low, high, parts } => write!(f, ",fractions={low}..{high}/{parts}"),
            PositionSource::QuarterTurns { low, high } => write!(f, ",quarter-turns={low}..{high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::sincos;

    fn drawn(place: PositionSource, dtype: DType, tokens: usize) -> Vec<f64> {
        let drawn = place.draw(&Rng::new(5), dtype, [2, 1, tokens]).expect("no layout").expect("the type holds them");
        drawn.into_iter().flatten().flatten().map(|p| p.to_f64()).collect()
    }

    #[test]
    fn a_span_has_both_its_ends_on_every_axis() {
        let place = PositionSource::Span { low: -9, high: 2_147_483_647 };
        for tokens in [2, 3, 24] {
            for axis in drawn(place, DType::I64, tokens).chunks(tokens) {
                assert!(axis.contains(&-9.0) && axis.contains(&2_147_483_647.0), "{axis:?}");
            }
        }
        assert_eq!(drawn(place, DType::I64, 1), [2_147_483_647.0; 2]);
        // The largest f32 below it: rounding to nearest would leave the range.
        assert_eq!(drawn(place, DType::F32, 1), [2_147_483_520.0; 2]);
        assert!(
            PositionSource::Span { low: 0, high: 1 << 31 }.draw(&Rng::new(5), DType::I32, [1, 1, 1]).unwrap().is_err()
        );
    }

    #[test]
    fn a_walk_has_every_octave_and_every_pair_of_them() {
        let all = octaves(-5, 300);
        assert_eq!(all[..4], [(-5, -4), (-3, -2), (-1, -1), (0, 0)]);
        assert_eq!(all[4..], [(1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, 63), (64, 127), (128, 255), (256, 300)]);
        // 13 octaves: 169 tokens. Those of a later call go on where those of an earlier one ended.
        let place = |turn| PositionSource::Octaves { low: -5, high: 300, turn, axis: None };
        let seed = Rng::new(3);
        let draw = |turn, rows, tokens| place(turn).draw(&seed, DType::I64, [4, rows, tokens]).unwrap().unwrap();
        let (first, second) = (draw(0, 5, 20), draw(100, 3, 23));
        let number = |value: f64| all.iter().position(|(a, b)| (*a as f64..=*b as f64).contains(&value)).unwrap();
        for (a, b) in (0..4).flat_map(|a| (a + 1..4).map(move |b| (a, b))) {
            let of = |drawn: &Vec<Vec<Vec<Dd>>>, axis: usize| {
                drawn[axis].iter().flatten().map(|value| number(value.to_f64())).collect::<Vec<_>>()
            };
            let both = [of(&first, a), of(&second, a)].concat().into_iter();
            let met: std::collections::BTreeSet<_> = both.zip([of(&first, b), of(&second, b)].concat()).collect();
            assert_eq!(met.len(), 169, "axes {a} and {b}");
        }
        let alone = PositionSource::Octaves { low: 0, high: 9, turn: 1, axis: Some(1) };
        let alone = alone.draw(&seed, DType::I32, [3, 1, 4]).unwrap().unwrap();
        assert!(alone[0][0].iter().chain(&alone[2][0]).all(|value| value.to_f64() == 0.0));
        assert!(alone[1][0].iter().all(|value| (1.0..10.0).contains(&value.to_f64())));
        assert!(place(0).draw(&seed, DType::I32, [1, 1, 1]).unwrap().is_ok());
    }

    #[test]
    fn fractions_are_never_integers() {
        for (parts, dtype) in [(3, DType::F32), (1024, DType::F64), (2, DType::F32)] {
            let all = drawn(PositionSource::Fractions { low: -3, high: 2, parts }, dtype, 200);
            assert!(all.iter().all(|p| p.fract() != 0.0 && *p > -3.0 && *p < 2.0 && dtype.holds(*p)), "{all:?}");
        }
        assert!(
            PositionSource::Fractions { low: 0, high: 2, parts: 3 }
                .draw(&Rng::new(5), DType::I64, [1, 1, 1])
                .unwrap()
                .is_err()
        );
    }

    #[test]
    fn quarter_turns_are_near_multiples_of_half_pi() {
        let near = |p: f64| {
            let exact = sincos(Dd::from_f64(p), 1.0);
            exact.sin.abs().min(exact.cos.abs())
        };
        for p in CONVERGENTS {
            let (reduced, exact) = (from_quarter_turn(p as f64), near(p as f64));
            assert!((reduced - exact).abs() < 1e-12, "{p}: {reduced} is {exact}");
            // A convergent p/q of π errs by less than 1/q², so p is off a multiple by less than 1/q, about π/p; of π/2 by half.
            assert!(exact < std::f64::consts::PI / p as f64, "{p}: {exact}");
        }
        let all = drawn(PositionSource::QuarterTurns { low: 1, high: 1 << 30 }, DType::I64, 40);
        assert!(CONVERGENTS.iter().all(|c| all.contains(&(*c as f64))), "{all:?}");
        // The best of 64 is 64 times nearer than the average of π/8; 20 times is met by all of these.
        let far: Vec<&f64> = all.iter().filter(|p| near(**p) > 0.39 / 4.0).collect();
        assert!(far.is_empty(), "{far:?}");
        assert!(
            drawn(PositionSource::QuarterTurns { low: 1, high: 1 << 30 }, DType::F32, 40)
                .iter()
                .all(|p| DType::F32.holds(*p))
        );
    }
}
