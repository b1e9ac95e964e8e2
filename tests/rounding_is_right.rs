//! Storage types round once, to nearest, ties to even; and half an ulp bounds what that costs.

use ropecheck::numeric::{DType, Rng};

const NARROW: [DType; 2] = [DType::F16, DType::BF16];

/// Value of a bit pattern of a 16-bit type, from the definition of the format.
fn value(dtype: DType, bits: u16) -> f64 {
    let fraction_bits = dtype.precision() - 1;
    let fraction = i32::from(bits) & ((1 << fraction_bits) - 1);
    let exponent = i32::from(bits & 0x7fff) >> fraction_bits;
    let magnitude = match exponent {
        0 => f64::from(fraction) * 2f64.powi(dtype.min_exponent() - fraction_bits as i32),
        e if e == (0x7fff >> fraction_bits) => {
            if fraction == 0 {
                f64::INFINITY
            } else {
                f64::NAN
            }
        }
        e => f64::from(fraction | 1 << fraction_bits) * 2f64.powi(dtype.min_exponent() - fraction_bits as i32 + e - 1),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

/// Bits of infinity.
fn infinity(dtype: DType) -> u16 {
    if dtype == DType::F16 { 0x7c00 } else { 0x7f80 }
}

/// The bits that |v| must get, by comparing v with the middle between its neighbours. Every number here is an f64: a middle
/// needs one bit more than the type has. As the upper neighbour of the largest number counts the next power of two.
fn oracle(dtype: DType, v: f64) -> u16 {
    let magnitude = v.abs();
    let sign = if v.is_sign_negative() { 0x8000 } else { 0 };
    // The last finite pattern whose value is at most |v|.
    let (mut low, mut high) = (0u16, infinity(dtype));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if value(dtype, middle) <= magnitude { low = middle } else { high = middle }
    }
    let above = if high == infinity(dtype) { 2f64.powi(dtype.max_exponent() + 1) } else { value(dtype, high) };
    let middle = 0.5 * (value(dtype, low) + above);
    let up = magnitude > middle || (magnitude == middle && low & 1 == 1);
    sign | if up { high } else { low }
}

fn check(dtype: DType, v: f64) {
    for v in [v, -v] {
        let (ours, right) = (dtype.encode(v), u64::from(oracle(dtype, v)));
        assert_eq!(ours, right, "{dtype}: {v:e} became {ours:#06x}, not {right:#06x}");
    }
}

#[test]
fn every_pattern_decodes_to_its_value_and_comes_back() {
    for dtype in NARROW {
        for bits in 0..=u16::MAX {
            let (ours, right) = (dtype.decode(u64::from(bits)), value(dtype, bits));
            assert_eq!(ours.is_nan(), right.is_nan(), "{dtype} {bits:#06x}");
            if right.is_nan() {
                assert!(dtype.decode(dtype.encode(ours)).is_nan());
                assert_eq!(ours.is_sign_negative(), bits & 0x8000 != 0);
            } else {
                assert_eq!(ours.to_bits(), right.to_bits(), "{dtype} {bits:#06x}");
                assert_eq!(dtype.encode(ours), u64::from(bits), "{dtype} {bits:#06x}");
            }
            // Another implementation.
            let other = match dtype {
                DType::F16 => half::f16::from_bits(bits).to_f64(),
                _ => half::bf16::from_bits(bits).to_f64(),
            };
            assert!(ours == other || (ours.is_nan() && other.is_nan()), "{dtype} {bits:#06x}");
        }
    }
}

#[test]
fn every_middle_between_neighbours_goes_to_even_and_its_sides_to_theirs() {
    for dtype in NARROW {
        for bits in 0..infinity(dtype) {
            let low = value(dtype, bits);
            let high =
                if bits + 1 == infinity(dtype) { 2f64.powi(dtype.max_exponent() + 1) } else { value(dtype, bits + 1) };
            let middle = 0.5 * (low + high);
            for v in [low, low.next_up(), middle.next_down(), middle, middle.next_up(), high.next_down()] {
                check(dtype, v);
            }
            // Where a first rounding to f32 would fall on the middle.
            check(dtype, middle * (1.0 + 2f64.powi(-30)));
            check(dtype, middle * (1.0 - 2f64.powi(-30)));
        }
    }
}

#[test]
fn ends_of_the_range_and_random_numbers_round_right() {
    let mut rng = Rng::new(7);
    for dtype in NARROW {
        let tiny = value(dtype, 1);
        for v in
            [0.0, 5e-324, 1e-300, 0.5 * tiny, (0.5 * tiny).next_up(), 0.75 * tiny, dtype.overflow_threshold(), 1e300]
        {
            check(dtype, v);
            check(dtype, v.next_up());
        }
        for _ in 0..200_000 {
            let exponent = rng.between(i64::from(dtype.min_exponent()) - 12, i64::from(dtype.max_exponent()) + 2);
            check(dtype, (1.0 + rng.unit()) * 2f64.powi(exponent as i32));
        }
        assert_eq!(dtype.decode(dtype.encode(f64::INFINITY)), f64::INFINITY);
        assert_eq!(dtype.encode(-0.0), 0x8000);
    }
}

#[test]
fn f32_rounds_to_the_nearer_neighbour() {
    let mut rng = Rng::new(8);
    for _ in 0..500_000 {
        let bits = rng.below(0x7f7f_ffff) as u32;
        let (low, high) = (f64::from(f32::from_bits(bits)), f64::from(f32::from_bits(bits + 1)));
        let middle = 0.5 * (low + high);
        let even = if bits & 1 == 0 { bits } else { bits + 1 };
        for (v, right) in
            [(middle, even), (middle.next_up(), bits + 1), (middle.next_down(), bits), (low.next_up(), bits)]
        {
            assert_eq!(DType::F32.encode(v), u64::from(right), "{v:e}");
        }
    }
}

#[test]
fn half_an_ulp_is_the_largest_error_of_a_rounding() {
    let mut rng = Rng::new(9);
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let mut tightest = 0.0f64;
        for _ in 0..200_000 {
            let exponent = rng.between(i64::from(dtype.min_exponent()) - 30, i64::from(dtype.max_exponent()) - 1);
            let v = (1.0 + rng.unit()) * 2f64.powi(exponent as i32);
            let ratio = (dtype.round(v) - v).abs() / dtype.half_ulp(v);
            assert!(ratio <= 1.0, "{dtype} {v:e}");
            // Monotone, so that a bound on |v| may stand in for v.
            assert!(dtype.half_ulp(v) <= dtype.half_ulp(v * (1.0 + rng.unit())));
            tightest = tightest.max(ratio);
        }
        assert!(tightest > 0.999, "{dtype}: {tightest}");
    }
}
