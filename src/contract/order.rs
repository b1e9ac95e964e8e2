//! Which of two contracts allows no more than the other, as far as that follows from their numbers.

use super::arithmetic::{AngleUnit, Contract, Fma};
use super::frequency_rule::{FrequencyRule, Steps};
use super::precision::Precision;
use super::types::Types;
use crate::numeric::DType;

impl Contract {
    /// Whether this contract claims all that `other` claims of tensors of a storage type, and allows no more: no
    /// part of it errs by more (but for what f64 costs where something is exact), and it claims something at every
    /// angle at which the other does. The order is partial. Of two that rotate pairs in different ways or
    /// scale different things, and of ways to frequencies whose costs cross, neither is within the other.
    #[must_use]
    pub fn is_within(&self, other: &Contract, storage: DType) -> bool {
        let (a, b) = (&self.class, &other.class);
        let (ours, theirs) = (Types::new(self, storage), Types::new(other, storage));
        // Of f16 and bf16 the one has more bits, the other more exponents.
        let narrower = |ours: Option<DType>, theirs: Option<DType>| ours == theirs || rank(ours) < rank(theirs);
        let angles = a.angles == Precision::Exact
            || (narrower(a.angles.angles(), b.angles.angles())
                && a.angle_unit <= b.angle_unit
                && a.position_roundings <= b.position_roundings
                && a.angle_roundings <= b.angle_roundings
                && a.angle_error <= b.angle_error
                && self.frequencies.is_within(&other.frequencies)
                && (a.angle_unit == AngleUnit::Radians || self.frequencies.is_within_in_turns(&other.frequencies)));
        // As many turns as the kernel's position says each err, whatever the angle is computed in.
        let turned = a.trig_error_per_position == 0.0 || a.position_roundings <= b.position_roundings;
        // Inputs and outputs that were scaled in a wider type are rounded once more.
        let factors = a.scales_factors();
        let limit = |limit: Option<f64>| limit.unwrap_or(f64::INFINITY);
        angles
            && turned
            && narrower(ours.table, theirs.table)
            && narrower(ours.arithmetic, theirs.arithmetic)
            && a.trig_ulps <= b.trig_ulps
            && a.trig_error <= b.trig_error
            && a.trig_error_per_position <= b.trig_error_per_position
            && limit(a.angle_limit) >= limit(b.angle_limit)
            && (b.flushes || !a.flushes)
            && a.rotation == b.rotation
            && (a.fma == b.fma || b.fma == Fma::Allowed)
            && (theirs.truncates || !ours.truncates)
            && a.scaling == b.scaling
            && (ours.scaled == theirs.scaled || (factors && narrower(ours.scaled, theirs.scaled)))
    }
}

/// Types by how much is lost in them: none, f64, f32, narrower ones.
fn rank(dtype: Option<DType>) -> u8 {
    match dtype {
        None => 0,
        Some(DType::F64) => 1,
        Some(DType::F32) => 2,
        Some(_) => 3,
    }
}

impl FrequencyRule {
    /// What [`FrequencyRule::is_within`] needs besides, in turns: a table pays for its roundings at f = 1 too, where a
    /// computed frequency pays for two alone.
    fn is_within_in_turns(&self, other: &FrequencyRule) -> bool {
        self.only_rounds() == other.only_rounds() || self.once.roundings <= 2.0
    }

    /// Whether it costs no more than `other` at any frequency.
    fn is_within(&self, other: &FrequencyRule) -> bool {
        // What a library function errs by, and how far a rounded exponent may be beyond a binade, grow with its ulps.
        let ulps = |rule: &FrequencyRule| if rule.calls_library() { rule.library_ulps } else { 0.0 };
        let cost = |rule: &FrequencyRule, steps: &Steps| steps.roundings + 2.0 * rule.library_ulps * steps.library;
        let no_more =
            |ours: &Steps, theirs: &Steps| cost(self, ours) <= cost(other, theirs) && ours.exponent <= theirs.exponent;
        ulps(self) <= ulps(other)
            && no_more(&self.once, &other.once)
            && no_more(&self.per_index, &other.per_index)
            && (self.logarithm.is_none() || self.logarithm == other.logarithm)
            // A base that is no number of the type costs something, where one is needed.
            && (other.needs_base() || !self.needs_base())
            // A frequency that is only rounded costs nothing where the type holds it.
            && (self.only_rounds() || !other.only_rounds())
    }
}

#[cfg(test)]
mod tests {
    use crate::contract::{Contract, Declaration, contracts};
    use crate::numeric::DType;

    fn contract(text: &str) -> Contract {
        let table = contracts().expect("no mistakes");
        Declaration::parse(text).and_then(|declared| declared.resolve(&table)).expect(text)
    }

    #[track_caller]
    fn within(narrow: &str, wide: &str, storage: DType) -> bool {
        contract(narrow).is_within(&contract(wide), storage)
    }

    #[test]
    fn classes_and_ways_are_in_their_order() {
        let classes = ["ideal", "fused", "cached", "eager"];
        for (at, narrow) in classes.iter().enumerate() {
            for (other, wide) in classes.iter().enumerate() {
                let found = within(&format!("{narrow}/table"), &format!("{wide}/table"), DType::BF16);
                assert_eq!(found, at <= other, "{narrow} in {wide}");
            }
        }
        // At f = 1 a table of three roundings costs more turns than what is computed.
        let turns = |more: &str| format!("fused/table,angle_unit=turns,roundings={more}");
        assert!(within(&turns("2"), &turns("2,per_index.roundings=1"), DType::F32));
        assert!(!within(&turns("3"), &turns("3,per_index.roundings=1"), DType::F32));
        // In f32 what is kept in the storage type is kept in f32.
        assert!(within("eager/table", "fused/table", DType::F32));
        assert!(within("fused/table", "fast/table", DType::F16) && !within("fast/table", "eager/table", DType::F16));
        for (narrow, wide, expected) in [
            ("table", "pow", true),
            ("pow", "table", false),
            ("pow", "pow-reciprocal", true),
            ("pow", "exp", true),
            ("exp", "exp2", false),
            ("exp2", "exp", false),
            // A step per index costs nothing at index 0, and more than any other way far from it.
            ("scale", "pow", false),
            ("pow", "scale", false),
        ] {
            let found = within(&format!("fused/{narrow}"), &format!("fused/{wide}"), DType::BF16);
            assert_eq!(found, expected, "{narrow} in {wide}");
        }
        // Exact angles come by their frequencies in no way that costs something.
        assert!(within("ideal/recurrence", "fused/table", DType::F32));
    }

    #[test]
    fn every_number_that_allows_more_is_no_longer_within() {
        for (wide, narrow) in [
            ("trig_ulps=3", "trig_ulps=2"),
            ("trig_error=1e-6", "trig_error=0"),
            ("trig_error_per_position=1e-6", "trig_error_per_position=0"),
            ("angle_unit=turns", "angle_unit=half-turns"),
            ("angle_unit=half-turns", "angle_unit=radians"),
            ("angle_roundings=1", "angle_roundings=0"),
            ("angle_error=1e-6", "angle_error=0"),
            ("table=f16", "table=f32"),
            ("table=bf16", "table=f32"),
            ("angle_limit=3", "angle_limit=4"),
            ("flushes=true", "flushes=false"),
            ("store=toward-zero", "store=nearest"),
            ("fma=allowed", "fma=never"),
            ("fma=allowed", "fma=always"),
            ("rotation=three-products,arithmetic=storage", "rotation=three-products,arithmetic=f32"),
            ("rotation=shears,scaling=outputs,fma=allowed", "rotation=shears,scaling=outputs,fma=always"),
            ("angles=f32", "angles=f64"),
            ("arithmetic=storage", "arithmetic=f32"),
            ("table=storage", "table=f32"),
            ("scaling_type=storage", "scaling_type=f32"),
            ("position_roundings=2", "position_roundings=1"),
            ("roundings=2", "roundings=1"),
            ("per_index.roundings=1", "per_index.roundings=0"),
            ("library=1,library_ulps=2", "library=1,library_ulps=1"),
            ("exponent=1", "exponent=0"),
            ("per_index.exponent=1", "per_index.exponent=0"),
            ("logarithm=e,library_ulps=1", "logarithm=none"),
            ("library=1,library_ulps=0.5", "roundings=1"),
        ] {
            let [wide, narrow] = [wide, narrow].map(|settings| format!("fused/table,{settings}"));
            assert!(within(&narrow, &wide, DType::BF16), "{narrow} in {wide}");
            assert!(!within(&wide, &narrow, DType::BF16), "{wide} in {narrow}");
        }
        // f32 kept in f32 is not cut off; f64 kept in f32 is.
        let cut = ["fused/table,store=toward-zero,arithmetic=exact", "fused/table,store=toward-zero"];
        assert!(!within(cut[0], cut[1], DType::F32) && within(cut[0], cut[1], DType::BF16));
        let same = |one: &str, other: &str| within(one, other, DType::BF16) && within(other, one, DType::BF16);
        assert!(same("cached/table", "fused/table,table=bf16"));
        for (one, other) in [
            ("fma=always", "fma=never"),
            ("rotation=three-products", "rotation=four-products"),
            ("rotation=shears,scaling=inputs", "rotation=four-products,scaling=inputs"),
            ("rotation=shears,scaling=inputs", "rotation=three-products,scaling=inputs"),
            ("scaling=inputs", "scaling=factors"),
            ("scaling=table", "scaling=factors"),
            ("table=f16", "table=bf16"),
            ("table=bf16", "table=storage"),
        ] {
            let [one, other] = [one, other].map(|settings| format!("fused/table,{settings}"));
            assert!(!within(&one, &other, DType::F16) && !within(&other, &one, DType::F16), "{one}, {other}");
        }
    }
}
