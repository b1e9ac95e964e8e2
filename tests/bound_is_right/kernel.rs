//! Kernels, operation by operation, with errors put where a contract allows them.

use ropecheck::numeric::{DType, Rng};
use ropecheck::plan::contract::Scaling;

/// How a kernel gets its frequencies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    Table,
    Pow,
    PowReciprocal,
    Exp,
    Exp2,
    Scale,
    Recurrence,
}

pub const WAYS: [(Way, &str); 7] = [
    (Way::Table, "table"),
    (Way::Pow, "pow"),
    (Way::PowReciprocal, "pow-reciprocal"),
    (Way::Exp, "exp"),
    (Way::Exp2, "exp2"),
    (Way::Scale, "scale"),
    (Way::Recurrence, "recurrence"),
];

/// What is wrong with a kernel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    Bf16Angles,
    Bf16Frequencies,
    LastPairUnturned,
    OtherBase,
    F16Positions,
    TruncatingStore,
    Trig(f64),
    SwappedSign,
}

#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    pub way: Way,
    /// cos and sin are rounded to the storage type.
    pub narrow_table: bool,
    /// Every operation is.
    pub narrow_arithmetic: bool,
    /// Narrow operations are computed in f32 first.
    pub through_f32: bool,
    pub fma: bool,
    pub flush: bool,
    pub storage: DType,
    pub base: f64,
    pub d: u32,
    pub scaling: f64,
    /// What it multiplies, and whether it does so as an operation on tensors of the storage type.
    pub place: Scaling,
    pub narrow_scaling: bool,
    /// Positions, frequencies and angles are f64 (ways table and pow).
    pub wide_angles: bool,
    /// Rounding to the storage type drops the low bits.
    pub truncates: bool,
    /// P and tau.
    pub library_ulps: f64,
    pub trig_ulps: f64,
    pub fault: Fault,
}

/// An f32 within `ulps` of the exact x, often at the very end of that range.
fn disturbed(rng: &mut Rng, x: f64, ulps: f64) -> f32 {
    if x == 0.0 || x == 1.0 {
        return x as f32;
    }
    let ulp = 2.0 * DType::F32.half_ulp(x);
    let end = ulps * ulp;
    let t = match rng.below(4) {
        0 => 1.0,
        1 => -1.0,
        _ => 2.0 * rng.unit() - 1.0,
    };
    let mut v = (x + t * end) as f32;
    while (f64::from(v) - x).abs() > end {
        v = if f64::from(v) > x { v.next_down() } else { v.next_up() };
    }
    v
}

impl Kernel {
    fn flushed(&self, dtype: DType, v: f64) -> f64 {
        if self.flush && v.abs() < dtype.min_normal() { 0.0 } else { v }
    }

    fn f32(&self, v: f32) -> f32 {
        self.flushed(DType::F32, f64::from(v)) as f32
    }

    /// One rounding to the storage type.
    fn narrow(&self, v: f64) -> f64 {
        let nearest = self.storage.round(v);
        let narrow = if self.truncates && nearest.abs() > v.abs() && v.is_finite() {
            // One magnitude less; below infinity lies the largest number.
            self.storage.decode(self.storage.encode(nearest) - 1)
        } else {
            nearest
        };
        self.flushed(self.storage, narrow)
    }

    /// v times the scaling.
    fn scaled(&self, v: f32) -> f32 {
        if self.scaling == 1.0 {
            return v;
        }
        let narrow = self.storage != DType::F32;
        if self.narrow_scaling && narrow {
            let v = self.narrow(f64::from(v)) as f32;
            return self.narrow(f64::from(self.f32(v * self.storage.round(self.scaling) as f32))) as f32;
        }
        let product = self.f32(v * self.scaling as f32);
        let rounds = self.narrow_arithmetic && narrow && self.place != Scaling::Factors;
        if rounds { self.narrow(f64::from(product)) as f32 } else { product }
    }

    /// Angles in f64 for the frequencies of the plan, or those an ulp away.
    fn wide_angles(&self, rng: &mut Rng, exact: &[f64], position: f64) -> Vec<f64> {
        let one = |f: &f64| {
            let near = match rng.below(3) {
                _ if self.way == Way::Table || *f == 1.0 => *f,
                0 => f.next_down(),
                1 => f.next_up(),
                _ => *f,
            };
            position * near
        };
        exact.iter().map(one).collect()
    }

    /// The frequencies in f32: exact mathematics, rounded or disturbed where the way says so. `exact` holds the plan's.
    fn frequencies(&self, rng: &mut Rng, exact: &[f64]) -> Vec<f32> {
        let base = if self.fault == Fault::OtherBase { 10_000.0 } else { self.base };
        let b = f64::from(base as f32);
        let p = self.library_ulps;
        let e = |i: u32| f64::from((2 * i) as f32 / self.d as f32);
        let step = disturbed(rng, b.powf(-e(1)), p);
        let log = disturbed(rng, b.ln(), p);
        let log2 = disturbed(rng, b.log2(), p);
        let mut running = 1.0f32;
        let mut all = Vec::new();
        for (i, exact) in (0u32..).zip(exact) {
            let f = match self.way {
                Way::Table if self.fault == Fault::OtherBase => base.powf(-e(i)) as f32,
                Way::Table => *exact as f32,
                Way::Pow => disturbed(rng, b.powf(-e(i)), p),
                Way::PowReciprocal => 1.0 / disturbed(rng, b.powf(e(i)), p),
                Way::Exp => disturbed(rng, f64::from(-(e(i) as f32) * log).exp(), p),
                Way::Exp2 => disturbed(rng, f64::from(-(e(i) as f32) * log2).exp2(), p),
                Way::Scale => disturbed(rng, f64::from(step).powi(i as i32), p),
                Way::Recurrence => {
                    let now = running;
                    running *= step;
                    now
                }
            };
            let bf16 = self.fault == Fault::Bf16Frequencies;
            all.push(self.f32(if bf16 { DType::BF16.round(f64::from(f)) as f32 } else { f }));
        }
        all
    }

    /// The factors of one token.
    pub fn factors(&self, rng: &mut Rng, exact: &[f64], position: f64) -> Vec<(f32, f32)> {
        let p = self.f32(if self.fault == Fault::F16Positions { DType::F16.round(position) } else { position } as f32);
        let last = exact.len() - 1;
        let step =
            disturbed(rng, f64::from(self.base as f32).powf(-f64::from(2f32 / self.d as f32)), self.library_ulps);
        let mut running = p;
        let wide = if self.wide_angles { self.wide_angles(rng, exact, position) } else { Vec::new() };
        let mut factors = Vec::new();
        for (i, f) in self.frequencies(rng, exact).into_iter().enumerate() {
            let mut angle = match self.way {
                Way::Recurrence => {
                    let now = running;
                    running *= step;
                    now
                }
                _ => p * f,
            };
            if self.fault == Fault::Bf16Angles {
                angle = DType::BF16.round(f64::from(angle)) as f32;
            }
            if self.fault == Fault::LastPairUnturned && i == last {
                angle = 0.0;
            }
            let angle = wide.get(i).copied().unwrap_or_else(|| f64::from(self.f32(angle)));
            let ulps = if let Fault::Trig(ulps) = self.fault { ulps } else { self.trig_ulps };
            let mut factor = |exact: f64| {
                // An f32 other than 0 has a cosine and a sine below 1, even if its nearest f64 is 1.
                let exact = if angle == 0.0 { exact } else { exact.clamp(-1f64.next_down(), 1f64.next_down()) };
                let mut v = self.f32(disturbed(rng, exact, ulps));
                if self.place == Scaling::Factors {
                    v = self.scaled(v);
                }
                if self.narrow_table { self.flushed(self.storage, self.storage.round(f64::from(v))) as f32 } else { v }
            };
            factors.push((factor(libm::cos(angle)), factor(libm::sin(angle))));
        }
        factors
    }

    /// x * y + z in one rounding, or x * y (z = 0), or x + z (y = 1), in the kernel's arithmetic.
    fn operation(&self, x: f32, y: f32, z: f32) -> f32 {
        let wide = if z == 0.0 {
            x * y
        } else if y == 1.0 {
            x + z
        } else {
            x.mul_add(y, z)
        };
        if !self.narrow_arithmetic || self.storage == DType::F32 {
            return self.f32(wide);
        }
        // The f64 has one rounding to the narrow type, but for sums that are far apart, where 2^-53 does not matter.
        let exact = f64::from(x) * f64::from(y) + f64::from(z);
        self.narrow(if self.through_f32 { f64::from(self.f32(wide)) } else { exact }) as f32
    }

    /// What the kernel writes for (a, b): numbers of the storage type.
    pub fn turn(&self, a: f64, b: f64, (cos, sin): (f32, f32)) -> (f64, f64) {
        let sin = if self.fault == Fault::SwappedSign { -sin } else { sin };
        let (mut a, mut b) = (self.flushed(self.storage, a) as f32, self.flushed(self.storage, b) as f32);
        if self.place == Scaling::Inputs {
            (a, b) = (self.scaled(a), self.scaled(b));
        }
        let output = |x: f32, y: f32, z: f32, w: f32| {
            let product = self.operation(z, w, 0.0);
            if self.fma {
                self.operation(x, y, product)
            } else {
                self.operation(self.operation(x, y, 0.0), 1.0, product)
            }
        };
        let outputs = [output(a, cos, b, -sin), output(b, cos, a, sin)];
        let scaled = |v: f32| if self.place == Scaling::Outputs { self.scaled(v) } else { v };
        let [first, second] = outputs.map(|v| self.store(scaled(v)));
        (first, second)
    }

    fn store(&self, v: f32) -> f64 {
        let v = f64::from(v);
        if self.fault == Fault::TruncatingStore && self.storage == DType::BF16 && v.is_finite() {
            return f64::from(f32::from_bits((v as f32).to_bits() & 0xffff_0000));
        }
        self.narrow(v)
    }
}
