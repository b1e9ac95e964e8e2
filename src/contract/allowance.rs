//! A bound as the sum of its parts. `docs/numerics.md` derives each.

use crate::numeric::DType;

use super::arithmetic::Fma;
use super::types::F64_COST;
use super::types::ScaledValues;
use super::types::Types;
use super::types::UP;

/// A reason that a part of a bound exists for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AllowanceTerm {
    /// The kernel's angle is rounded, as is its frequency.
    Angle,
    /// Its sine and cosine, and their scaling.
    Trig,
    /// Keeping these in a narrow table.
    Table,
    /// Making the tangent of half the angle from them, for shears.
    Tangent,
    /// Scaling the inputs or the outputs.
    Scaling,
    /// Rounding what comes before the last products: sums of inputs and of factors, and shears.
    Steps,
    /// Rounding the last products.
    Products,
    /// Rounding their sum.
    Sum,
    /// Rounding to the storage type.
    Store,
    /// The reference's own error.
    Reference,
}

impl AllowanceTerm {
    /// The name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            AllowanceTerm::Angle => "angle",
            AllowanceTerm::Trig => "trig",
            AllowanceTerm::Table => "table",
            AllowanceTerm::Tangent => "tangent",
            AllowanceTerm::Scaling => "scaling",
            AllowanceTerm::Steps => "steps",
            AllowanceTerm::Products => "products",
            AllowanceTerm::Sum => "sum",
            AllowanceTerm::Store => "store",
            AllowanceTerm::Reference => "reference",
        }
    }
}

/// A bound, by the reason that each part of it exists for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Allowance {
    /// The kernel's angle is rounded, as is its frequency.
    pub angle: f64,
    /// Its sine and cosine, and their scaling.
    pub trig: f64,
    /// Keeping these in a narrow table.
    pub table: f64,
    /// Making the tangent of half the angle from them, for shears.
    pub tangent: f64,
    /// Scaling the inputs or the outputs.
    pub scaling: f64,
    /// Rounding what comes before the last products: sums of inputs and of factors, and shears.
    pub steps: f64,
    /// Rounding the last products.
    pub products: f64,
    /// Rounding their sum.
    pub sum: f64,
    /// Rounding to the storage type.
    pub store: f64,
    /// The reference's own error.
    pub reference: f64,
}

impl Allowance {
    /// The whole bound.
    #[must_use]
    pub fn total(&self) -> f64 {
        let factors = self.angle + self.trig + self.table + self.tangent;
        factors + self.scaling + self.steps + self.products + self.sum + self.store + self.reference
    }

    /// What is left for a kernel whose cosines and sines are known: the same where its inputs alone differ.
    #[must_use]
    pub fn beside_factors(&self) -> f64 {
        self.scaling + self.steps + self.products + self.sum + self.store
    }

    /// The parts by name, largest first.
    #[must_use]
    pub fn parts(&self) -> [(AllowanceTerm, f64); 10] {
        let mut parts = [
            (AllowanceTerm::Angle, self.angle),
            (AllowanceTerm::Trig, self.trig),
            (AllowanceTerm::Table, self.table),
            (AllowanceTerm::Tangent, self.tangent),
            (AllowanceTerm::Scaling, self.scaling),
            (AllowanceTerm::Steps, self.steps),
            (AllowanceTerm::Products, self.products),
            (AllowanceTerm::Sum, self.sum),
            (AllowanceTerm::Store, self.store),
            (AllowanceTerm::Reference, self.reference),
        ];
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts
    }

    /// Roundings of two products of these sizes.
    pub(super) fn products(types: &Types, (first, second): (f64, f64)) -> f64 {
        let (one, other) = (types.operation(first), types.operation(second));
        match types.arithmetic {
            None => F64_COST * (first + second),
            // One of them is not rounded; which one is not known.
            Some(_) if types.fma == Fma::Always => one.max(other),
            Some(_) => one + other,
        }
    }

    /// Adds what products, sum and store cost; errors so far are inside. Where the outputs are `scaled`
    /// afterwards `products` is what these cost before.
    pub(super) fn finish(&mut self, types: &Types, scaled: Option<&ScaledValues>, products: f64, value: f64) {
        if let Some(by) = scaled.filter(|by| by.outputs) {
            return self.outputs_scaled(types, by, products, value);
        }
        self.products = products;
        self.sum = types.operation(value + self.total());
        self.store = if types.stores() { types.store(value + self.total()) } else { 0.0 };
    }

    /// The same where the outputs are multiplied by the scaling afterwards: everything before it at 1/m of its size.
    fn outputs_scaled(&mut self, types: &Types, by: &ScaledValues, products: f64, value: f64) {
        let down = |v: f64| v / by.by * UP;
        self.products = by.by * products;
        self.sum = by.by * types.operation(down(value + self.total()));
        // In the storage type it is an operation on tensors, which were stored before it.
        let narrow = Some(types.storage);
        let stored_before = types.scaled.is_some_and(|t| t != DType::F32) && types.arithmetic != narrow;
        let before = if stored_before { by.by * types.store_between(down(value + self.total())) } else { 0.0 };
        self.scaling = before + by.cost(types, down(value + self.total() + before));
        self.store = if types.rounds_from(types.scaled_result()) { types.store(value + self.total()) } else { 0.0 };
    }
}

/// By how much output y for (a, b) may differ from p1 + p2, the outputs for (a, 0) and (0, b) at the same position, whatever
/// the angle, for every kernel that rotates by four products and applies no scaling; all three finite.
/// Nothing follows of a kernel that does not round to nearest ([`Types::truncates`]).
#[must_use]
pub fn superposition_allowance(types: &Types, y: f64, p1: f64, p2: f64) -> f64 {
    // Rounding is monotone, so a result in a binade was in it, or at its upper end, before it was rounded: the roundings of
    // the products, the sum and the store are each at most what they are at the result.
    let operation = |v: f64| types.operation(v.abs());
    let exact = if types.arithmetic.is_none() { F64_COST * (y.abs() + p1.abs() + p2.abs()) } else { 0.0 };
    if !types.stores() {
        // A kernel that computes more exactly than declared rounds each of the three once.
        return exact + operation(y) + operation(p1) + operation(p2);
    }
    let stores: f64 = [y, p1, p2].iter().map(|v| types.store(*v)).sum();
    let products = match types.fma {
        // p1 and p2 hold the very products that y is the sum of.
        Fma::Never => 0.0,
        // All but one of them.
        Fma::Allowed | Fma::Always => operation(p1).max(operation(p2)),
    };
    exact + stores + operation(y) + products
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Rotation, Scaling};

    /// Of the products 1.5 and 0.75 times 1/3.
    fn outputs_scaled(found: &mut Allowance, types: &Types, by: &ScaledValues, value: f64) {
        found.finish(types, Some(by), Allowance::products(types, (0.5, 0.25)), value);
    }

    /// f32 throughout, or everything in `narrow` type; outputs are scaled.
    fn types(storage: DType, operations: DType) -> Types {
        Types {
            storage,
            output: storage,
            arithmetic: Some(operations),
            table: Some(operations),
            flushes: false,
            rotation: Rotation::FourProducts,
            fma: Fma::Allowed,
            truncates: false,
            scaling: Scaling::Outputs,
            scaled: Some(operations),
        }
    }

    /// 2^e
    fn two(e: i32) -> f64 {
        2f64.powi(e)
    }

    #[test]
    fn parts_are_named_and_sorted_and_add_up() {
        let all = Allowance {
            angle: 1.0,
            trig: 2.0,
            table: 4.0,
            scaling: 8.0,
            products: 16.0,
            sum: 32.0,
            store: 64.0,
            reference: 128.0,
            tangent: 256.0,
            steps: 512.0,
        };
        let expected = [
            (AllowanceTerm::Steps, 512.0),
            (AllowanceTerm::Tangent, 256.0),
            (AllowanceTerm::Reference, 128.0),
            (AllowanceTerm::Store, 64.0),
            (AllowanceTerm::Sum, 32.0),
            (AllowanceTerm::Products, 16.0),
            (AllowanceTerm::Scaling, 8.0),
            (AllowanceTerm::Table, 4.0),
            (AllowanceTerm::Trig, 2.0),
            (AllowanceTerm::Angle, 1.0),
        ];
        assert_eq!(all.parts(), expected);
        assert_eq!((all.total(), all.beside_factors()), (1023.0, 632.0));
    }

    /// 3 (fl(p1) + fl(p2)) with |p1| <= 1/2, |p2| <= 1/4 and the sum 2/3, counted by hand. A half ulp of f32 is 2^-25 in [1/2, 1),
    /// 2^-26 in [1/4, 1/2) and 2^-23 in [2, 4).
    #[test]
    fn what_scaled_outputs_cost_is_counted_by_hand() {
        let by = ScaledValues { outputs: true, by: 3.0, error: 0.0, power_of_two: false };
        let mut found = Allowance::default();
        outputs_scaled(&mut found, &types(DType::F32, DType::F32), &by, 2.0);
        let expected = Allowance {
            products: 3.0 * (two(-25) + two(-26)),
            sum: 3.0 * two(-25),
            scaling: two(-23),
            ..Allowance::default()
        };
        assert_eq!(found, expected);

        // The same kernel, storing bf16: the product by 3 is rounded to bf16, and not again.
        let mut found = Allowance::default();
        let wide = Types { scaled: Some(DType::F32), ..types(DType::BF16, DType::F32) };
        outputs_scaled(&mut found, &wide, &by, 2.0);
        assert_eq!(found, Allowance { store: two(-7), ..expected });

        // A tensor of bf16 multiplied by 3: the sum is stored before (half an ulp is 2^-9), and the product after (2^-7, f32's
        // own rounding included).
        let mut found = Allowance::default();
        let tensors = Types { scaled: Some(DType::BF16), ..types(DType::BF16, DType::F32) };
        outputs_scaled(&mut found, &tensors, &by, 2.0);
        let scaling = 3.0 * two(-9) + two(-23) + two(-7);
        assert_eq!(found, Allowance { scaling, ..expected });
    }

    /// Errors so far may carry a value into the next binade, before it is multiplied by 3 and after.
    #[test]
    fn what_scaled_outputs_cost_counts_the_errors_so_far() {
        let by = ScaledValues { outputs: true, by: 3.0, error: 0.0, power_of_two: false };
        let of = |types: &Types, value: f64| {
            let mut found = Allowance { angle: 0.4, ..Allowance::default() };
            outputs_scaled(&mut found, types, &by, value);
            found
        };
        let f32 = types(DType::F32, DType::F32);
        // 3.3 / 3 is above 1, 2.5 / 3 is not.
        assert_eq!((of(&f32, 2.9).sum, of(&f32, 2.5).sum), (3.0 * two(-24), 3.0 * two(-25)));
        // 4.3 is above 4, 3.9 is not.
        assert_eq!((of(&f32, 3.9).scaling, of(&f32, 3.5).scaling), (two(-22), two(-23)));
        let wide = Types { scaled: Some(DType::F32), ..types(DType::BF16, DType::F32) };
        assert_eq!((of(&wide, 3.9).store, of(&wide, 3.5).store), (two(-6), two(-7)));
        let tensors = Types { scaled: Some(DType::BF16), ..types(DType::BF16, DType::F32) };
        assert_eq!(of(&tensors, 2.9).scaling, 3.0 * two(-8) + two(-23) + two(-7));
        assert_eq!(of(&tensors, 2.5).scaling, 3.0 * two(-9) + two(-23) + two(-7));
        // 3.99 + 3 * 2^-8 is above 4: what is stored before counts as well.
        let mut found = Allowance::default();
        outputs_scaled(&mut found, &tensors, &by, 3.99);
        assert_eq!(found.scaling, 3.0 * two(-8) + two(-22) + two(-6));
    }

    #[test]
    fn what_superposition_costs_is_counted_by_hand() {
        let f32 = types(DType::F32, DType::F32);
        // y in [1, 2), parts in [1/2, 1) and [1/4, 1/2): each was rounded once.
        let three = two(-24) + two(-25) + two(-26);
        assert_eq!(superposition_allowance(&f32, -1.25, 0.75, -0.3), three);
        // Stored in bf16 as well (2^-8, 2^-9, 2^-10 for the three), the sum in f32, and the larger one of the two products.
        let stored = types(DType::BF16, DType::F32);
        let stores = two(-8) + two(-9) + two(-10);
        assert_eq!(superposition_allowance(&stored, -1.25, 0.75, -0.3), stores + two(-24) + two(-25));
        let never = Types { fma: Fma::Never, ..stored };
        assert_eq!(superposition_allowance(&never, -1.25, 0.75, -0.3), stores + two(-24));
        // f64 inside: 2^-51 of the three, and the stores.
        let exact = Types { arithmetic: None, ..stored };
        assert_eq!(superposition_allowance(&exact, -1.25, 0.75, -0.25), stores + two(-51) * 2.25);
    }
}
