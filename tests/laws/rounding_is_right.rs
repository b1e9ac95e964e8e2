//! Storage types round once, to nearest, ties to even; and half an ulp bounds what that costs.

use ropecheck::numeric::{DType, Rng};

const NARROW: [DType; 2] = [DType::F16, DType::BF16];
const FLOATS: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

/// The sign bit.
fn sign_bit(dtype: DType) -> u32 {
    1 << (8 * dtype.size() - 1)
}

/// Bits of infinity.
fn infinity(dtype: DType) -> u32 {
    match dtype {
        DType::F16 => 0x7c00,
        DType::BF16 => 0x7f80,
        _ => 0x7f80_0000,
    }
}

/// Value of a bit pattern, from the definition of the format.
fn value(dtype: DType, bits: u32) -> f64 {
    let fraction_bits = dtype.precision() - 1;
    let magnitude = bits & !sign_bit(dtype);
    let (fraction, exponent) = (magnitude & ((1 << fraction_bits) - 1), (magnitude >> fraction_bits) as i32);
    let unit = 2f64.powi(dtype.min_exponent() - fraction_bits as i32);
    let size = match magnitude {
        m if m == infinity(dtype) => f64::INFINITY,
        m if m > infinity(dtype) => f64::NAN,
        _ if exponent == 0 => f64::from(fraction) * unit,
        _ => f64::from(fraction | 1 << fraction_bits) * unit * 2f64.powi(exponent - 1),
    };
    if bits == magnitude { size } else { -size }
}

/// The number after the one with these bits. After the largest comes the next power of two, which stands for infinity.
fn value_above(dtype: DType, bits: u32) -> f64 {
    if bits + 1 == infinity(dtype) { 2f64.powi(dtype.max_exponent() + 1) } else { value(dtype, bits + 1) }
}

/// The bits that v must get, by comparing it with the middle between its neighbours. Every number here is an f64: a middle
/// needs one bit more than the type has.
fn oracle(dtype: DType, v: f64) -> u32 {
    let magnitude = v.abs();
    let sign = if v.is_sign_negative() { sign_bit(dtype) } else { 0 };
    // The last finite pattern whose value is at most |v|.
    let (mut low, mut high) = (0, infinity(dtype));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if value(dtype, middle) <= magnitude { low = middle } else { high = middle }
    }
    let middle = 0.5 * (value(dtype, low) + value_above(dtype, low));
    let up = magnitude > middle || (magnitude == middle && low & 1 == 1);
    sign | if up { high } else { low }
}

fn check(dtype: DType, v: f64) {
    for v in [v, -v] {
        let (ours, right) = (dtype.encode(v), u64::from(oracle(dtype, v)));
        assert_eq!(ours, right, "{dtype}: {v:e} became {ours:#06x}, not {right:#06x}");
        // The loops over slices have code of their own.
        let mut bytes = [0u8; 8];
        assert_eq!(dtype.encode_slice(&[v], &mut bytes[..dtype.size()]), 1);
        assert_eq!(dtype.bits_at(&bytes, 0), Some(right), "{dtype}: {v:e} in a slice");
    }
}

#[test]
fn every_pattern_decodes_to_its_value_and_comes_back() {
    for dtype in NARROW {
        for bits in 0..=0xffff {
            let (ours, right) = (dtype.decode(u64::from(bits)), value(dtype, bits));
            let mut in_slice = [0.0];
            assert_eq!(dtype.decode_slice(&(bits as u16).to_ne_bytes(), &mut in_slice), 1);
            assert!(in_slice[0].to_bits() == ours.to_bits() || ours.is_nan() && in_slice[0].is_nan());
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
                DType::F16 => half::f16::from_bits(bits as u16).to_f64(),
                _ => half::bf16::from_bits(bits as u16).to_f64(),
            };
            assert!(ours == other || (ours.is_nan() && other.is_nan()), "{dtype} {bits:#06x}");
        }
    }
}

/// A number, its upper neighbour, their middle, and the sides of all three.
fn check_around(dtype: DType, bits: u32) {
    let (low, high) = (value(dtype, bits), value_above(dtype, bits));
    let middle = 0.5 * (low + high);
    for v in [low, low.next_up(), middle.next_down(), middle, middle.next_up(), high.next_down()] {
        check(dtype, v);
    }
}

#[test]
fn every_middle_between_neighbours_goes_to_even_and_its_sides_to_theirs() {
    for dtype in NARROW {
        for bits in 0..infinity(dtype) {
            check_around(dtype, bits);
        }
    }
}

/// Rounding to f32 first, or cutting off what f32 has no room for, loses which side of a middle a number is on.
#[test]
fn no_number_is_rounded_twice() {
    for dtype in NARROW {
        let (mut up, mut down, mut cut) = (0, 0, 0);
        for bits in 0..infinity(dtype) {
            let middle = 0.5 * (value(dtype, bits) + value_above(dtype, bits));
            for v in [middle * (1.0 + 2f64.powi(-30)), middle * (1.0 - 2f64.powi(-30)), middle.next_up()] {
                check(dtype, v);
                let twice = dtype.encode(f64::from(v as f32));
                up += u32::from(twice > dtype.encode(v));
                down += u32::from(twice < dtype.encode(v));
                // As half's from_f64 does for f16.
                let truncated = f64::from_bits(v.to_bits() & !0xffff_ffff);
                cut += u32::from(dtype.encode(truncated) != dtype.encode(v));
            }
        }
        // Half of the middles go to even upwards, half downwards; each is a trap in the other direction.
        let half = infinity(dtype) / 2;
        assert!(up >= half - 1 && down >= half - 1 && cut >= half - 1, "{dtype}: {up} {down} {cut} of {half}");
    }
}

#[test]
fn ends_of_the_range_and_random_numbers_round_right() {
    let mut rng = Rng::new(7);
    for dtype in FLOATS {
        let tiny = value(dtype, 1);
        for v in
            [0.0, 5e-324, 1e-300, 0.5 * tiny, (0.5 * tiny).next_up(), 0.75 * tiny, dtype.overflow_threshold(), 1e300]
        {
            check(dtype, v);
            check(dtype, v.next_up());
            check(dtype, v.next_down().abs());
        }
        for _ in 0..200_000 {
            let exponent = rng.between(i64::from(dtype.min_exponent()) - 30, i64::from(dtype.max_exponent()) + 2);
            check(dtype, (1.0 + rng.unit()) * 2f64.powi(exponent as i32));
        }
        assert_eq!(dtype.decode(dtype.encode(f64::INFINITY)), f64::INFINITY);
        assert_eq!(dtype.decode(dtype.encode(f64::NEG_INFINITY)), f64::NEG_INFINITY);
        assert!(dtype.decode(dtype.encode(f64::NAN)).is_nan() && dtype.decode(dtype.encode(-f64::NAN)).is_nan());
        assert_eq!(dtype.encode(-0.0), u64::from(sign_bit(dtype)));
        // The last number that stays finite, and the tie that does not.
        let threshold = 0.5 * (value(dtype, infinity(dtype) - 1) + value_above(dtype, infinity(dtype) - 1));
        assert_eq!(dtype.overflow_threshold(), threshold);
        assert_eq!(dtype.encode(threshold), u64::from(infinity(dtype)));
        assert_eq!(dtype.encode(threshold.next_down()), u64::from(infinity(dtype) - 1));
        assert_eq!(dtype.encode(-threshold), u64::from(infinity(dtype) | sign_bit(dtype)));
        // The tie below the smallest subnormal goes to zero and keeps its sign.
        assert_eq!(dtype.encode(-0.5 * tiny), u64::from(sign_bit(dtype)));
        assert_eq!(dtype.encode((0.5 * tiny).next_up()), 1);
    }
}

#[test]
fn f32_rounds_and_decodes_at_every_exponent() {
    let mut rng = Rng::new(8);
    for exponent in 0..255u32 {
        let first = exponent << 23;
        let ends = [0, 1, 2, 3, 0x3f_ffff, 0x40_0000, 0x7f_fffe, 0x7f_ffff].map(|fraction| first | fraction);
        let random = (0..100).map(|_| first | rng.below(1 << 23) as u32);
        for bits in ends.into_iter().chain(random.collect::<Vec<_>>()) {
            check_around(DType::F32, bits);
            for bits in [bits, bits | 1 << 31] {
                let (ours, right) = (DType::F32.decode(u64::from(bits)), value(DType::F32, bits));
                assert_eq!(ours.to_bits(), right.to_bits(), "{bits:#010x}");
            }
        }
    }
    // All the smallest subnormals, and the largest with the smallest normal numbers.
    for bits in (0..2_000).chain(0x7f_fc00..0x80_0400) {
        check_around(DType::F32, bits);
    }
}

/// The bits that the crate half gives. Its ways from f64 round twice or cut digits off, so it is handed an f32
/// that is odd where digits were lost: that rounds as the f64 does.
fn of_half(dtype: DType, v: f64) -> u64 {
    let near = v as f32;
    let cut = if f64::from(near).abs() > v.abs() { f32::from_bits(near.to_bits() - 1) } else { near };
    let odd = if f64::from(cut) == v { cut } else { f32::from_bits(cut.to_bits() | 1) };
    u64::from(if dtype == DType::F16 {
        half::f16::from_f32(odd).to_bits()
    } else {
        half::bf16::from_f32(odd).to_bits()
    })
}

#[test]
fn the_crate_half_encodes_the_same() {
    let mut rng = Rng::new(10);
    for dtype in NARROW {
        let same = |v: f64| assert_eq!(dtype.encode(v), of_half(dtype, v), "{dtype}: {v:e}");
        for bits in 0..=0xffff {
            let (v, infinite) = (value(dtype, bits), bits & 0x7fff == infinity(dtype));
            if v.is_nan() {
                continue;
            }
            same(v);
            let middle = if infinite { v } else { (v + v.signum() * value_above(dtype, bits & 0x7fff)) / 2.0 };
            [middle, middle.next_up(), middle.next_down()].into_iter().for_each(same);
        }
        // Any f64, and such as have exponents of the type.
        for _ in 0..1_000_000 {
            let any = f64::from_bits(rng.next_u64());
            if !any.is_nan() {
                same(any);
            }
            let exponent = rng.between(i64::from(dtype.min_exponent()) - 30, i64::from(dtype.max_exponent()) + 2);
            same((1.0 + rng.unit()) * 2f64.powi(exponent as i32) * if rng.one_in(2) { 1.0 } else { -1.0 });
        }
    }
}

#[test]
fn half_an_ulp_is_the_largest_error_of_a_rounding() {
    let mut rng = Rng::new(9);
    for dtype in FLOATS {
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
