//! Cases under random manifests: what the generator makes stays inside of them and survives its line; and
//! every step of shrinking is simpler, stays inside too, and leads to an end.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::candidates;
use crate::backend::manifest::{Integers, LevelManifest};
use crate::backend::{Backend, Manifest, host::Host};
use crate::case::{
    Alias, BesideDtype, Case, Consume, Data, Level, Memory, Order, PositionOrder, PositionSource, PositionStrides,
    Strides, TableWidth,
};
use crate::check::cover::Covers;
use crate::check::{CATALOGUE, Depth, Generator, Group, Planned};
use crate::numeric::DType;
use crate::positions::Layout;
use crate::rotation::{HeadShape, PlanCache, RotationPlan};
use crate::spec::model::Pairing;
use crate::spec::{Library, Parameters};

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::embedded().expect("the embedded specs load"));
static PLANS: LazyLock<PlanCache> = LazyLock::new(PlanCache::new);

const LEVELS: [(Level, &[Consume]); 7] = [
    (Level::Positions, &[Consume::Layout]),
    (Level::Rotate, &[Consume::Positions, Consume::AxisOfPair, Consume::InvFreq]),
    (Level::Rotate, &[Consume::Positions, Consume::Base]),
    (Level::Rotate, &[Consume::Positions, Consume::CosSinCache]),
    (Level::Fused, &[Consume::Layout, Consume::InvFreq]),
    (Level::Fused, &[Consume::Layout, Consume::Base]),
    (Level::Apply, &[Consume::CosSin]),
];

fn some<T: Clone + std::fmt::Debug + 'static>(all: &[T]) -> impl Strategy<Value = Vec<T>> + use<T> {
    subsequence(all.to_vec(), 1..=all.len())
}

fn integers(listed: &[i64], least: i64) -> impl Strategy<Value = Integers> + use<> {
    let range = (least..8, 0i64..300, 1i64..=16);
    prop_oneof![
        some(listed).prop_map(Integers::List),
        range.prop_map(|(min, more, multiple)| Integers::Range { min, max: min + more, multiple }),
    ]
}

fn manifests() -> impl Strategy<Value = Manifest> {
    let heads = (
        integers(&[2, 16, 32, 64, 80, 96, 128, 256], 2),
        integers(&[1, 2, 3, 4, 6, 7, 8, 28], 1),
        integers(&[0, 1, 2, 3, 4, 7, 8], 0),
    );
    let types = (
        some(&[DType::F32, DType::F16, DType::BF16]),
        some(&[DType::I64, DType::F64, DType::I32, DType::F32]),
        some(&[Pairing::Half, Pairing::Adjacent]),
    );
    let memory =
        (some(&[Alias::Out, Alias::In]), some(&[1i64, -1]), select(vec![Strides::Packed, Strides::Rows, Strides::Any]));
    let most = select(vec![40, 4095, 131_071, i64::from(i32::MAX)]);
    let least = select(vec![0, -77, -i64::from(i32::MAX)]);
    let offsets = select(vec![
        Integers::List(vec![0]),
        Integers::List(vec![16, 64]),
        Integers::Range { min: 0, max: 512, multiple: 1 },
    ]);
    let strides = select(vec![PositionStrides::Rows, PositionStrides::Any]);
    let tables =
        (some(&BesideDtype::ALL.map(|(_, dtype)| dtype)), some(&[TableWidth::Half, TableWidth::Full]), strides);
    let limits = (least, most, offsets, tables);
    (select(LEVELS.to_vec()), heads, types, memory, limits, any::<[bool; 6]>()).prop_map(
        |((level, consumes), heads, types, memory, (min_position, max_position, rotary_offsets, tables), may)| {
            let host = Host::new().manifest().clone();
            let contracts = host.levels[0].1.contracts.clone();
            let offer = LevelManifest { consumes: consumes.to_vec(), schemes: vec!["*".into()], contracts };
            let [partial_rotary, token_ranges, varlen, attention_scaling, per_head, batch_layouts] = may;
            Manifest {
                levels: vec![(level, offer)],
                head_dims: heads.0,
                q_heads: heads.1,
                k_heads: heads.2,
                dtypes: types.0,
                position_dtypes: types.1,
                pairings: types.2,
                alias: memory.0,
                directions: memory.1,
                strides: memory.2,
                min_position,
                max_position,
                partial_rotary,
                rotary_offsets,
                position_strides: tables.2,
                table_dtypes: tables.0,
                table_widths: tables.1,
                token_ranges,
                varlen,
                attention_scaling,
                per_head,
                batch_layouts,
                ..host
            }
        },
    )
}

/// Said of heads that a scheme has no plan for, or one with frequencies that the backend cannot make: no call is made of
/// such a case.
const NO_PLAN: &str = "heads that have no plan";

/// What a case asks for that its manifest does not offer. Positions and numbers of tokens are not looked at:
/// `Harness` holds those back that are beyond the limits.
fn outside(manifest: &Manifest, case: &Case) -> Option<&'static str> {
    let scheme = LIBRARY.get(&case.scheme).expect("a scheme");
    let alike = match &case.layouts[..] {
        [_] => true,
        rows => rows.iter().all(|row| *row == rows[0]) && case.place.is_layout(),
    };
    let mut asked = vec![
        ("token ranges", case.window.is_none() || manifest.token_ranges),
        ("packed sequences", !case.packed || manifest.varlen),
        ("rows of their own", case.packed || manifest.batch_layouts || alike),
    ];
    if matches!(case.level, Level::Positions | Level::Rotate) {
        asked.push(("a type of positions", manifest.position_dtypes.contains(&case.position_dtype)));
    }
    if case.level != Level::Positions {
        let parameters = Parameters::resolve(scheme, &case.parameters).expect("parameters of the scheme");
        let width = case.rotary.map_or(case.head_dim, |(width, _)| width);
        let shape = HeadShape { head_dim: width, q_heads: case.q_heads, k_heads: case.k_heads.max(1) };
        let Ok(plan) = PLANS.plan(scheme, &parameters, shape) else { return Some(NO_PLAN) };
        let offset = plan.rotary_offset + case.rotary.map_or(0, |(_, offset)| offset);
        let scaled = RotationPlan { attention_scaling: 1.0, map_heads: 1, ..(*plan).clone() };
        let free = Manifest { partial_rotary: true, ..manifest.clone() };
        if free.refuses(case.level, scheme, &scaled, (case.head_dim, offset)).is_some() {
            return Some(NO_PLAN);
        }
        let scaling = case.scaling.unwrap_or(plan.attention_scaling);
        let shares = |k| case.q_heads.is_multiple_of(u32::max(k, 1));
        let may_share = |k| shares(k) && manifest.k_heads.allows(i64::from(k));
        let strides = match case.memory {
            Memory::GuardEnd | Memory::GuardStart => true,
            memory => memory.orders().map_or(manifest.strides != Strides::Packed, |orders| {
                orders.into_iter().all(|order| manifest.takes_order(order))
            }),
        };
        let widths = &manifest.table_widths;
        asked.extend([
            ("a storage type", manifest.dtypes.contains(&case.dtype)),
            ("a pairing", manifest.pairings.contains(&case.pairing)),
            ("head_dim", manifest.head_dims.allows(i64::from(case.head_dim))),
            ("query heads", manifest.q_heads.allows(i64::from(case.q_heads))),
            ("key heads", manifest.k_heads.allows(i64::from(case.k_heads))),
            ("key heads that share out the query heads", shares(case.k_heads) || !(0..=case.q_heads).any(may_share)),
            ("a part of a head", manifest.takes_part(case.head_dim, plan.rotary_dim, offset)),
            ("attention scaling", manifest.attention_scaling || scaling == 1.0),
            ("tables per head", manifest.per_head || plan.map_heads <= 1 && !case.per_head),
            ("an order of positions", manifest.position_orders(case.level, 2).contains(&case.position_order)),
            ("tables of a type", manifest.table_dtypes_beside(case.dtype).contains(&case.table_dtype)),
            ("tables of a width", case.table_width == TableWidth::Half || widths.contains(&case.table_width)),
            ("a direction", manifest.directions.contains(&i64::from(case.direction))),
            ("an alias", manifest.alias.contains(&case.alias)),
            ("strides", strides),
        ]);
    }
    asked.into_iter().find(|(_, offered)| !offered).map(|(what, _)| what)
}

/// What makes a case small, each a number that only so many steps lead down from; the last three are one,
/// compared in order.
fn size(case: &Case) -> ([u64; 16], [u64; 3]) {
    let tokens: u64 = case.layouts.iter().map(Layout::tokens).sum();
    let simple = matches!(case.data, Data::Uniform | Data::First | Data::Second | Data::Channel);
    let extent = |rank, low: i64, high: i64| [rank, high.abs_diff(low), low.unsigned_abs() + high.unsigned_abs()];
    let place = match case.place {
        PositionSource::Layout { shift } => extent(0, 0, shift),
        PositionSource::Span { low, high } => extent(1, low, high),
        PositionSource::Random { low, high } => extent(2, low, high),
        PositionSource::Fractions { low, high, .. } => extent(3, low, high),
        PositionSource::QuarterTurns { low, high } => extent(4, low, high),
        PositionSource::Octaves { low, high, turn, .. } => {
            let [rank, width, far] = extent(5, low, high);
            [rank, width, far + u64::from(turn)]
        }
    };
    let parts = [
        case.layouts.len() as u64,
        tokens,
        case.window.map_or(tokens, |(_, count)| count),
        case.q_heads.into(),
        case.k_heads.into(),
        case.head_dim.into(),
        case.rotary.map_or(0, |(width, offset)| 1 + u64::from(width) + u64::from(offset)),
        match case.memory {
            Memory::Packed => 0,
            Memory::Each { q, k, out } => {
                1 + [q, k, out].iter().filter(|order| **order != Order::Packed).count() as u64
            }
            _ => 5,
        },
        (case.alias != Alias::Out).into(),
        (case.direction < 0).into(),
        case.scaling.is_some().into(),
        case.per_head.into(),
        (case.position_order != PositionOrder::Rows).into(),
        (case.table_dtype != BesideDtype::Storage).into(),
        (case.table_width != TableWidth::Half).into(),
        (!simple).into(),
    ];
    (parts, place)
}

/// Nothing grows, and something becomes smaller.
fn is_simpler(simpler: &Case, case: &Case) -> bool {
    let ((less, near), (more, far)) = (size(simpler), size(case));
    less.iter().zip(more).all(|(a, b)| *a <= b) && near <= far && (less, near) != (more, far)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_case_leaves_its_manifest_or_grows(
        manifest in manifests(),
        scheme in any::<prop::sample::Index>(),
        // `accuracy`, with the calls that cover the manifest, as often as all others together.
        check in prop::option::of(any::<prop::sample::Index>()),
        seed in any::<u64>(),
    ) {
        let schemes: Vec<_> = LIBRARY.schemes().collect();
        let scheme = scheme.get(&schemes);
        let (level, offer) = &manifest.levels[0];
        let checks: Vec<_> = CATALOGUE.iter().filter(|check| check.levels().contains(level)).collect();
        let accuracy = checks.iter().find(|check| check.id() == "accuracy").unwrap_or(&checks[0]);
        let check = check.as_ref().map_or(accuracy, |index| index.get(&checks));
        let group =
            Group { scheme: scheme.id(), level: *level, pairing: manifest.pairings[0], dtype: manifest.dtypes[0] };
        let maker = |cover| Generator {
            group: group.clone(),
            scheme,
            library: &LIBRARY,
            plans: &PLANS,
            manifest: &manifest,
            level: offer,
            cases: 2,
            depth: Default::default(),
            seed,
            parameters: &[],
            whole: std::sync::OnceLock::new(),
            cover,
        };
        let covers = Covers::new(&[(vec![maker(&[])], true)], Depth::Default);
        let generator = maker(covers.level(*level).map_or(&[], |(_, rows)| rows));
        for Planned { mut case, .. } in check.schedule(&generator).cases {
            prop_assert_eq!(outside(&manifest, &case), None, "{}", case);
            prop_assert_eq!(case.to_string().parse(), Ok(case.clone()));
            let mut steps = 0;
            while let Some(first) = {
                let simpler = candidates(&case, &manifest);
                for one in &simpler {
                    prop_assert!(is_simpler(one, &case), "{}\nis no simpler than\n{}", one, case);
                    let left = outside(&manifest, one).filter(|what| *what != NO_PLAN);
                    prop_assert_eq!(left, None, "{}\nfrom {}", one, case);
                }
                simpler.into_iter().next()
            } {
                (case, steps) = (first, steps + 1);
                prop_assert!(steps < 1000, "{}", case);
            }
            prop_assert_eq!(case.tokens(), 1, "{}", case);
        }
    }
}
