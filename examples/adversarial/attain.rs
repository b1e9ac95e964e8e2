//! How near honest kernels come to each term of the bound: for every term a contract in which it is nearly
//! all there is, and a search for the worst element.

use super::inputs::{Inputs, position};
use super::world::World;
use ropecheck::backend::emulated::{Angles, Arithmetic, ExactFrequencies, Fused, HalfTangent, Knobs, LibraryErrors};
use ropecheck::contract::{Allowance, Judgement, PairBound, Types};
use ropecheck::contract::{AngleUnit, ClassRule, Contract, ContractTable, Precision, Procedure, Rotation, Scaling};
use ropecheck::numeric::{DType, Dd, Rng};

/// A term of the bound, and the kernel that shows it.
#[derive(Debug, Clone)]
pub struct AttainedTerm {
    /// Such as `products`, or `angle, pow`.
    pub name: String,
    /// error / bound that some honest element must reach.
    pub needed: f64,
    /// The part of the whole bound that the term must be for an element to count.
    pub least_share: f64,
    /// Smallest |position| of such an element.
    least_position: f64,
    contract: Contract,
    storage: DType,
    scaling: f64,
    part: fn(&Allowance) -> f64,
}

/// The worst honest element for a term.
#[derive(Debug, Clone, Default)]
pub struct Attained {
    /// error / bound
    pub ratio: f64,
    /// term / bound, there
    pub share: f64,
    /// Where.
    pub place: String,
    /// Elements that were rejected; the first of them, in words.
    pub rejected: Option<String>,
    /// Elements looked at.
    pub elements: u64,
}

/// Every term of the bound, and the angle's for each way to frequencies.
#[must_use]
pub fn terms(table: &ContractTable) -> Vec<AttainedTerm> {
    use Precision::{BF16, Exact, F16, F32, F64, Storage};
    let Some(any_way) = table.frequencies.first() else { return Vec::new() };
    let class = |angles, table, arithmetic, trig_ulps| ClassRule {
        name: "one term".to_owned(),
        angles,
        table,
        arithmetic,
        trig_ulps,
        position_roundings: 1.0,
        ..ClassRule::default()
    };
    let term = |name: &str, class: ClassRule, storage, part: fn(&Allowance) -> f64| AttainedTerm {
        name: name.to_owned(),
        needed: 0.5,
        least_share: 0.75,
        least_position: 0.0,
        contract: Contract::new(class, any_way.clone()),
        storage,
        scaling: 1.0,
        part,
    };
    let rounds_badly = 1.0 + 3.49 / f64::from(1 << 23);
    let mut all = Vec::new();
    for storage in [DType::F32, DType::F16, DType::BF16] {
        let name = |what: &str| format!("{what}, {storage}");
        all.push(term(&name("store"), class(Exact, Exact, Exact, 0.0), storage, |a| a.store));
        if storage != DType::F32 {
            all.push(term(&name("table"), class(Exact, Storage, Exact, 0.0), storage, |a| a.table));
        }
        all.push(term(&name("products"), class(Exact, Exact, Storage, 0.0), storage, |a| a.products));
        // Where the sum rounds by h, the products that it is made of round by nearly as much together.
        let sum = term(&name("sum"), class(Exact, Exact, Storage, 0.0), storage, |a| a.sum);
        all.push(AttainedTerm { least_share: 0.5, ..sum });
    }
    let trig = term("trig, 2 ulps", class(Exact, F32, Exact, 2.0), DType::F32, |a| a.trig);
    all.push(trig.clone());
    let mut absolute = AttainedTerm { name: "trig, absolute error".to_owned(), ..trig };
    absolute.contract.class.trig_error = 1e-6;
    all.push(absolute);
    let scaling = term("scaling of factors", class(Exact, F32, Exact, 0.0), DType::F32, |a| a.trig);
    all.push(AttainedTerm { scaling: rounds_badly, ..scaling });
    for (name, place) in [("scaling of inputs", Scaling::Inputs), ("scaling of outputs", Scaling::Outputs)] {
        let rule = ClassRule { scaling: place, scaled: Some(F32), ..class(Exact, Exact, Exact, 0.0) };
        all.push(AttainedTerm { scaling: rounds_badly, ..term(name, rule, DType::F32, |a| a.scaling) });
    }
    for way in &table.frequencies {
        let name = format!("angle, {}", way.name);
        let mut angle = term(&name, class(F32, Exact, Exact, 0.0), DType::F32, |a| a.angle);
        angle.contract.frequencies = way.clone();
        if way.procedure == Procedure::Recurrence {
            // Its roundings are many and go either way.
            angle.needed = 0.4;
        }
        all.push(angle);
    }
    for (name, kept) in [("f16", F16), ("bf16", BF16)] {
        let name = format!("table of {name} beside f32");
        all.push(term(&name, class(Exact, kept, Exact, 0.0), DType::F32, |a| a.table));
    }
    for storage in [DType::F16, DType::BF16] {
        let rule = ClassRule { scaling: Scaling::Table, scaled: Some(F32), ..class(Exact, Storage, Exact, 0.0) };
        let name = format!("table, scaled after that, {storage}");
        // Of cosines just above 1/2 that are still below 1 when they are scaled more than one is kept otherwise.
        all.push(AttainedTerm { scaling: 1.9, ..term(&name, rule, storage, |a| a.table) });
    }
    for (name, unit) in [("half turns", AngleUnit::HalfTurns), ("turns", AngleUnit::Turns)] {
        for way in table.frequencies.iter().filter(|way| matches!(way.procedure, Procedure::Table | Procedure::Pow)) {
            let rule = ClassRule { angle_unit: unit, ..class(F32, Exact, Exact, 0.0) };
            let mut angle = term(&format!("angle in {name}, {}", way.name), rule, DType::F32, |a| a.angle);
            angle.contract.frequencies = way.clone();
            all.push(angle);
        }
    }
    let last = ClassRule { angle_unit: AngleUnit::Turns, angle_roundings: 2.0, ..class(F32, Exact, Exact, 0.0) };
    all.push(term("angle in turns at last", last, DType::F32, |a| a.angle));
    for (name, angle_unit, angle_roundings) in
        [("angle, reduced", AngleUnit::Radians, 1.0), ("angle in turns, reduced", AngleUnit::Turns, 0.0)]
    {
        let rule = ClassRule { angle_unit, angle_roundings, angle_error: 1.2e-7, ..class(F64, Exact, Exact, 0.0) };
        all.push(term(name, rule, DType::F32, |a| a.angle));
    }
    let turned = ClassRule { trig_error_per_position: 3.1e-7, ..class(F32, Exact, Exact, 2.0) };
    // From there on what one turn of the library errs by is little of it.
    all.push(AttainedTerm { least_position: 16.0, ..term("trig, turned", turned, DType::F32, |a| a.trig) });
    let three = |class| ClassRule { rotation: Rotation::ThreeProducts, ..class };
    let sheared = |class| ClassRule { rotation: Rotation::Shears, scaling: Scaling::Outputs, ..class };
    for storage in [DType::F32, DType::F16, DType::BF16] {
        let in_storage = class(Exact, Exact, Storage, 0.0);
        for (form, rule) in [("three products", three(in_storage.clone())), ("shears", sheared(in_storage))] {
            // What comes before the last products rounds by no more than these and their sum do.
            let steps = term(&format!("steps of {form}, {storage}"), rule.clone(), storage, |a| a.steps);
            all.push(AttainedTerm { least_share: 0.4, ..steps });
            let products = term(&format!("products of {form}, {storage}"), rule, storage, |a| a.products);
            all.push(AttainedTerm { least_share: 0.4, ..products });
        }
        if storage != DType::F32 {
            let rule = sheared(class(Exact, Storage, Exact, 0.0));
            all.push(term(&format!("table of shears, {storage}"), rule, storage, |a| a.table));
        }
    }
    all.push(term("trig of shears, 2 ulps", sheared(class(Exact, F32, Exact, 2.0)), DType::F32, |a| a.trig));
    all.push(term("tangent of shears", sheared(class(Exact, F32, Exact, 0.0)), DType::F32, |a| a.tangent));
    all
}

/// One element, by what can be changed about it.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    kernel: usize,
    pair: usize,
    position: Dd,
    inputs: (f64, f64),
    second: bool,
}

/// Kernels of one world that err in different ways.
struct AttemptKernel<'a> {
    world: &'a World,
    steps: Vec<f64>,
    angles: Angles,
    arithmetic: Arithmetic,
    knobs: Knobs,
}

struct Search<'a> {
    term: &'a AttainedTerm,
    types: Types,
    kernels: Vec<AttemptKernel<'a>>,
    inputs: Inputs,
    found: Attained,
}

/// Searches for the worst honest element of a term: random elements, then small changes to the best ones.
#[must_use]
pub fn attained(term: &AttainedTerm, worlds: &[World], elements: u64, seed: u64) -> Attained {
    let mut rng = Rng::new(seed);
    let mut search = Search::new(term, worlds);
    let mut best: Vec<(f64, Attempt)> = Vec::new();
    for _ in 0..elements / 2 {
        let candidate = search.random(&mut rng);
        if let Some(ratio) = search.ratio(&candidate) {
            keep(&mut best, ratio, candidate);
        }
    }
    let climbs = best.len() as u64;
    for (mut ratio, mut candidate) in best {
        for _ in 0..elements / 2 / climbs.max(1) {
            let changed = search.changed(&mut rng, candidate);
            if let Some(better) = search.ratio(&changed).filter(|r| *r > ratio) {
                (ratio, candidate) = (better, changed);
            }
        }
    }
    search.found
}

/// Keeps the best few, of different pairs.
fn keep(best: &mut Vec<(f64, Attempt)>, ratio: f64, candidate: Attempt) {
    const KEPT: usize = 8;
    let same = |c: &Attempt| (c.kernel, c.pair) == (candidate.kernel, candidate.pair);
    match best.iter().position(|(_, c)| same(c)) {
        Some(index) if best[index].0 >= ratio => return,
        Some(index) => best[index] = (ratio, candidate),
        None => best.push((ratio, candidate)),
    }
    best.sort_by(|a, b| b.0.total_cmp(&a.0));
    best.truncate(KEPT);
}

impl<'a> Search<'a> {
    fn new(term: &'a AttainedTerm, worlds: &'a [World]) -> Self {
        let contract = &term.contract;
        let mut errors = vec![(LibraryErrors::Up, 0), (LibraryErrors::Down, 0)];
        errors.extend((0..4).map(|seed| (LibraryErrors::Alternating, seed)));
        let kernel = |world: &'a World, turn: usize, library, seed| {
            let fused = [Fused::None, Fused::OfCos, Fused::OfSin][turn % 3];
            let tangents = [HalfTangent::OfFactors, HalfTangent::Function, HalfTangent::OfTable];
            let tangent = match contract.class.rotation {
                Rotation::Shears => tangents[turn / 2 % 3],
                _ => HalfTangent::default(),
            };
            let knobs = Knobs { library, seed, fused, tangent, through_f32: turn % 2 == 1, ..Knobs::default() };
            let exact =
                ExactFrequencies { inv_freq: &world.inv_freq, base: Some(world.base), rotary_dim: world.rotary_dim };
            AttemptKernel {
                world,
                steps: world.steps(contract),
                angles: Angles::new(contract, term.storage, &knobs, exact),
                arithmetic: Arithmetic::new(contract, term.storage, &knobs, term.scaling),
                knobs,
            }
        };
        let kernels = worlds.iter().enumerate().flat_map(|(w, world)| {
            let errors = errors.clone().into_iter().enumerate();
            errors.map(move |(i, (library, seed))| kernel(world, w + i, library, seed))
        });
        Search {
            term,
            types: Types::new(contract, term.storage),
            kernels: kernels.collect(),
            inputs: Inputs::new(term.storage),
            found: Attained::default(),
        }
    }

    fn random(&self, rng: &mut Rng) -> Attempt {
        let kernel = rng.below(self.kernels.len() as u64) as usize;
        let mut candidate = Attempt { kernel, pair: 0, position: Dd::ZERO, inputs: (1.0, 0.0), second: rng.one_in(2) };
        if let Some(AttemptKernel { world, .. }) = self.kernels.get(kernel) {
            candidate.pair = rng.below(world.inv_freq.len() as u64) as usize;
            candidate.position = position(rng, &world.inv_freq);
            candidate.inputs = self.some_inputs(rng, &candidate);
        }
        candidate
    }

    /// Inputs for a place: mostly such that the output is near 0 and what comes before it shows, or near a
    /// tie.
    fn some_inputs(&self, rng: &mut Rng, candidate: &Attempt) -> (f64, f64) {
        let bound = self.bound(candidate);
        let (cos, sin) = bound.map_or((1.0, 0.0), |b| (b.turn.cos, b.turn.sin));
        let kind = match rng.below(4) {
            0 | 1 => u64::from(candidate.second),
            2 => 12 + u64::from(candidate.second),
            _ => [5, 6, 7, 8, 14, 15][rng.below(6) as usize],
        };
        self.inputs.pair(rng, kind, cos, sin)
    }

    fn bound(&self, candidate: &Attempt) -> Option<PairBound> {
        let kernel = self.kernels.get(candidate.kernel)?;
        let (f, steps) = (*kernel.world.inv_freq.get(candidate.pair)?, *kernel.steps.get(candidate.pair)?);
        let term = self.term;
        Some(PairBound::new(&term.contract, &self.types, steps, f, candidate.position, term.scaling, true))
    }

    /// A candidate with one thing changed.
    fn changed(&self, rng: &mut Rng, mut candidate: Attempt) -> Attempt {
        let moved = |rng: &mut Rng, v: f64| {
            let ulps = (1u64 << rng.below(6)) as f64 * if rng.one_in(2) { 1.0 } else { -1.0 };
            self.term.storage.round(v + 2.0 * ulps * self.term.storage.half_ulp(v))
        };
        match rng.below(8) {
            0 | 1 => candidate.inputs.0 = moved(rng, candidate.inputs.0),
            2 | 3 => candidate.inputs.1 = moved(rng, candidate.inputs.1),
            4 | 5 => {
                let step = rng.between(-64, 64) as f64;
                candidate.position = Dd::from_f64(candidate.position.to_f64().round() + step);
                candidate.inputs = self.some_inputs(rng, &candidate);
            }
            6 => candidate.inputs = self.some_inputs(rng, &candidate),
            _ => {
                let other = self.random(rng);
                candidate.position = other.position;
                candidate.inputs = self.some_inputs(rng, &candidate);
            }
        }
        candidate
    }

    /// error / bound, if the term is most of the bound there. Counts, and remembers the best.
    fn ratio(&mut self, candidate: &Attempt) -> Option<f64> {
        let bound = self.bound(candidate)?;
        let kernel = self.kernels.get(candidate.kernel)?;
        let angle = kernel.angles.angle(candidate.pair, kernel.angles.position(candidate.position));
        let factor = kernel.arithmetic.factor(angle, true);
        let (a, b) = candidate.inputs;
        let written = kernel.arithmetic.turn(a, b, &factor);
        let exact = bound.turn.apply(a, b);
        let second = candidate.second;
        let (observed, value, partner) =
            if second { (written.1, exact.1, exact.0) } else { (written.0, exact.0, exact.1) };
        self.found.elements += 1;
        let describe = || {
            let AttemptKernel { world, knobs, .. } = kernel;
            let Attempt { pair, position, .. } = candidate;
            format!(
                "base {} width {} pair {pair} position {:e}{:+e}, {} of ({a:e}, {b:e}), errors {:?} {}, {:?}{}{}",
                world.base,
                world.rotary_dim,
                position.hi,
                position.lo,
                if second { "second" } else { "first" },
                knobs.library,
                knobs.seed,
                knobs.fused,
                if knobs.through_f32 { ", through f32" } else { "" },
                match self.term.contract.class.rotation {
                    Rotation::Shears => format!(", tangent {:?}", knobs.tangent),
                    _ => String::new(),
                },
            )
        };
        match bound.judge(&self.types, second, (a, b), observed) {
            Judgement::Pass { ratio } => {
                let allowance = bound.allowance(&self.types, second, (a, b), value, partner);
                let share = (self.term.part)(&allowance) / allowance.total();
                // Where the angle may be off by anything the bound is a formality.
                let near = candidate.position.hi.abs() < self.term.least_position;
                if share < self.term.least_share || near || bound.shift > 0.1 {
                    return None;
                }
                if ratio > self.found.ratio {
                    let place = describe();
                    (self.found.ratio, self.found.share, self.found.place) = (ratio, share, place);
                }
                Some(ratio)
            }
            Judgement::Fail => {
                if self.found.rejected.is_none() {
                    self.found.rejected = Some(format!("{}: observed {observed:e}, expected {value:e}", describe()));
                }
                None
            }
            Judgement::RangeNotJudged
            | Judgement::InputNotFinite
            | Judgement::BeyondAngleLimit
            | Judgement::ContractTooWide => None,
        }
    }
}
