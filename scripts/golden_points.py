#!/usr/bin/env python3
"""Writes golden/reference_points.txt: cosines and sines of position * inv_freq, computed by mpmath.

    python3 -m venv .venv && .venv/bin/pip install mpmath==1.4.1
    .venv/bin/python scripts/golden_points.py

A program that shares no code with ropecheck makes these values; tests/laws/reference_is_right.rs holds the reference against
them. Same bytes on every run. A line is

    NUMERATOR[/DENOMINATOR] INV_FREQ COS SIN

the position as an exact fraction, inv_freq as the bits of an f64 in hex (the angle is the exact product of the two), and
cosine and sine with 25 significant digits.
"""

import pathlib
import random
import struct
from fractions import Fraction

import mpmath

COUNT = 10_000
DIGITS = 25
LIMIT = 2**31  # largest |position * inv_freq|
mpmath.mp.prec = 400


def bits(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def inv_freq(rng):
    """The f64 nearest to base^(-2i/d) for a real head, now and then any number in (0, 1]."""
    if rng.random() < 0.1:
        return rng.random() * 2.0 ** -rng.randrange(40) or 1.0
    if rng.random() < 0.15:
        return 2.0 ** -rng.randrange(20)
    base = rng.choice([100, 10_000, 500_000, 1_000_000, 5_000_000])
    d = rng.choice([32, 64, 80, 96, 128, 256])
    i = rng.randrange(d // 2)
    return float(mpmath.mpf(base) ** (mpmath.mpf(-2 * i) / d))


def near_quarter_turn(rng):
    """A position whose angle comes as near to a multiple of pi/2 as a continued fraction finds."""
    f = inv_freq(rng)
    ratio = Fraction(f) / Fraction(int(mpmath.pi * 2**380), 2**381)  # quarter turns per position
    best = None
    p0, q0, p1, q1 = 0, 1, 1, 0
    x = ratio
    limit = min(LIMIT, LIMIT / f)
    while True:
        a = x.numerator // x.denominator
        p0, p1, q0, q1 = p1, a * p1 + p0, q1, a * q1 + q0
        if q1 > limit:
            break
        best = q1
        if x == a:
            break
        x = 1 / (x - a)
    return Fraction(best or 1), f


def point(rng, n):
    kind = n % 8
    if kind == 0:  # short contexts
        return Fraction(rng.randrange(0, 2048)), inv_freq(rng)
    if kind == 1:  # any size of position
        return Fraction(rng.randrange(2 ** rng.randrange(1, 32))), inv_freq(rng)
    if kind == 2:  # negative
        return Fraction(-rng.randrange(2 ** rng.randrange(1, 32))), inv_freq(rng)
    if kind == 3:  # fractions, as RoPE-Tie and centred schemes make them
        return Fraction(rng.randrange(-10**6, 10**6), rng.choice([2, 3, 5, 7, 9, 10, 64, 97, 1001])), inv_freq(rng)
    if kind == 4:
        return near_quarter_turn(rng)
    if kind == 5:  # neighbours of the ends of 24-bit integers, and of the limit
        return Fraction(rng.choice([2**24, 2**31 - 9]) + rng.randrange(-8, 9)), inv_freq(rng)
    if kind == 6:  # an f64 position next to a multiple of pi/2
        f = inv_freq(rng)
        turns = rng.randrange(1, 2 ** rng.randrange(1, 30))
        return Fraction(float(turns * mpmath.pi / 2 / mpmath.mpf(f))), f
    # tiny
    return Fraction(rng.randrange(-9, 10), 2 ** rng.randrange(0, 60)), inv_freq(rng)


def main():
    rng = random.Random(20260)
    lines, seen = [], set()
    n = 0
    while len(lines) < COUNT:
        position, f = point(rng, n)
        n += 1
        angle = position * Fraction(f)
        if abs(angle) > LIMIT or (position, f) in seen:
            continue
        seen.add((position, f))
        theta = mpmath.mpf(angle.numerator) / angle.denominator
        cos, sin = (mpmath.nstr(fn(theta), DIGITS, strip_zeros=True) for fn in (mpmath.cos, mpmath.sin))
        lines.append(f"{position} {bits(f):016x} {cos} {sin}\n")
    path = pathlib.Path(__file__).resolve().parent.parent / "golden" / "reference_points.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text("# written by scripts/golden_points.py; position, inv_freq, cos, sin\n" + "".join(lines))


if __name__ == "__main__":
    main()
