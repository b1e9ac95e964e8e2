use std::sync::atomic::AtomicBool;

use super::stored::{CONTRACT, DTYPES, TOKENS, WIDTHS, stored};
use super::*;
use crate::backend::host::Host;
use crate::backend::{Answer, Backend, Manifest, StartError};
use crate::case::call::Call;
use crate::check::generator::Group;
use crate::check::schedule::Planned;
use crate::check::tests::{Mutant, outcome};
use crate::contract::Frequency;
use crate::contract::contracts;
use crate::contract::{PairBound, Types};
use crate::numeric::DType;
use crate::rotation::PlanCache;
use crate::run::{Context, Options};
use crate::spec::Library;
use crate::spec::model::Pairing;

fn mutant(after: fn(&Call, &mut [u8])) -> Mutant {
    Mutant { host: Host::new(), before: |_, _| {}, after, memory: Vec::new() }
}

#[test]
fn the_embedded_kernel_passes_and_every_width_is_judged() {
    for scheme in ["rope@yarn", "vrope@official", "rope-tie@default", "videorope@paper"] {
        for dtype in DTYPES {
            let (failed, passed, why) = outcome("golden", scheme, dtype, &mut Host::new());
            assert_eq!((failed, passed), (0, WIDTHS.len()), "{scheme} {dtype}: {why}");
        }
    }
}

#[test]
fn one_element_beyond_its_stored_bound_fails() {
    // The last pair of the last token of the last head is nudged by a few ulps.
    fn nudge(call: &Call, memory: &mut [u8]) {
        let Some(k) = call.qk().and_then(|qk| qk.k_out) else { return };
        let [_, tokens, heads, channels] = k.shape;
        let at = k.at(0, tokens - 1, heads - 1, channels - 1);
        let bits = k.dtype.bits_at(&memory[at..at + k.dtype.size()], 0).unwrap_or(0);
        k.dtype.put_bits(&mut memory[at..at + k.dtype.size()], 0, bits + if k.dtype == DType::F32 { 40 } else { 2 });
    }
    for dtype in DTYPES {
        let (failed, passed, why) = outcome("golden", "m-rope@default", dtype, &mut mutant(nudge));
        assert_eq!((failed, passed), (WIDTHS.len(), 0));
        assert!(why.contains("token 17") && why.contains("k head 0"), "{why}");
    }
}

#[test]
fn the_bound_of_a_turned_pair_is_the_stored_one_of_its_other_output() {
    let golden = stored().unwrap();
    let contract = contracts().unwrap().contract(CONTRACT.0, CONTRACT.1).unwrap();
    let mut compared = 0;
    for (id, entry) in &golden.schemes {
        // A scheme that is defined for another number of pairs alone has none of 64.
        let Some(kept) = entry.width(64) else { continue };
        for (index, dtype) in DTYPES.into_iter().enumerate() {
            let types = Types::new(&contract, dtype);
            for (token, pair) in [(1, 0), (5, 17), (11, 40), (17, 63)] {
                let axis = usize::from(kept.axis_of_pair[pair]);
                let position = entry.positions.get(axis).map_or(Dd::ZERO, |row| row[token].to_dd());
                let frequency = kept.inv_freq[pair];
                let steps = contract.steps(&Frequency::plain(frequency)).unwrap();
                let bound = PairBound::new(&contract, &types, steps, frequency, position, kept.scaling, true);
                let at = 2 * (token * 64 + pair);
                let Expected { values, bounds } = &kept.expected[index];
                for head in 0..5 {
                    let inputs = quarter_turn(head, golden.input(index, token, pair));
                    let (first, second) = bound.turn.apply(inputs.0, inputs.1);
                    assert_eq!(quarter_turn(head, (values[at], values[at + 1])), (first, second), "{id} {dtype}");
                    let ours = [
                        bound.allowance(&types, false, inputs, first, second).total(),
                        bound.allowance(&types, true, inputs, second, first).total(),
                    ];
                    let theirs = if head % 2 == 0 { [at, at + 1] } else { [at + 1, at] };
                    for (ours, theirs) in ours.into_iter().zip(theirs.map(|at| bounds[at])) {
                        assert!(
                            ours <= theirs && theirs <= ours * (1.0 + 2f64.powi(-22)),
                            "{id}: {ours:e}, {theirs:e}"
                        );
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 2000);
}

/// The embedded kernel under a manifest of its own.
struct Other(Host, Manifest);

impl Backend for Other {
    fn manifest(&self) -> &Manifest {
        &self.1
    }
    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.0.arena(bytes)
    }
    fn call(&mut self, call: &Call) -> Answer {
        self.0.call(call)
    }
    fn memory(&self) -> &[u8] {
        self.0.memory()
    }
}

fn other(change: impl FnOnce(&mut Manifest)) -> Other {
    let host = Host::new();
    let mut manifest = host.manifest().clone();
    change(&mut manifest);
    Other(host, manifest)
}

/// How all golden cases of a group are judged, and the gaps.
fn verdicts(scheme: &str, library: &Library, backend: &mut dyn Backend) -> (Vec<Result<Measure, Stop>>, Vec<String>) {
    let contracts = contracts().unwrap();
    let interrupted = AtomicBool::new(false);
    let context = Context { library, contracts: &contracts, plans: PlanCache::new(), interrupted: &interrupted };
    let manifest = backend.manifest().clone();
    let scheme = library.get(scheme).unwrap().id();
    let group = Group { scheme, level: Level::Rotate, pairing: Pairing::Adjacent, dtype: DType::BF16 };
    let options = Options { cases: 1, seed: 1, ..Options::default() };
    let generator = context.generator(&group, &manifest, &options).unwrap();
    let schedule = GoldenCases.schedule(&generator);
    let judge = |planned: &Planned| GoldenCases.judge(&planned.case, &mut context.harness(backend));
    (schedule.cases.iter().map(judge).collect(), schedule.gaps.into_iter().map(|gap| gap.why).collect())
}

#[test]
fn heads_of_a_manifest_are_used_whatever_their_number_and_width() {
    use crate::backend::manifest::Integers;
    let library = Library::embedded().unwrap();
    let mut wide = other(|m| {
        m.head_dims = Integers::List(vec![256]);
        m.q_heads = Integers::List(vec![28]);
        m.k_heads = Integers::List(vec![4]);
    });
    let (found, gaps) = verdicts("m-rope", &library, &mut wide);
    assert!(gaps.is_empty(), "{gaps:?}");
    for verdict in found {
        let Ok(measure) = verdict else { panic!("{verdict:?}") };
        assert!(measure.elements == 18 * 32 * 64 || measure.elements == 18 * 32 * 128, "{}", measure.elements);
        assert!(measure.notes.is_empty(), "{:?}", measure.notes);
    }
    let mut narrow = other(|m| m.head_dims = Integers::List(vec![32, 96]));
    narrow.1.partial_rotary = false;
    let (found, gaps) = verdicts("m-rope", &library, &mut narrow);
    assert_eq!((found.len(), gaps.len()), (0, WIDTHS.len()), "{gaps:?}");
}

#[test]
fn what_no_golden_case_is_about_is_said() {
    let library = Library::embedded().unwrap();
    let mut backward = other(|m| m.directions = vec![-1]);
    assert_eq!(verdicts("rope", &library, &mut backward).1, ["golden cases have direction 1"]);
    let mut short = other(|m| m.max_tokens = TOKENS as i64 - 1);
    assert!(verdicts("rope", &library, &mut short).1[0].contains("18 tokens"));
    let mut changed = library.clone();
    let file = embedded_file("schemes/rope.yaml").unwrap();
    changed.add_text("rope.yaml", &format!("{}\n# mine\n", file.text)).unwrap();
    assert!(verdicts("rope", &changed, &mut Host::new()).1[0].contains("replaced"));
}

#[test]
fn other_contracts_and_rounded_positions_are_judged_by_a_bound_of_their_own_and_it_is_said() {
    let library = Library::embedded().unwrap();
    let mut loose = other(|m| {
        for (_, level) in &mut m.levels {
            for (_, contract) in &mut level.contracts {
                *contract = crate::contract::Declaration::new("eager", "pow");
            }
        }
    });
    let (found, _) = verdicts("vrope", &library, &mut loose);
    for verdict in found {
        let Ok(measure) = verdict else { panic!("{verdict:?}") };
        assert_eq!(measure.notes.len(), 1);
        assert!(
            measure.notes[0].contains("fused/table") && measure.notes[0].contains("eager/pow"),
            "{:?}",
            measure.notes
        );
        assert!(measure.worst < 0.9, "an eager bound is wider than what a fused kernel needs: {}", measure.worst);
    }
    let mut rounded = other(|m| m.position_dtypes = vec![DType::F32]);
    let (found, _) = verdicts("rope-tie", &library, &mut rounded);
    for verdict in found {
        let Ok(measure) = verdict else { panic!("{verdict:?}") };
        assert!(measure.notes[0].contains("f32 rounds a position"), "{:?}", measure.notes);
    }
}
