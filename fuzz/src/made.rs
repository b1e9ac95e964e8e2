//! Bytes to cases. Every case that comes out lies inside the manifest, so that a backend has no excuse.

use arbitrary::{Result, Unstructured};

use ropecheck::backend::Manifest;
use ropecheck::backend::manifest::{Integers, LevelManifest};
use ropecheck::case::{Case, Consume, Data, Level, Memory, PositionSource, Strides};
use ropecheck::check::{Generator, Group, HeadPreset};
use ropecheck::numeric::{DType, Number};
use ropecheck::positions::{Layout, Segment};
use ropecheck::rotation::PlanCache;
use ropecheck::spec::Library;
use ropecheck::spec::model::Scheme;

/// Most elements of q and k together.
const MOST_ELEMENTS: u64 = 1 << 14;
/// Most tokens of a row.
const MOST_TOKENS: u64 = 40;

/// Checks that judge any case, and not only those that they plan themselves; `accuracy` again and again.
const CHECKS: [&str; 8] = [
    "accuracy",
    "accuracy",
    "accuracy",
    "superposition",
    "inverse",
    "token-independence",
    "fully-written",
    "inputs-untouched",
];
/// The same on level positions.
const POSITION_CHECKS: [&str; 2] = ["positions-exact", "deterministic"];

const DATA: [Data; 8] = [
    Data::Uniform,
    Data::Mixed,
    Data::Cancel,
    Data::Extremes,
    Data::Ties,
    Data::Subnormal,
    Data::Powers,
    Data::Overflow,
];
const BASES: [i64; 6] = [2, 100, 10_000, 500_000, 1_000_000, 10_000_000];

/// A case inside `manifest`; `None` where the bytes lead to nothing that it offers.
pub fn case(u: &mut Unstructured, manifest: &Manifest, library: &Library, plans: &PlanCache) -> Result<Option<Case>> {
    let (level, offer) = u.choose(&manifest.levels)?;
    let schemes: Vec<&Scheme> = library.schemes().map(|s| &**s).filter(|s| offer.offers(s)).collect();
    let offers_tensors = *level != Level::Positions;
    if schemes.is_empty() || offers_tensors && manifest.dtypes.is_empty() {
        return Ok(None);
    }
    let scheme: &Scheme = u.choose(&schemes)?;
    let group = Group {
        scheme: scheme.id(),
        level: *level,
        pairing: if offers_tensors { *u.choose(&manifest.pairings)? } else { scheme.pairing },
        dtype: if offers_tensors { *u.choose(&manifest.dtypes)? } else { DType::F32 },
    };
    let g = Generator {
        group,
        scheme,
        library,
        plans,
        manifest,
        level: offer,
        cases: 1,
        depth: Default::default(),
        seed: 1,
        parameters: &[],
        cover: &[],
        whole: std::sync::OnceLock::new(),
    };
    let Some(heads) = heads(u, manifest, &g)? else { return Ok(None) };
    let Some(rows) = rows(u, manifest, &heads, *level)? else { return Ok(None) };
    let check = *u.choose(if offers_tensors { &CHECKS[..] } else { &POSITION_CHECKS })?;
    let mut case = g.case(check, rows, &heads, 0);
    terms(u, manifest, offer, &g, &mut case)?;
    case.seed = u64::from(u.arbitrary::<u16>()?);
    // What the scheme makes of the layout is not known before.
    let (least, most) = g.limits();
    if let PositionSource::Layout { shift } = case.place {
        for layout in &case.layouts {
            let Some((low, high)) = g.extent(&case, layout) else { return Ok(None) };
            if low + shift < least || high + shift > most {
                return Ok(None);
            }
        }
    }
    Ok(Some(case))
}

fn heads(u: &mut Unstructured, manifest: &Manifest, g: &Generator) -> Result<Option<HeadPreset>> {
    if g.group.level == Level::Positions {
        let plain = HeadPreset { q_heads: 1, k_heads: 0, head_dim: 2, rotary: None, parameters: Vec::new() };
        return Ok(Some(plain));
    }
    // Plans take milliseconds, the more the wider the head, and are kept: few sizes, and most of them small.
    let width = if u.ratio(1, 12)? { *u.choose(&[64, 80, 128])? } else { *u.choose(&[2, 4, 6, 8, 12, 16, 24, 32])? };
    let query = *u.choose(&[1u32, 2, 3, 6])?;
    let allowed = |integers: &Integers, floor: u32| -> Option<u32> {
        let found = integers.at_least(i64::from(floor)).or_else(|| integers.at_least(0));
        found.and_then(|v| u32::try_from(v).ok())
    };
    let (Some(q_heads), Some(head_dim)) = (allowed(&manifest.q_heads, query), allowed(&manifest.head_dims, width))
    else {
        return Ok(None);
    };
    // Key heads share out the query heads, or there are none of them.
    let shares = |k: &u32| *k == 0 || q_heads.is_multiple_of(*k);
    let key_heads: Vec<u32> =
        (0..=6).chain([q_heads]).filter(|k| manifest.k_heads.allows(i64::from(*k))).filter(shares).collect();
    let Ok(&k_heads) = u.choose(&key_heads) else { return Ok(None) };
    let mut rotary = None;
    if manifest.partial_rotary && u.ratio(1, 4)? {
        let width = 2 * u.int_in_range(1..=(head_dim / 2).max(1))?;
        rotary = Some((width, u.int_in_range(0..=head_dim.saturating_sub(width))?));
    }
    let mut parameters = Vec::new();
    // A kernel may have a scheme's parameters built in, all but the base (docs/abi.md), unless it is handed all that they change.
    let handed = g.group.level == Level::Apply
        || g.group.level == Level::Rotate
            && g.level.consumes(Consume::AxisOfPair)
            && g.level.consumes(Consume::InvFreq);
    for parameter in g.scheme.parameters.iter().filter(|p| handed || p.name == "base") {
        if u.ratio(7, 8)? {
            continue;
        }
        let value = if parameter.name == "base" { *u.choose(&BASES)? } else { u.int_in_range(0..=6)? };
        parameters.push((parameter.name.clone(), Number::from_i64(value)));
    }
    let heads = HeadPreset { q_heads, k_heads, head_dim, rotary, parameters };
    if g.fits(&heads) {
        return Ok(Some(heads));
    }
    // Many schemes need heads of some width, or take no such parameter.
    let head_dim = allowed(&manifest.head_dims, 64).unwrap_or(head_dim);
    let plain = HeadPreset { head_dim, rotary: None, parameters: Vec::new(), ..heads };
    Ok(g.fits(&plain).then_some(plain))
}

/// One layout per row, all of as many tokens.
fn rows(u: &mut Unstructured, manifest: &Manifest, heads: &HeadPreset, level: Level) -> Result<Option<Vec<Layout>>> {
    let per_token = u64::from(heads.q_heads + heads.k_heads) * u64::from(heads.head_dim);
    let count = u.int_in_range(1u64..=3)?;
    let limit = u64::try_from(manifest.max_tokens).unwrap_or(0);
    let room = MOST_TOKENS.min(limit).min(MOST_ELEMENTS / (per_token * count).max(1));
    let room = if level == Level::Positions { MOST_TOKENS.min(limit) } else { room };
    if room == 0 {
        return Ok(None);
    }
    let first = layout(u, room)?;
    let mut rows = vec![first.clone()];
    for _ in 1..count {
        let other = if manifest.batch_layouts && u.ratio(1, 2)? { layout(u, first.tokens())? } else { first.clone() };
        let missing = u32::try_from(first.tokens() - other.tokens()).unwrap_or(0);
        let rest = if missing > 0 { vec![Segment::Text(missing)] } else { Vec::new() };
        let Ok(other) = Layout::new(other.segments().iter().cloned().chain(rest).collect()) else { return Ok(None) };
        rows.push(other);
    }
    Ok(Some(rows))
}

/// A layout of at least one and at most `room` tokens.
fn layout(u: &mut Unstructured, room: u64) -> Result<Layout> {
    let mut segments = Vec::new();
    let mut left = room;
    for _ in 0..u.int_in_range(1..=4)? {
        let segment = match u.int_in_range(0..=3)? {
            0 | 1 => Segment::Text(u.int_in_range(1..=12)?),
            2 => Segment::Image { h: u.int_in_range(1..=5)?, w: u.int_in_range(1..=5)? },
            _ => {
                let quarters = Number::ratio(i128::from(u.int_in_range(1u8..=9)?), 4).unwrap_or(Number::ONE);
                let (t, h, w) = (u.int_in_range(1..=4)?, u.int_in_range(1..=4)?, u.int_in_range(1..=4)?);
                Segment::Video { t, h, w, seconds: quarters }
            }
        };
        if segment.tokens() <= left {
            left -= segment.tokens();
            segments.push(segment);
        }
    }
    if segments.is_empty() {
        segments.push(Segment::Text(1));
    }
    Ok(Layout::new(segments).unwrap_or_default())
}

/// Everything that is neither heads nor layouts.
fn terms(u: &mut Unstructured, m: &Manifest, offer: &LevelManifest, g: &Generator, case: &mut Case) -> Result<()> {
    let level = case.level;
    if let Ok(dtype) = u.choose_iter(g.position_types()) {
        case.position_dtype = dtype;
    }
    if level == Level::Positions {
        return window(u, m, case);
    }
    case.direction = if *u.choose(&m.directions)? < 0 { -1 } else { 1 };
    case.alias = *u.choose(&m.alias)?;
    case.data = *u.choose(&DATA)?;
    let packed = [Memory::Packed, Memory::GuardEnd, Memory::GuardStart];
    let rows = [Memory::Packed, Memory::Padded, Memory::HeadsFirst, Memory::Sliced, Memory::GuardEnd];
    let any = [Memory::Packed, Memory::Padded, Memory::HeadsFirst, Memory::Sliced, Memory::Spread, Memory::GuardStart];
    case.memory = match m.strides {
        Strides::Packed => *u.choose(&packed)?,
        Strides::Rows => *u.choose(&rows)?,
        Strides::Any => *u.choose(&any)?,
    };
    if m.attention_scaling && u.ratio(1, 4)? {
        case.scaling = Some(f64::from(u.int_in_range(1u16..=4000)?) / 1000.0);
    }
    if level == Level::Fused {
        return window(u, m, case);
    }
    if m.varlen && u.ratio(1, 5)? {
        case.packed = true;
    }
    let (least, most) = g.limits();
    // Cosines and sines that are handed over may come from anywhere; a cache has few rows.
    let near = if offer.consumes(Consume::CosSinCache) { 2048 } else { most };
    let (low, high) = (u.int_in_range(least..=most.min(near))?, u.int_in_range(0..=most.min(near))?);
    let (low, high) = (low.min(high), low.max(high));
    case.place = match u.int_in_range(0..=5)? {
        0 => PositionSource::Random { low, high },
        1 => PositionSource::Span { low, high },
        2 => PositionSource::QuarterTurns { low, high },
        3 if case.position_dtype.is_float() && low < high => {
            PositionSource::Fractions { low, high, parts: u.int_in_range(2..=1024)? }
        }
        4 => PositionSource::Layout { shift: low.clamp(-1 << 31, 1 << 31) },
        _ => PositionSource::Layout { shift: 0 },
    };
    if case.position_dtype == DType::I32 && (low < -i64::from(i32::MAX) || high > i64::from(i32::MAX)) {
        case.place = PositionSource::Layout { shift: 0 };
    }
    if !m.batch_layouts && !case.place.is_layout() {
        case.layouts.truncate(1);
    }
    Ok(())
}

fn window(u: &mut Unstructured, m: &Manifest, case: &mut Case) -> Result<()> {
    let tokens = case.tokens();
    if m.token_ranges && tokens > 1 && u.ratio(1, 3)? {
        let start = u.int_in_range(0..=tokens - 1)?;
        case.window = Some((start, u.int_in_range(1..=tokens - start)?));
    }
    Ok(())
}
