#!/usr/bin/env python3
"""Writes golden/accuracy_points.txt: frequencies and rotated pairs, computed by mpmath alone.

    python3 -m venv .venv && .venv/bin/pip install mpmath==1.4.1
    .venv/bin/python scripts/golden_accuracy.py            # write the file
    .venv/bin/python scripts/golden_accuracy.py --check    # exit 1 unless the committed file is this very text

A program that shares no code with ropecheck makes these values; tests/laws/golden_accuracy.rs holds the plan's frequencies, the
reference, the rounding of the storage types and the bound against them. Same bytes on every run. The columns are explained
at the top of the file.
"""

import argparse
import math
import pathlib
import random
import sys
from fractions import Fraction

import mpmath

SEED = 31415
COUNT = 3_000
LIMIT = 2**31  # largest |position|
PATH = pathlib.Path(__file__).resolve().parent.parent / "golden" / "accuracy_points.txt"
mpmath.mp.prec = 500

BASES = [10_000, 500_000, 1_000_000, 5_000_000, 10_000_000]
DIMS = [16, 32, 48, 64, 80, 96, 120, 128, 192, 256]
# YaRN's 0.1 ln(factor) + 1 at factors 4 and 40, LongRoPE's sqrt(1 + ln 32 / ln 4096), powers of two, and an odd one.
SCALINGS = [1.138629436111989, 1.3688879454113937, 1.1902380714238083, 0.5, 2.0, 0.7]

HEADER = f"""\
# Rotated pairs of an independent program: written by scripts/golden_accuracy.py with mpmath 1.4.1 at {mpmath.mp.prec} bits, seed {SEED}.
# Do not edit; `scripts/golden_accuracy.py --check` says whether the file is what the script writes.
#
#   y  = m (a cos t - b sin t)      y' = m (b cos t + a sin t)      t = direction * position * inv_freq, exactly
#
# columns: base d i       inv_freq is base^(-2i/d), rounded once to f64
#          inv_freq       bits of that f64; the angle is the exact product with it
#          position       exact fraction
#          type a b       storage type of the inputs, and their bits in it
#          m direction    attention scaling, the f64 nearest to this decimal; 1 or -1
#          y y'           bits of the nearest f64, then the rest: a signed number of 1/4096 of an ulp of
#                         that f64, rounded away from 0, so that 0 says that the f64 is y itself
#          f32 f16 bf16   y:y' rounded once to each type, to nearest, ties to even
"""


class Format:
    """A binary floating-point type: p bits of significand, exponents from low to high, width bits in all."""

    def __init__(self, p, low, high, width):
        self.p, self.low, self.high, self.width = p, low, high, width

    def bits(self, value):
        """Bits of the number nearest to the exact fraction; ties to even, overflow to infinity."""
        sign = (1 << (self.width - 1)) if value < 0 else 0
        value = abs(value)
        if value == 0:
            return sign
        unit = max(exponent_of(value), self.low) - (self.p - 1)
        steps = round(value / Fraction(2) ** unit)  # Python rounds a Fraction to nearest, ties to even
        # Counting from the smallest subnormal, the next number is the next pattern, up to infinity.
        pattern = steps + ((unit - (self.low - self.p + 1)) << (self.p - 1))
        infinity = (self.high - self.low + 2) << (self.p - 1)
        return sign | min(pattern, infinity)

    def value(self, bits):
        """The number that finite bits stand for."""
        fraction = bits & ((1 << (self.p - 1)) - 1)
        exponent = (bits & ~(1 << (self.width - 1))) >> (self.p - 1)
        if exponent:
            fraction |= 1 << (self.p - 1)
        value = Fraction(fraction) * Fraction(2) ** (self.low + max(exponent - 1, 0) - (self.p - 1))
        return -value if bits >> (self.width - 1) else value

    def hex(self, bits):
        return f"{bits:0{self.width // 4}x}"


F64 = Format(53, -1022, 1023, 64)
TYPES = {"f32": Format(24, -126, 127, 32), "f16": Format(11, -14, 15, 16), "bf16": Format(8, -126, 127, 16)}


def exponent_of(value):
    """e with 2^e <= value < 2^(e+1), for a fraction above 0."""
    e = value.numerator.bit_length() - value.denominator.bit_length()
    return e if value >= Fraction(2) ** e else e - 1


def exact(x):
    """An mpf as a fraction."""
    size = Fraction(int(x.man)) * Fraction(2) ** int(x.exp)  # man has no sign
    return -size if x < 0 else size


def inv_freq(base, d, i):
    return F64.bits(exact(mpmath.mpf(base) ** (mpmath.mpf(-2 * i) / d)))


def near_quarter_turn(f, limit):
    """The largest position up to the limit whose angle a continued fraction brings near to a multiple of pi/2."""
    x = f / Fraction(int(mpmath.pi * 2**480), 2**481)  # quarter turns per position
    p0, q0, p1, q1 = 0, 1, 1, 0
    best = 1
    while True:
        whole = x.numerator // x.denominator
        p0, p1, q0, q1 = p1, whole * p1 + p0, q1, whole * q1 + q0
        if q1 > limit:
            return Fraction(best)
        best = q1
        if x == whole:
            return Fraction(best)
        x = 1 / (x - whole)


BANDS = [
    lambda rng, f: Fraction(rng.randrange(0, 256)),
    lambda rng, f: Fraction(rng.randrange(256, 2048)),
    lambda rng, f: Fraction(rng.randrange(2048, 2**15)),
    lambda rng, f: Fraction(rng.randrange(2**15, 2**17)),
    lambda rng, f: Fraction(rng.randrange(2**17, 2**20)),
    lambda rng, f: Fraction(2**24 + rng.randrange(-1, 2)) * rng.choice([1, -1]),
    lambda rng, f: Fraction(rng.randrange(2**20, LIMIT + 1)),
    lambda rng, f: -Fraction(rng.randrange(1, 2 ** rng.randrange(1, 32))),
    # Numbers of f32 and f64, and fractions that no float holds.
    lambda rng, f: Fraction(rng.randrange(-(10**6), 10**6), rng.choice([2, 4, 64, 3, 5, 7, 10, 97, 1001])),
    lambda rng, f: near_quarter_turn(f, 2 ** rng.randrange(12, 32)) * rng.choice([1, 1, -1]),
    # The f64 next to a multiple of pi/2.
    lambda rng, f: F64.value(
        F64.bits(exact(rng.randrange(1, max(2, int(f * 2 ** rng.randrange(8, 31)))) * mpmath.pi / 2) / f)
    ),
    lambda rng, f: Fraction(rng.randrange(-9, 10), 2 ** rng.randrange(0, 40)),
]


def number(rng, kind, low, high):
    """Bits of a random number of a type, its leading bit 2^low to 2^high."""
    significand = 2 ** (kind.p - 1) + rng.randrange(2 ** (kind.p - 1))
    value = significand * Fraction(2) ** (rng.randrange(low, high + 1) - (kind.p - 1))
    return kind.bits(value) | (rng.randrange(2) << (kind.width - 1))


def inputs(rng, n, kind, cos, sin):
    """Bits of a and b."""
    sign = 1 << (kind.width - 1)
    style = n % 8
    if style == 0:  # one size
        e = rng.randrange(-4, 5)
        return number(rng, kind, e, e), number(rng, kind, e, e)
    if style == 1:  # any ordinary size
        return number(rng, kind, -8, 6), number(rng, kind, -8, 6)
    if style == 2:  # a cos t and b sin t cancel in y, as far as the type allows
        size = Fraction(2) ** rng.randrange(-3, 4)
        return kind.bits(sin * size), kind.bits(cos * size)
    if style == 3:  # the same in y'
        size = Fraction(2) ** rng.randrange(-3, 4)
        return kind.bits(-cos * size), kind.bits(sin * size)
    if style == 4:  # huge beside tiny
        pair = [number(rng, kind, kind.high - 4, kind.high - 2), number(rng, kind, kind.low, kind.low + 4)]
        rng.shuffle(pair)
        return tuple(pair)
    if style == 5:  # subnormal, alone or beside an ordinary number
        tiny = rng.randrange(1, 2 ** (kind.p - 1)) | (rng.randrange(2) * sign)
        other = rng.choice([rng.randrange(1, 2 ** (kind.p - 1)), number(rng, kind, -2, 2)])
        return (tiny, other) if rng.randrange(2) else (other, tiny)
    if style == 6:  # one is zero, as in the probes
        one = number(rng, kind, -3, 3)
        return (one, 0) if rng.randrange(2) else (0, one)
    # At the end of the range: y may overflow.
    return number(rng, kind, kind.high, kind.high), number(rng, kind, kind.high, kind.high)


def row(rng, n):
    base, d = rng.choice(BASES), rng.choice(DIMS)
    i = rng.randrange(d // 2)
    f_bits = inv_freq(base, d, i)
    f = F64.value(f_bits)
    position = BANDS[n % len(BANDS)](rng, f)
    if abs(position) > LIMIT:
        return None
    m = 1.0 if rng.randrange(3) else rng.choice(SCALINGS)
    direction = -1 if rng.randrange(4) == 0 else 1
    angle = direction * position * f
    t = mpmath.mpf(angle.numerator) / angle.denominator
    cos, sin = mpmath.cos(t), mpmath.sin(t)
    name = rng.choice(list(TYPES))
    a_bits, b_bits = inputs(rng, n // len(BANDS), TYPES[name], exact(cos), exact(sin))
    a, b = (TYPES[name].value(bits) for bits in (a_bits, b_bits))
    # Exact fractions of the 500-bit sine and cosine: their error of 2^-500 is the only one.
    y, z = (Fraction(m) * v for v in (a * exact(cos) - b * exact(sin), b * exact(cos) + a * exact(sin)))
    fields = [str(base), str(d), str(i), F64.hex(f_bits), str(position), name]
    fields += [TYPES[name].hex(a_bits), TYPES[name].hex(b_bits), repr(m).removesuffix(".0"), str(direction)]
    for value in (y, z):
        bits = F64.bits(value)
        nearest = F64.value(bits)
        ulp = Fraction(2) ** (max(exponent_of(abs(nearest)), F64.low) - 52) if nearest else Fraction(1)
        rest = (value - nearest) / ulp * 4096
        fields += [F64.hex(bits), str(math.ceil(rest) if rest > 0 else math.floor(rest))]
    for kind in TYPES.values():
        fields.append(":".join(kind.hex(kind.bits(value)) for value in (y, z)))
    return " ".join(fields) + "\n"


def text():
    rng = random.Random(SEED)
    lines, n = [], 0
    while len(lines) < COUNT:
        line = row(rng, n)
        n += 1
        if line is not None:
            lines.append(line)
    return HEADER + "".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Writes golden/accuracy_points.txt.")
    parser.add_argument("--check", action="store_true", help="compare with the committed file, write nothing")
    check = parser.parse_args().check
    made = text()
    if not check:
        PATH.parent.mkdir(exist_ok=True)
        PATH.write_text(made)
    elif not PATH.exists() or PATH.read_bytes() != made.encode():
        sys.exit(f"{PATH.name} is not what this script writes")


if __name__ == "__main__":
    main()
