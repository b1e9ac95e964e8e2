//! Laws of the error bound, on random elements of every class, way and type. tests/laws/bound_is_right.rs says that it is not too narrow.

use std::sync::LazyLock;

use proptest::prelude::*;

use crate::common::laws;
use ropecheck::contract::Declaration;
use ropecheck::contract::contracts;
use ropecheck::contract::{Contract, ContractTable, Frequency};
use ropecheck::contract::{Judgement, PairBound, Types};
use ropecheck::contract::{PairRow, RowBound, RowTally};
use ropecheck::numeric::{DType, Dd};

const FILE: &str = "tests/regressions/bound_laws.txt";

static TABLE: LazyLock<ContractTable> = LazyLock::new(|| contracts().unwrap_or_else(|errors| panic!("{errors}")));

/// One element: what is rotated where, and which of the two outputs is looked at.
#[derive(Debug, Clone)]
struct Element {
    inv_freq: f64,
    position: f64,
    scaling: f64,
    inputs: (f64, f64),
    second: bool,
    forward: bool,
    storage: DType,
}

fn elements() -> impl Strategy<Value = Element> {
    let position = prop_oneof![(0i32..300).prop_map(f64::from), any::<i32>().prop_map(f64::from)];
    // Numbers of every size that a storage type holds with room for the sum; some tiny, some zero.
    let input = || prop_oneof![-8.0f64..8.0, (-1.0f64..1.0, -24i32..12).prop_map(|(v, e)| v * 2f64.powi(e)), Just(0.0)];
    let scaling = prop_oneof![Just(1.0), Just(2.0), 0.5f64..2.0];
    let storage = prop::sample::select(vec![DType::F32, DType::F16, DType::BF16]);
    (1e-6f64..1.0, position, scaling, (input(), input()), any::<bool>(), any::<bool>(), storage).prop_map(
        |(inv_freq, position, scaling, inputs, second, forward, storage)| {
            let inputs = (storage.round(inputs.0), storage.round(inputs.1));
            Element { inv_freq, position, scaling, inputs, second, forward, storage }
        },
    )
}

impl Element {
    fn bound(&self, contract: &Contract, steps: f64) -> (PairBound, Types) {
        let types = Types::new(contract, self.storage);
        let at = Dd::from_f64(self.position);
        (PairBound::new(contract, &types, steps, self.inv_freq, at, self.scaling, self.forward), types)
    }

    /// The reference's value and the other output's.
    fn values(&self, bound: &PairBound) -> (f64, f64) {
        let (first, second) = bound.turn.apply(self.inputs.0, self.inputs.1);
        if self.second { (second, first) } else { (first, second) }
    }

    /// The whole bound.
    fn allowed(&self, contract: &Contract, steps: f64) -> f64 {
        let (bound, types) = self.bound(contract, steps);
        let (value, partner) = self.values(&bound);
        bound.allowance(&types, self.second, self.inputs, value, partner).total()
    }
}

/// Steps of a frequency of which nothing is known but its value: the exact one, rounded to the angles' type.
fn steps(contract: &Contract, inv_freq: f64) -> f64 {
    contract.steps(&Frequency::plain(inv_freq)).expect("a table is judged for every frequency")
}

fn contract(class: &str) -> Contract {
    TABLE.contract(class, "table").expect("a contract")
}

/// A class, a way to frequencies, and up to two numbers that differ.
fn declarations() -> impl Strategy<Value = String> {
    const SETTINGS: [&str; 30] = [
        "rotation=three-products",
        "rotation=shears,scaling=outputs",
        "rotation=shears,scaling=inputs",
        "angles=f64",
        "position_roundings=2",
        "angle_unit=turns",
        "angle_unit=half-turns",
        "angle_roundings=1",
        "angle_error=1e-6",
        "trig_error_per_position=1e-9",
        "table=f16",
        "table=bf16",
        "scaling=table",
        "scaling_type=storage",
        "table=f32",
        "arithmetic=exact",
        "trig_ulps=1",
        "trig_error=1e-6",
        "angle_limit=1000",
        "flushes=true",
        "fma=always",
        "fma=never",
        "store=toward-zero",
        "scaling=outputs",
        "scaling_type=exact",
        "roundings=2",
        "per_index.roundings=1",
        "exponent=1",
        "library_ulps=2",
        "logarithm=2",
    ];
    let names = |names: Vec<String>| prop::sample::select(names);
    let class = names(TABLE.classes.iter().map(|rule| rule.name.clone()).collect());
    let way = names(TABLE.frequencies.iter().map(|rule| rule.name.clone()).collect());
    let settings = prop::sample::subsequence(SETTINGS.to_vec(), 0..3);
    (class, way, settings).prop_map(|(class, way, settings)| {
        settings.into_iter().fold(format!("{class}/{way}"), |text, setting| format!("{text},{setting}"))
    })
}

proptest! {
    #![proptest_config(laws(8000, FILE))]

    #[test]
    fn more_steps_allow_no_less(element in elements(), k in 0.0f64..50.0, more in 0.0f64..200.0) {
        for class in &TABLE.classes {
            let contract = contract(&class.name);
            let (few, many) = (element.allowed(&contract, k), element.allowed(&contract, k + more));
            prop_assert!(few <= many, "{}: {} with {}, {} with {}", class.name, few, k, many, k + more);
        }
    }

    /// A power of two moves nothing but exponents: the bound of twice the input is twice the bound, but for what is left of
    /// subnormals, which does not grow; and it is never less.
    #[test]
    fn larger_inputs_allow_no_less(element in elements(), by in 0i32..3) {
        let factor = 2f64.powi(by);
        let larger = Element { inputs: (factor * element.inputs.0, factor * element.inputs.1), ..element.clone() };
        for class in &TABLE.classes {
            let contract = contract(&class.name);
            let k = steps(&contract, element.inv_freq);
            let (small, large) = (element.allowed(&contract, k), larger.allowed(&contract, k));
            prop_assert!(small <= large && large <= factor * small, "{}: {} and {}", class.name, small, large);
        }
    }

    #[test]
    fn signs_do_not_matter(element in elements()) {
        let (a, b) = element.inputs;
        let negated = Element { inputs: (-a, -b), ..element.clone() };
        // (a, -b) at the opposite angle is the mirror image.
        let mirrored = Element { inputs: (a, -b), position: -element.position, ..element.clone() };
        let turned = Element { inputs: (a, -b), forward: !element.forward, ..element.clone() };
        for class in &TABLE.classes {
            let contract = contract(&class.name);
            let k = steps(&contract, element.inv_freq);
            let allowed = element.allowed(&contract, k);
            for other in [&negated, &mirrored, &turned] {
                prop_assert_eq!(other.allowed(&contract, k), allowed, "{} {:?}", class.name, other);
            }
        }
    }

    /// Whatever a stricter class may write, a looser one may too.
    #[test]
    fn stricter_classes_are_inside_looser_ones(element in elements(), at in -1.0f64..1.0) {
        const ORDER: [&str; 4] = ["ideal", "fused", "cached", "eager"];
        for pair in ORDER.windows(2) {
            let (strict, loose) = (contract(pair[0]), contract(pair[1]));
            let (k, l) = (steps(&strict, element.inv_freq), steps(&loose, element.inv_freq));
            let (narrow, wide) = (element.allowed(&strict, k), element.allowed(&loose, l));
            prop_assert!(narrow <= wide, "{} {} and {} {}", pair[0], narrow, pair[1], wide);
            let (bound, types) = element.bound(&loose, l);
            let observed = element.values(&bound).0 + at * narrow;
            let judged = bound.judge(&types, element.second, element.inputs, observed);
            prop_assert!(matches!(judged, Judgement::Pass { .. }), "{}: {:?}", pair[1], judged);
        }
    }

    /// Of any two contracts: where one is within the other, no more is allowed under it, but for what f64 costs.
    #[test]
    fn a_contract_within_another_allows_no_more(
        element in elements(),
        texts in (declarations(), declarations()),
        (base, at, width) in (2.0f64..1e6, 0u32..64, 64u32..129),
    ) {
        let read = |text: &str| Declaration::parse(text).and_then(|declared| declared.resolve(&TABLE)).ok();
        // Not every combination makes sense.
        let (Some(narrow), Some(wide)) = (read(&texts.0), read(&texts.1)) else { return Ok(()) };
        if !narrow.is_within(&wide, element.storage) {
            return Ok(());
        }
        let inv_freq = base.powf(-2.0 * f64::from(at) / f64::from(width));
        for frequency in [Frequency::power(inv_freq, base, at, width), Frequency::plain(element.inv_freq)] {
            let element = Element { inv_freq: frequency.inv_freq, ..element.clone() };
            // What is judged under the wider one is judged under the narrower one.
            let Some(many) = wide.steps(&frequency) else { continue };
            let Some(few) = narrow.steps(&frequency) else { panic!("{} has no steps", texts.0) };
            // Where the wider one bounds an angle by nothing there is nothing to compare.
            let too_wide = |contract, steps| element.bound(contract, steps).0.too_wide;
            prop_assert!(too_wide(&wide, many) || !too_wide(&narrow, few), "{} and {}", texts.0, texts.1);
            if too_wide(&wide, many) {
                continue;
            }
            let (small, large) = (element.allowed(&narrow, few), element.allowed(&wide, many));
            let beyond = |contract, steps| element.bound(contract, steps).0.beyond_limit;
            prop_assert!(beyond(&wide, many) || !beyond(&narrow, few), "{} and {}", texts.0, texts.1);
            // "Exact" is f64 or better, and costs 2^-51 of the factors and of the products where f32 holds a factor as
            // it is. What follows from the size of a product grows with it.
            let size = (element.inputs.0.abs() + element.inputs.1.abs()) * element.scaling.max(1.0);
            let f64_cost = 2f64.powi(-50) * (size + large);
            prop_assert!(small <= large + f64_cost, "{}: {small}, {}: {large}, {frequency:?}", texts.0, texts.1);
        }
    }

    #[test]
    fn what_lies_beyond_is_rejected_and_what_lies_within_is_not(element in elements(), up in any::<bool>(), far in 0i32..60) {
        for class in &TABLE.classes {
            let contract = contract(&class.name);
            let k = steps(&contract, element.inv_freq);
            let (bound, types) = element.bound(&contract, k);
            let (value, allowed) = (element.values(&bound).0, element.allowed(&contract, k));
            let sign = if up { 1.0 } else { -1.0 };
            // Where the bound is smaller than the value by far, adding it rounds: a few ulps of the value are left out.
            let rounding = 4.0 * f64::EPSILON * value.abs();
            let outside = value + sign * (allowed * (1.0 + 2f64.powi(far - 50)) + rounding);
            let inside = value + sign * (allowed - rounding).max(0.0) * (1.0 - 2f64.powi(-50));
            let judge = |observed| bound.judge(&types, element.second, element.inputs, observed);
            if bound.beyond_limit {
                prop_assert_eq!(judge(outside), Judgement::BeyondAngleLimit);
                continue;
            }
            prop_assert_eq!(judge(outside), Judgement::Fail, "{}", class.name);
            prop_assert!(matches!(judge(inside), Judgement::Pass { .. }), "{}", class.name);
        }
    }

    /// Rows are judged eight pairs at a time by a lower estimate first. Whatever that settles, the bounds of the elements say as
    /// well: on both sides of the bound, for every class and way to fuse.
    #[test]
    fn a_row_is_judged_as_its_elements_are(
        pairs in prop::collection::vec((elements(), -1.0f64..1.0, -1.0f64..1.0), 24),
        one in elements(),
        far in (0usize..48, prop_oneof![0.0f64..1.0, 1.0f64..3.0]),
        class in prop::sample::select(TABLE.classes.iter().map(|class| class.name.clone()).collect::<Vec<_>>()),
        fma in prop::sample::select(vec!["", ",fma=allowed", ",fma=always", ",fma=never"]),
    ) {
        let declared = Declaration::parse(&format!("{class}/table{fma}")).expect("a declaration");
        // Not every class leaves it open.
        let Ok(contract) = declared.resolve(&TABLE) else { return Ok(()) };
        let types = Types::new(&contract, one.storage);
        let mut bound = RowBound::new(types);
        let mut channels = [const { Vec::new() }; 4];
        for (index, (element, r, s)) in pairs.iter().enumerate() {
            let element = Element { storage: one.storage, scaling: one.scaling, ..element.clone() };
            let (pair, _) = element.bound(&contract, steps(&contract, element.inv_freq));
            let (a, b) = element.inputs;
            let (y, z) = pair.turn.apply(a, b);
            let at = |second: bool, value, partner, r: f64| {
                // The first element comes near its bound, so that what follows is compared with nearly all of the estimate; most
                // others are so far inside that the estimate settles them.
                let far = if far.0 == 2 * index + usize::from(second) { Some(far.1) } else { None };
                let r = far.or((index == 0).then_some(0.999)).map_or(0.4 * r, |size| size.copysign(r));
                value + r * pair.allowance(&types, second, (a, b), value, partner).total()
            };
            let outputs = [at(false, y, z, *r), at(true, z, y, *s)];
            for (channel, value) in channels.iter_mut().zip([a, b, outputs[0], outputs[1]]) {
                channel.push(value);
            }
            bound.push(pair);
        }
        let [a, b, first, second] = &channels;
        let mut expected = RowTally::default();
        let mut miss = None;
        'row: for (pair, one) in bound.pairs().iter().enumerate() {
            for (is_second, observed) in [(false, first[pair]), (true, second[pair])] {
                match one.judge(&types, is_second, (a[pair], b[pair]), observed) {
                    Judgement::Pass { ratio } => {
                        expected.judged += 1;
                        if ratio > expected.ratio {
                            (expected.ratio, expected.place) = (ratio, Some((7, pair, is_second)));
                        }
                    }
                    Judgement::RangeNotJudged => expected.range_not_judged += 1,
                    Judgement::InputNotFinite => expected.input_not_finite += 1,
                    Judgement::BeyondAngleLimit => expected.beyond_angle_limit += 1,
                    Judgement::ContractTooWide => expected.contract_too_wide += 1,
                    Judgement::Fail => {
                        miss = Some((pair, is_second));
                        break 'row;
                    }
                }
            }
        }
        let mut tally = RowTally::default();
        let found = bound.judge(PairRow { a, b, first, second }, 7, &mut tally);
        prop_assert_eq!(found.err().map(|miss| (miss.pair, miss.second)), miss);
        prop_assert_eq!(tally, expected);
    }
}
