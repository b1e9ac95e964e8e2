//! Where frequencies depend on the length of a sequence: the lengths around the first one that changes them.

use super::bands::at_length;
use super::generator::{Generator, text};
use super::heads::HeadPreset;
use super::schedule::Scheduler;
use crate::case::{Case, Data, Level, PositionSource};
use crate::numeric::Number;
use crate::rotation::HeadShape;
use crate::spec::Parameters;

/// Part of case ids.
const BAND: &str = "length-edge";
/// Most tokens that are packed in one row for the sake of a length.
const MOST_PACKED: i64 = 8192;

/// Plans cases of the last length with the frequencies of the shortest sequence, of the first with others, and of one
/// twice as long; and, where the backend takes them, of a short and a long sequence in one row.
pub(super) fn plan(s: &mut Scheduler, g: &Generator, heads: &[HeadPreset]) {
    if !g.scheme.depends_on_length() || g.group.level == Level::Apply {
        return;
    }
    let Some(edge) = heads.first().and_then(|heads| edge(g, heads)) else {
        s.gap(BAND, "no sequence that the manifest allows is long enough for other frequencies");
        return;
    };
    let longest = g.max_position().saturating_add(1);
    let lengths = [edge - 1, edge, 2 * edge - 2].into_iter().filter(|length| (1..=longest).contains(length));
    for (index, (length, preset)) in (0u32..).zip(lengths.zip(heads.iter().cycle())) {
        let mut case = s.case(vec![text(4)], preset);
        case.data = Data::Mixed;
        g.vary(&mut case, index, &mut s.rng);
        match at_length(g, &mut case, length) {
            Ok(()) => s.plan(BAND, case),
            Err(why) => s.gap(BAND, why),
        }
    }
    if let Some(case) = packed(s, g, heads, edge) {
        s.plan(BAND, case);
    }
}

/// A short sequence and one of length `edge` in one row: one call, so one length for both.
fn packed(s: &mut Scheduler, g: &Generator, heads: &[HeadPreset], edge: i64) -> Option<Case> {
    const SHORT: u32 = 5;
    let tokens = edge + i64::from(SHORT);
    let offered = g.manifest.varlen && g.text_step() == 1 && tokens <= MOST_PACKED.min(g.manifest.max_tokens);
    let long = u32::try_from(edge).ok().filter(|_| offered)?;
    // Thousands of tokens: with as few heads as there may be.
    let heads = few_heads(g, heads.first()?).or_else(|| heads.first().cloned())?;
    let mut case = s.case(vec![text(SHORT), text(long)], &heads);
    (case.packed, case.data) = (true, Data::Mixed);
    case.place = PositionSource::Layout { shift: 0 };
    Some(case)
}

/// As wide heads, of the least number that fits.
fn few_heads(g: &Generator, heads: &HeadPreset) -> Option<HeadPreset> {
    let q_heads = u32::try_from(g.manifest.q_heads.at_least(1)?).ok()?;
    let few = HeadPreset { q_heads, k_heads: g.key_heads(q_heads)?, ..heads.clone() };
    g.fits(&few).then_some(few)
}

/// The least length whose plan is another than that of the shortest sequence. Plans are taken to change once at least
/// between two lengths that have different ones.
fn edge(g: &Generator, heads: &HeadPreset) -> Option<i64> {
    let parameters = Parameters::resolve(g.scheme, &g.case("", Vec::new(), heads, 0).parameters).ok()?;
    let head_dim = heads.rotary.map_or(heads.head_dim, |(width, _)| width);
    let shape = HeadShape { head_dim, q_heads: heads.q_heads, k_heads: heads.k_heads.max(1) };
    let plan = |length: i64| {
        let parameters = parameters.clone().with_length(Number::from_i64(length));
        g.plans.plan(g.scheme, &parameters, shape).ok()
    };
    let shortest = plan(1)?;
    let other = |length: i64| {
        let plan = plan(length)?;
        Some(plan.inv_freq != shortest.inv_freq || plan.attention_scaling != shortest.attention_scaling)
    };
    let longest = g.max_position().saturating_add(1);
    let (mut same, mut differs) = (1, 1);
    while !other(differs)? {
        if differs >= longest {
            return None;
        }
        (same, differs) = (differs, differs.saturating_mul(2).min(longest));
    }
    while differs - same > 1 {
        let middle = same.midpoint(differs);
        if other(middle)? { differs = middle } else { same = middle }
    }
    Some(differs)
}
