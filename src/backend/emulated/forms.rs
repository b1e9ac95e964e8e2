//! Pairs that are rotated by three products, or by three shears: each step exact and then rounded as the
//! contract says.

use super::arithmetic::Arithmetic;
use super::factor::{Factor, Tangent};
use super::frequencies::flushed;
use super::functions::LibraryFunction;
use super::ideal::odd;
use super::knobs::{Fused, HalfTangent};
use crate::contract::Fma;
use crate::numeric::{DType, Dd};

/// Sum of two that may be infinite; the second part of an infinity means nothing.
fn sum(p: Dd, q: Dd) -> Dd {
    if p.hi.is_finite() && q.hi.is_finite() { p.plus(q) } else { Dd::from_f64(p.hi + q.hi) }
}

/// The same of a product.
fn product(p: Dd, q: Dd) -> Dd {
    if p.hi.is_finite() && q.hi.is_finite() { p.times(q) } else { Dd::from_f64(p.hi * q.hi) }
}

/// The same of a quotient.
fn quotient(p: Dd, q: Dd) -> Dd {
    let first = p.hi / q.hi;
    let rest = p.plus(-q.times_f64(first));
    if first.is_finite() { Dd::from_f64(first).plus(Dd::from_f64(rest.hi / q.hi)) } else { Dd::from_f64(first) }
}

impl Arithmetic {
    /// c (a + b) - b (c + s) and c (a + b) + a (s - c).
    pub(super) fn three_products(&self, a: f64, b: f64, factor: &Factor) -> (f64, f64) {
        let Factor { cos, sin, .. } = *factor;
        let (a, b) = (Dd::from_f64(a), Dd::from_f64(b));
        let both = self.wide_operation(sum(a, b));
        // The same numbers wherever they are kept: they depend on the position alone.
        let (plus, minus) = (self.wide_operation(sum(sin, cos)), self.wide_operation(sum(sin, -cos)));
        let shared = product(cos, both);
        (self.sum_of(shared, -product(b, plus)), self.sum_of(shared, product(a, minus)))
    }

    /// a += t b, b += s a, a += t b, after half a turn of both where the cosine is negative.
    pub(super) fn shears(&self, a: f64, b: f64, factor: &Factor) -> (f64, f64) {
        let (half, half_turn) = match factor.tangent {
            Some(Tangent { value, half_turn }) => (value, half_turn),
            None => {
                let half_turn = factor.cos.hi.is_sign_negative();
                let (cos, sin) = if half_turn { (-factor.cos, -factor.sin) } else { (factor.cos, factor.sin) };
                let below = self.wide_operation(sum(Dd::from_f64(1.0), cos));
                (self.wide_operation(quotient(-sin, below)), half_turn)
            }
        };
        let back = if half_turn { -1.0 } else { 1.0 };
        let (a, b, sin) = (Dd::from_f64(back * a), Dd::from_f64(back * b), factor.sin.times_f64(back));
        // A fused multiply-add is one in every shear where it always is, else in all of them or in the second
        // one.
        let all = self.fused == Fused::OfCos || self.types.fma == Fma::Always;
        let added = |to: Dd, of: Dd, by: Dd, fused: bool| {
            let moved = product(of, by);
            let moved = if fused { moved } else { self.wide_operation(moved) };
            self.wide_operation(sum(to, moved))
        };
        let first = added(a, b, half, all);
        let second = added(b, first, sin, self.fused != Fused::None);
        let first = added(first, second, half, all);
        (self.finished(odd(first)), self.finished(odd(second)))
    }

    /// The tangent of half an angle from its cosine and sine in f32, or from a function of the library;
    /// `None` if it is made from what is kept of them.
    pub(super) fn tangent(&self, (cos, sin): (f64, f64), argument: u64, exact: (f64, f64)) -> Option<Tangent> {
        let flushing = |v: f64| flushed(self.knobs.flush, DType::F32, v);
        let half_turn = cos.is_sign_negative();
        let back = if half_turn { -1.0 } else { 1.0 };
        let value = match self.knobs.tangent {
            HalfTangent::OfTable => return None,
            HalfTangent::OfFactors if self.table.is_none() => -back * sin / (1.0 + back * cos),
            HalfTangent::OfFactors => {
                let below = DType::F32.round(1.0 + back * cos);
                flushing(DType::F32.round(odd(quotient(Dd::from_f64(-back * sin), Dd::from_f64(below)))))
            }
            HalfTangent::Function => {
                let exact = -back * exact.1 / (1.0 + back * exact.0);
                let (ulps, absolute) = (self.trig_ulps, self.trig_error);
                flushing(self.functions.result(LibraryFunction::Tangent, argument, exact, ulps, absolute))
            }
        };
        Some(Tangent { value: self.kept(value), half_turn })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::emulated::Knobs;
    use crate::contract::{Declaration, contracts};
    use crate::numeric::Rng;

    fn of(text: &str, storage: DType, knobs: &Knobs) -> Arithmetic {
        let table = contracts().expect("they load");
        let contract = Declaration::parse(text).and_then(|d| d.resolve(&table)).expect("a contract");
        Arithmetic::new(&contract, storage, knobs, 1.0)
    }

    fn numbers(rng: &mut Rng) -> [f32; 4] {
        let mut any = || (20.0 * rng.unit() - 10.0) as f32;
        let (a, b) = (any(), any());
        let angle = 6.3 * rng.unit();
        [a, b, angle.cos() as f32, angle.sin() as f32]
    }

    fn factor(cos: f32, sin: f32) -> Factor {
        Factor { cos: Dd::from_f64(cos.into()), sin: Dd::from_f64(sin.into()), tangent: None }
    }

    #[test]
    fn three_products_in_f32_are_those_of_the_machine() {
        let mut rng = Rng::new(15);
        for fused in [Fused::None, Fused::OfCos, Fused::OfSin] {
            let kernel = of("fused/table,rotation=three-products", DType::F32, &Knobs { fused, ..Knobs::default() });
            for _ in 0..5000 {
                let [a, b, c, s] = numbers(&mut rng);
                let (first, second) = kernel.turn(a.into(), b.into(), &factor(c, s));
                let (w, plus, minus) = (a + b, c + s, s - c);
                let expected = match fused {
                    Fused::None => (c * w - b * plus, c * w + a * minus),
                    Fused::OfCos => (c.mul_add(w, -(b * plus)), c.mul_add(w, a * minus)),
                    Fused::OfSin => ((-b).mul_add(plus, c * w), a.mul_add(minus, c * w)),
                };
                assert_eq!((first as f32, second as f32), expected, "{fused:?}: {a} {b} {c} {s}");
            }
        }
    }

    #[test]
    fn shears_in_f32_are_those_of_the_machine() {
        let mut rng = Rng::new(16);
        for fused in [Fused::None, Fused::OfCos, Fused::OfSin] {
            let text = "fused/table,rotation=shears,scaling=outputs";
            let kernel = of(text, DType::F32, &Knobs { fused, ..Knobs::default() });
            for _ in 0..5000 {
                let [a, b, c, s] = numbers(&mut rng);
                let (first, second) = kernel.turn(a.into(), b.into(), &factor(c, s));
                let (x, y, c, s) = if c < 0.0 { (-a, -b, -c, -s) } else { (a, b, c, s) };
                let t = -s / (1.0 + c);
                let shear = |to: f32, of: f32, by: f32, fused: bool| {
                    if fused { of.mul_add(by, to) } else { to + of * by }
                };
                let x = shear(x, y, t, fused == Fused::OfCos);
                let y = shear(y, x, s, fused != Fused::None);
                let x = shear(x, y, t, fused == Fused::OfCos);
                assert_eq!((first as f32, second as f32), (x, y), "{fused:?}: {a} {b} {c} {s}");
            }
        }
    }

    #[test]
    fn infinities_are_those_of_the_machine() {
        let most = f64::from(f32::MAX);
        let three = of("fused/table,rotation=three-products", DType::F32, &Knobs::default());
        let (first, second) = three.turn(most, most, &factor(0.5, 0.25));
        assert_eq!((first, second), (f64::INFINITY, f64::INFINITY), "a + b is infinite");
        assert!(three.turn(most, most, &factor(0.0, 1.0)).0.is_nan());
        let shears = of("fused/table,rotation=shears,scaling=outputs", DType::F32, &Knobs::default());
        let (first, second) = shears.turn(most, -most, &factor(0.8, 0.6));
        assert!(first.is_nan() && second == f64::INFINITY, "a + t b is infinite: {first} {second}");
    }
}
