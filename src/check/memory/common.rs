//! What the checks of memory share: plain cases in every kind of memory, and runs whose memory is looked at.

use crate::case::{Alias, Case, Change, Level, Memory, Part, PositionSource, Prepared, Tensor};
use crate::check::generator::{Generator, HeadPreset};
use crate::check::judge::Judge;
use crate::check::{Failure, Gap, Halt, Harness, Measure, Outputs, Planned, Schedule, Verdict};
use crate::positions::Layout;

/// A few tokens of every kind, twice: enough for every stride to matter.
const LAYOUT: &str = "text:2 video:1x2x2 text:1";

/// Cases of a check in these kinds of memory, each in every way of aliasing that is both offered and asked for.
pub(in crate::check) fn schedule(id: &str, g: &Generator, memories: &[Memory], aliases: &[Alias]) -> Schedule {
    let mut schedule = Schedule::default();
    let presets = match g.group.level {
        Level::Positions => {
            vec![HeadPreset { q_heads: 1, k_heads: 0, head_dim: 2, rotary: None, parameters: Vec::new() }]
        }
        _ => g.heads(),
    };
    let offered: Vec<Alias> = match g.group.level {
        Level::Positions => vec![Alias::Out],
        _ => aliases.iter().copied().filter(|a| g.manifest.alias.contains(a)).collect(),
    };
    if presets.is_empty() {
        return gap("no head preset fits the manifest and the scheme");
    }
    if offered.is_empty() {
        return gap("the manifest offers no such aliasing");
    }
    let Ok(layout) = Layout::parse(LAYOUT) else { return schedule };
    let mut rng = g.rng(id);
    for (index, (memory, alias)) in memories.iter().flat_map(|m| offered.iter().map(move |a| (*m, *a))).enumerate() {
        let preset = &presets[index % presets.len().min(2)];
        let mut case = g.case(id, vec![layout.clone(); 2], preset, rng.next_u64());
        (case.memory, case.alias) = (memory, alias);
        schedule.cases.push(Planned { band: "-".into(), case });
    }
    schedule
}

/// A schedule of nothing, and why.
pub(in crate::check) fn gap(why: impl Into<String>) -> Schedule {
    Schedule { cases: Vec::new(), gaps: vec![Gap { band: "-".into(), why: why.into() }] }
}

/// The smallest heads that the manifest and the scheme allow: where the number of rows is what matters.
pub(in crate::check) fn tiny(g: &Generator) -> Option<HeadPreset> {
    let m = g.manifest;
    let least = |i: &crate::backend::manifest::Integers, floor| i.at_least(floor).and_then(|n| u32::try_from(n).ok());
    let parameters = g.heads().first().map(|h| h.parameters.clone()).unwrap_or_default();
    let q_heads = least(&m.q_heads, 1)?;
    let k_heads = g.key_heads(q_heads)?;
    [2, 4, 8, 16, 32, 64, 128].into_iter().find_map(|floor| {
        let head_dim = least(&m.head_dims, floor)?;
        let preset = HeadPreset { q_heads, k_heads, head_dim, rotary: None, parameters: parameters.clone() };
        g.fits(&preset).then_some(preset)
    })
}

/// A run, and what it did to memory.
pub(in crate::check) struct Watched {
    /// Values in and out; empty on level positions.
    pub(in crate::check) outputs: Outputs,
    /// The bytes of all outputs, one after the other.
    pub(in crate::check) bits: Vec<u8>,
    /// What changed and must not have.
    pub(in crate::check) changes: Vec<Change>,
}

impl Watched {
    /// The failing verdict if something of this kind changed.
    pub(in crate::check) fn changed(&self, part: Part) -> Option<Verdict> {
        let change = self.changes.iter().find(|c| c.part == part)?;
        let what = match part {
            Part::Input => "an input was changed",
            Part::Gap => "a gap between elements was written",
            Part::Outside => "memory outside of every buffer was written",
        };
        Some(Verdict::Fail(Failure::new(format!("{what}: {}", change.place))))
    }
}

/// Runs a case over memory that was filled with `poison`.
pub(in crate::check) fn watched(
    harness: &mut Harness,
    prepared: &mut Prepared,
    (q, k): (Tensor, Tensor),
    poison: u8,
) -> Result<Watched, Halt> {
    prepared.poison = poison;
    let before = prepared.image(&q, &k);
    let outputs = harness.run(prepared, q, k)?;
    let after = harness.backend.memory();
    let mut bits = Vec::new();
    prepared.output_bytes(|range| bits.extend_from_slice(after.get(range).unwrap_or_default()));
    Ok(Watched { outputs, bits, changes: prepared.changes(before, after) })
}

/// That the backend is right on this case in plain memory: otherwise nothing about memory follows from a wrong result.
pub(in crate::check) fn sound(harness: &mut Harness, case: &Case) -> Result<(), Halt> {
    let alias = if harness.backend.manifest().alias.contains(&Alias::Out) { Alias::Out } else { Alias::In };
    let plain = Case { memory: Memory::Packed, alias, ..case.clone() };
    let (prepared, outputs) = harness.execute(&plain)?;
    match Judge::new(harness, &plain, &prepared)?.all(&outputs) {
        Verdict::Pass(_) => Ok(()),
        _ => Err(Halt::not_judged("the result is wrong in plain memory already; see the other checks")),
    }
}

/// The same with few tokens and positions of no account.
pub(in crate::check) fn few(case: &Case) -> Case {
    let layouts = vec![crate::check::generator::text(6)];
    Case { layouts, window: None, place: PositionSource::Layout { shift: 0 }, ..case.clone() }
}

/// Judges the outputs, and blames a wrong one on `what`: the backend must be sound.
pub(in crate::check) fn blame(
    harness: &Harness,
    case: &Case,
    prepared: &Prepared,
    outputs: &Outputs,
    what: &str,
) -> Result<Measure, Halt> {
    match Judge::new(harness, case, prepared)?.all(outputs) {
        Verdict::Pass(measure) => Ok(measure),
        Verdict::Fail(mut failure) => {
            failure.summary = format!("{what}: {}", failure.summary);
            Err(Halt::fail(failure))
        }
        Verdict::NotJudged(why) => Err(Halt::not_judged(why)),
        Verdict::Broken(why) => Err(Halt::broken(why)),
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::host::Host;
    use crate::case::call::Call;
    use crate::check::tests::{Mutant, nothing, outcome};
    use crate::numeric::DType;

    type Spoil = fn(&Call, &mut [u8]);

    /// Keeps the embedded kernel's answer but for one thing.
    fn with(after: Spoil) -> Mutant {
        Mutant { host: Host::new(), before: nothing, after, memory: Vec::new() }
    }

    fn zero(memory: &mut [u8], at: usize) {
        memory[at..at + 4].fill(0);
    }

    #[test]
    fn every_check_of_memory_passes_the_embedded_kernel() {
        let ids = [
            "in-place",
            "inputs-untouched",
            "fully-written",
            "guards",
            "strides",
            "passthrough",
            "many-rows",
            "far-strides",
            "empty",
            "position-beyond-limit",
        ];
        for (id, dtype) in ids.into_iter().zip([DType::F32, DType::F16, DType::BF16].into_iter().cycle()) {
            let (failed, passed, why) = outcome(id, "m-rope", dtype, &mut Host::new());
            assert!(failed == 0 && passed > 0, "{id} {dtype:?}: {failed} failed, {passed} passed: {why}");
        }
    }

    /// Without guard pages too: what is written is seen by its bytes, what is read by what it does.
    #[test]
    fn each_check_of_memory_fails_its_own_defect() {
        let defects: [(&str, Spoil, &str); 10] = [
            ("guards", |c, m| m[c.qk().unwrap().q_out.offset - 1] ^= 1, "1 element before the start of q"),
            (
                "guards",
                |c, m| {
                    let at = c.qk().unwrap().q_out.offset;
                    if m[at - 1] == 0xff {
                        zero(m, at);
                    }
                },
                "which the manifest calls stable, depend on what lies outside of the buffers",
            ),
            (
                "inputs-untouched",
                |c, m| {
                    let qk = c.qk().unwrap();
                    if qk.q != qk.q_out {
                        m[qk.k.unwrap().at(1, 2, 0, 5)] ^= 1;
                    }
                },
                "an input was changed: row 1, token 2, head 0, channel 5 of k",
            ),
            (
                "fully-written",
                |c, m| {
                    let (at, poison) = (c.qk().unwrap().q_out.at(1, 1, 0, 3), *m.last().unwrap());
                    m[at..at + 4].fill(poison);
                },
                "never written: row 1, token 1, head 0, channel 3 of q_out",
            ),
            (
                "in-place",
                |c, m| {
                    let qk = c.qk().unwrap();
                    if qk.q == qk.q_out {
                        zero(m, qk.q.at(0, 3, 0, 0));
                    }
                },
                "in place: row 0, token 3",
            ),
            (
                "strides",
                |c, m| {
                    let view = c.qk().unwrap().q_out;
                    if view.stride[2] > view.shape[3] {
                        m[view.at(0, 0, 0, 0) + view.stride[2] * 4 - 1] ^= 1;
                    }
                },
                "a gap between elements was written: the gap after row 0, token 0, head 0, channel",
            ),
            (
                "passthrough",
                |c, m| {
                    let view = c.qk().unwrap().q_out;
                    zero(m, view.at(0, 0, 0, view.shape[3] - 1));
                    zero(m, view.at(0, 1, 0, view.shape[3] - 1));
                },
                "outside the rotary width, must stay",
            ),
            (
                "many-rows",
                |c, m| {
                    let view = c.qk().unwrap().q_out;
                    if view.shape[1] > 1 << 16 {
                        zero(m, view.at(0, 1 << 16, 0, 0));
                    }
                },
                "with 65537 rows: token 65536",
            ),
            (
                "empty",
                |c, m| {
                    if c.qk().unwrap().batch == 0 {
                        zero(m, c.qk().unwrap().q_out.offset);
                    }
                },
                "a call without rows wrote row 0, token 0, head 0, channel 0 of q_out",
            ),
            (
                "position-beyond-limit",
                |c, m| {
                    let Call::Rotate { positions, qk, .. } = c else { return };
                    // Little endian: a position above 2^31 has a 1 there.
                    if m[positions.at(0, 0, 0) + 3] & 0x80 != 0 {
                        zero(m, qk.q_out.at(0, 0, 0, 31));
                    }
                },
                "beyond max_position 2147483647, with status OK",
            ),
        ];
        for (id, after, says) in defects {
            let (failed, _, why) = outcome(id, "m-rope", DType::F32, &mut with(after));
            assert!(failed > 0 && why.contains(says), "{id}: {failed} failed: {why}");
        }
    }

    #[test]
    fn a_backend_without_sparse_memory_is_not_judged_on_far_strides() {
        let (failed, passed, _) = outcome("far-strides", "m-rope", DType::F32, &mut with(|_, _| {}));
        assert_eq!((failed, passed), (0, 0));
    }
}
