//! Many elements of every class, way and type, through the judgement that checks use.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::inputs::{Inputs, position};
use super::world::World;
use ropecheck::backend::emulated::LibraryErrors;
use ropecheck::backend::emulated::{Angles, Arithmetic, ExactFrequencies, Factor, Fused, HalfTangent, Knobs};
use ropecheck::contract::{Contract, ContractTable, Fma, Rotation};
use ropecheck::contract::{PairRow, RowBound, RowTally, Types};
use ropecheck::numeric::{DType, Dd, Rng};

/// Heads of a token: they share its cosines and sines.
const HEADS: usize = 24;
/// Elements of a block, which is one variant in one world.
const BLOCK: usize = 1 << 16;
/// Axes, in turn over the pairs.
const AXES: usize = 3;

/// A class, a way to frequencies and a storage type.
#[derive(Debug, Clone)]
pub struct Combination {
    /// The contract.
    pub contract: Contract,
    /// Type of the tensors.
    pub storage: DType,
}

/// Every class with every way in f32, f16 and bf16; only those whose names are as asked for, where one is.
#[must_use]
pub fn combinations(
    table: &ContractTable,
    class: Option<&str>,
    way: Option<&str>,
    storage: Option<DType>,
) -> Vec<Combination> {
    let mut all = Vec::new();
    for rule in table.classes.iter().filter(|rule| class.is_none_or(|name| rule.name == name)) {
        for frequencies in table.frequencies.iter().filter(|rule| way.is_none_or(|name| rule.name == name)) {
            for dtype in [DType::F32, DType::F16, DType::BF16] {
                if storage.is_none_or(|wanted| wanted == dtype) {
                    let contract = Contract::new(rule.clone(), frequencies.clone());
                    all.push(Combination { contract, storage: dtype });
                }
            }
        }
    }
    all
}

/// Every worked example of `spec/contracts.yaml` in f32, f16 and bf16, with its name.
#[must_use]
pub fn examples(table: &ContractTable, storage: Option<DType>) -> Vec<(String, Combination)> {
    let mut all = Vec::new();
    for example in &table.examples {
        // The table was refused if one of them made no sense.
        let Ok(contract) = example.declared.resolve(table) else { continue };
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            if storage.is_none_or(|wanted| wanted == dtype) {
                let name = format!("example {} {dtype}", example.name);
                all.push((name, Combination { contract: contract.clone(), storage: dtype }));
            }
        }
    }
    all
}

/// An honest variant: a kernel that keeps the contract, and the contract that allows it.
#[derive(Debug, Clone)]
pub struct Variant {
    /// The contract, flushing where the kernel does.
    pub contract: Contract,
    /// Type of the tensors.
    pub storage: DType,
    /// The kernel.
    pub knobs: Knobs,
    /// attention_scaling
    pub scaling: f64,
    /// Direction +1.
    pub forward: bool,
}

impl Variant {
    fn random(combination: &Combination, rng: &mut Rng) -> Self {
        let mut contract = combination.contract.clone();
        let flush = rng.one_in(if contract.class.flushes { 2 } else { 8 });
        contract.class.flushes |= flush;
        // Nearly half an ulp of f32 away from an f32.
        let rounds_badly = 1.0 + 3.49 / f64::from(1 << 23);
        let scalings = [1.0, 1.0, 1.0, 1.0, 0.7, 1.138_629_436_111_989, 2.0, rounds_badly, 0.125];
        let errors = [
            LibraryErrors::None,
            LibraryErrors::Random,
            LibraryErrors::Up,
            LibraryErrors::Down,
            LibraryErrors::Alternating,
        ];
        let fused = match contract.class.fma {
            Fma::Never => Fused::None,
            Fma::Always => [Fused::OfCos, Fused::OfSin][rng.below(2) as usize],
            Fma::Allowed => [Fused::None, Fused::OfCos, Fused::OfSin][rng.below(3) as usize],
        };
        let tangents = [HalfTangent::OfTable, HalfTangent::OfFactors, HalfTangent::Function];
        let tangent = match contract.class.rotation {
            Rotation::Shears => tangents[rng.below(3) as usize],
            _ => HalfTangent::default(),
        };
        let knobs = Knobs {
            fused,
            tangent,
            through_f32: rng.one_in(2),
            flush,
            library: errors[rng.below(5) as usize],
            seed: rng.next_u64(),
            ..Knobs::default()
        };
        Self {
            contract,
            storage: combination.storage,
            knobs,
            scaling: scalings[rng.below(9) as usize],
            forward: !rng.one_in(4),
        }
    }
}

/// What a sweep found.
#[derive(Debug, Clone, Default)]
pub struct AttainedTerms {
    /// Elements judged, elements whose range was not, largest error / bound.
    pub tally: RowTally,
    /// Rows with an element that was rejected.
    pub rejected: u64,
    /// The first of them, in words.
    pub first: Option<String>,
    /// Where error / bound is largest.
    pub place: String,
}

impl AttainedTerms {
    fn merge(&mut self, other: AttainedTerms) {
        if other.tally.ratio > self.tally.ratio {
            self.place = other.place;
        }
        self.tally.merge(&other.tally);
        self.rejected += other.rejected;
        if self.first.is_none() {
            self.first = other.first;
        }
    }
}

/// Judges at least `elements` elements of a combination in these worlds.
#[must_use]
pub fn sweep(combination: &Combination, worlds: &[World], elements: u64, seed: u64, threads: usize) -> AttainedTerms {
    let rng = Rng::new(seed);
    let blocks = usize::try_from(elements.div_ceil(BLOCK as u64)).unwrap_or(usize::MAX);
    let block = |index: usize| {
        let mut rng = rng.fork(index as u64);
        match worlds.get(rng.below(worlds.len() as u64) as usize) {
            Some(world) => judge_variant(&Variant::random(combination, &mut rng), world, BLOCK, &mut rng),
            None => AttainedTerms::default(),
        }
    };
    let mut found = AttainedTerms::default();
    in_parallel(blocks, threads, block).into_iter().for_each(|block| found.merge(block));
    found
}

/// Rows of one head, reused.
#[derive(Default)]
struct SweepRows {
    a: Vec<f64>,
    b: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
}

/// Judges at least `elements` elements of one variant.
#[must_use]
pub fn judge_variant(variant: &Variant, world: &World, elements: usize, rng: &mut Rng) -> AttainedTerms {
    let Variant { contract, storage, knobs, scaling, forward } = variant;
    let pairs = world.inv_freq.len();
    let exact = ExactFrequencies { inv_freq: &world.inv_freq, base: Some(world.base), rotary_dim: world.rotary_dim };
    let angles = Angles::new(contract, *storage, knobs, exact);
    let arithmetic = Arithmetic::new(contract, *storage, knobs, *scaling);
    let inputs = Inputs::new(*storage);
    let steps = world.steps(contract);
    let axis_of_pair: Vec<u8> = (0..pairs).map(|i| (i % AXES) as u8).collect();
    let mut bound = RowBound::new(Types::new(contract, *storage));
    let mut rows = SweepRows { first: vec![0.0; pairs], second: vec![0.0; pairs], ..SweepRows::default() };
    let mut found = AttainedTerms::default();
    let mut positions = [Dd::ZERO; AXES];
    let tokens = elements.div_ceil(2 * pairs * HEADS);
    // Elements whose range is not judged, or whose angle is beyond what is claimed, are not counted.
    for token in 0..8 * tokens {
        if found.tally.judged >= elements as u64 {
            break;
        }
        positions.fill_with(|| match contract.class.angle_limit.filter(|_| !rng.one_in(8)) {
            Some(limit) => position_within(rng, &world.inv_freq, limit),
            // Beyond 2^21 turns of 3e-7 each nothing is claimed.
            None if contract.class.trig_error_per_position > 0.0 => {
                Dd::from_f64(position(rng, &world.inv_freq).to_f64() % f64::from(1 << 20))
            }
            None => position(rng, &world.inv_freq),
        });
        bound.fill(contract, &steps, &world.inv_freq, &axis_of_pair, &positions, *scaling, *forward);
        let factor = |pair: usize| {
            let angle = angles.angle(pair, angles.position(positions[pair % AXES]));
            arithmetic.factor(angle, *forward)
        };
        let factors: Vec<Factor> = (0..pairs).map(factor).collect();
        for head in 0..HEADS {
            rows.a.clear();
            rows.b.clear();
            let mut kind = 0;
            for (i, pair) in bound.pairs().iter().enumerate() {
                // Eight pairs of one kind: those that are easy to judge are judged together.
                if i % 8 == 0 {
                    kind = rng.below(Inputs::KINDS);
                }
                let (a, b) = inputs.pair(rng, kind, pair.turn.cos, pair.turn.sin);
                rows.a.push(a);
                rows.b.push(b);
            }
            arithmetic.turn_row(&rows.a, &rows.b, &factors, &mut rows.first, &mut rows.second);
            let row = PairRow { a: &rows.a, b: &rows.b, first: &rows.first, second: &rows.second };
            let before = found.tally.ratio;
            let label = (token * HEADS + head) as u64;
            let result = bound.judge(row, label, &mut found.tally);
            let describe = |pair: usize, second: bool| {
                let (a, b, p) = (rows.a[pair], rows.b[pair], positions[pair % AXES]);
                let (base, d) = (world.base, world.rotary_dim);
                let output = if second { "second" } else { "first" };
                format!(
                    "base {base} width {d} pair {pair} position {:e}{:+e} scaling {scaling} forward {forward}, {output} of \
                     ({a:e}, {b:e}), {knobs:?}",
                    p.hi, p.lo
                )
            };
            if let Err(miss) = result {
                found.rejected += 1;
                found.first.get_or_insert_with(|| format!("{}: {miss:?}", describe(miss.pair, miss.second)));
            }
            if found.tally.ratio > before
                && let Some((_, pair, second)) = found.tally.place
            {
                found.place = describe(pair, second);
            }
        }
    }
    found
}

/// A whole position at which some pair's angle is at most `limit`; that of faster pairs may be larger.
fn position_within(rng: &mut Rng, inv_freq: &[f64], limit: f64) -> Dd {
    let f = rng.choose(inv_freq).copied().unwrap_or(1.0).max(1e-9);
    let p = Dd::from_f64((rng.unit() * limit / f).floor());
    if rng.one_in(6) { -p } else { p }
}

/// `work(0)` to `work(count - 1)` on so many threads; the results in order.
fn in_parallel<R: Send>(count: usize, threads: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, 512) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let result = work(index);
                    // A thread that panicked while it held the lock has put nothing half-made into the map.
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(index, result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_values().collect()
}
