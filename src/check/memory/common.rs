//! What the checks of memory share: plain cases in every kind of memory, and runs whose memory is looked at.

use crate::case::{Alias, Case, Change, Level, Memory, Part, PositionSource, Prepared, Tensor};
use crate::check::failure::{Cause, Circumstance, During, Stop};
use crate::check::generator::{Generator, text};
use crate::check::harness::{Harness, Outputs};
use crate::check::heads::HeadPreset;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler, layouts};

/// A few tokens of every kind, and in how many rows: mostly enough for every stride to matter.
pub(in crate::check) const CALLS: [(&str, usize); 4] =
    [("text:2 video:1x2x2 text:1", 2), ("text:1 image:1x2", 3), ("text:2 image:2x2 text:3", 1), ("image:1x2", 5)];
/// Of wide heads fewer.
const WIDE_CALLS: [(&str, usize); 4] =
    [("text:1 image:1x2", 2), ("text:2", 3), ("text:1 image:2x2", 1), ("image:1x2", 4)];

/// Cases of a check in these kinds of memory, each with every aliasing that is both offered and asked for, on
/// small heads and on groups of wide ones.
pub(in crate::check) fn schedule(mut s: Scheduler, memories: &[Memory], aliases: &[Alias]) -> Schedule {
    let g = s.generator;
    let offered: Vec<Alias> = match g.group.level {
        Level::Positions => vec![Alias::Out],
        _ => aliases.iter().copied().filter(|a| g.manifest.alias.contains(a)).collect(),
    };
    if !s.heads().is_empty() && offered.is_empty() {
        return Schedule::nothing("the manifest offers no such aliasing");
    }
    let start = usize::try_from(s.rng.below(CALLS.len() as u64)).unwrap_or(0);
    let mut calls = CALLS.iter().zip(WIDE_CALLS).cycle().skip(start);
    for (m, memory) in memories.iter().enumerate() {
        for (a, alias) in offered.iter().enumerate() {
            let (Some(preset), Some((call, wide))) = (s.turn(m + a), calls.next()) else { continue };
            let (text, rows) = if preset.head_dim < 128 { *call } else { wide };
            let rows = vec![text; rows];
            s.add(layouts(&rows), &preset, |case| (case.memory, case.alias) = (*memory, *alias));
        }
    }
    s.finish()
}

/// The smallest heads that the manifest and the scheme allow: where the number of rows is what matters.
///
/// # Errors
/// Why there are none.
pub(in crate::check) fn tiny(g: &Generator) -> Result<HeadPreset, String> {
    let m = g.manifest;
    let least = |i: &crate::backend::manifest::Integers, floor| i.at_least(floor).and_then(|n| u32::try_from(n).ok());
    let parameters = g.heads().first().map(|h| h.parameters.clone()).unwrap_or_default();
    let widths = [2, 4, 8, 16, 32, 64, 128].into_iter().filter_map(|floor| least(&m.head_dims, floor));
    let counts = least(&m.q_heads, 1).and_then(|q| Some((q, g.key_heads(q)?)));
    let tried = || {
        widths.clone().filter_map(|head_dim| {
            let (q_heads, k_heads) = counts?;
            Some(HeadPreset { q_heads, k_heads, head_dim, rotary: None, parameters: parameters.clone() })
        })
    };
    let none = || format!("no small heads fit the manifest and the scheme: {}", g.why_none(tried()));
    tried().find(|heads| g.fits(heads)).ok_or_else(none)
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
    /// That nothing of this kind changed.
    pub(in crate::check) fn unchanged(&self, part: Part) -> Result<(), Stop> {
        match self.changes.iter().find(|change| change.part == part) {
            Some(change) => Err(Stop::of_call(Cause::MemoryWritten { part, at: change.place })),
            None => Ok(()),
        }
    }
}

/// Runs a case over memory that was filled with `poison`.
pub(in crate::check) fn watched(
    harness: &mut Harness,
    prepared: &mut Prepared,
    (q, k): (Tensor, Tensor),
    poison: u8,
) -> Result<Watched, Stop> {
    prepared.poison = poison;
    let before = prepared.image(&q, &k);
    let outputs = harness.run(prepared, q, k)?;
    let after = harness.backend.memory();
    let mut bits = Vec::new();
    prepared.output_bytes(|range| bits.extend_from_slice(after.get(range).unwrap_or_default()));
    Ok(Watched { outputs, bits, changes: prepared.changes(before, after) })
}

/// That the backend is right on this case in plain memory; where it is not, nothing about memory follows.
pub(in crate::check) fn sound(harness: &mut Harness, case: &Case) -> Result<(), Stop> {
    let alias = if harness.backend.manifest().alias.contains(&Alias::Out) { Alias::Out } else { Alias::In };
    let plain = Case { memory: Memory::Packed, alias, ..case.clone() };
    let (prepared, outputs) = harness.execute(&plain)?;
    let judged = Judge::new(harness, &plain, &prepared)?.all(&outputs).map(drop);
    let judged = judged.during(Circumstance::PlainMemory);
    judged.map_err(|stop| stop.owed("the result is wrong in plain memory already; see the other checks"))
}

/// The case with few tokens, at the positions of their layout.
pub(in crate::check) fn few(case: &Case) -> Case {
    let layouts = vec![text(6)];
    Case { layouts, window: None, place: PositionSource::Layout { shift: 0 }, ..case.clone() }
}

/// Judges the outputs, and blames a wrong one on `what`: the backend must be sound.
pub(in crate::check) fn blame(
    harness: &Harness,
    case: &Case,
    prepared: &Prepared,
    outputs: &Outputs,
    what: Circumstance,
) -> Result<Measure, Stop> {
    Judge::new(harness, case, prepared)?.all(outputs).during(what)
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
                        m[qk.k.unwrap().at(0, 1, 0, 5)] ^= 1;
                    }
                },
                "an input was changed: row 0, token 1, head 0, channel 5 of k",
            ),
            (
                "fully-written",
                |c, m| {
                    let (at, poison) = (c.qk().unwrap().q_out.at(0, 1, 0, 3), *m.last().unwrap());
                    m[at..at + 4].fill(poison);
                },
                "never written: row 0, token 1, head 0, channel 3 of q_out",
            ),
            (
                "in-place",
                |c, m| {
                    let qk = c.qk().unwrap();
                    if qk.q == qk.q_out {
                        zero(m, qk.q.at(0, 1, 0, 0));
                    }
                },
                "in place: row 0, token 1",
            ),
            (
                "strides",
                |c, m| {
                    let view = c.qk().unwrap().q_out;
                    if view.stride[2] > view.shape[3].cast_signed() {
                        m[view.at(0, 0, 0, 0) + view.stride[2].unsigned_abs() * 4 - 1] ^= 1;
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
