//! Manifests: whatever is accepted, no case that is made for it lies outside.

use arbitrary::{Result, Unstructured};
use serde_json::{Value, json};

use ropecheck::backend::Manifest;
use ropecheck::backend::manifest::ManifestError;
use ropecheck::case::{Case, Consume, Level, Memory, PositionSource, Strides};
use ropecheck::check::{CATALOGUE, Generator, Group};
use ropecheck::rotation::PlanCache;

use super::world::{CONTRACTS, LIBRARY, NAMES, with_context};

/// JSON; after a first byte of 0x80 or more, choices that make it.
pub fn run(data: &[u8]) {
    let text = match data {
        [0x80..=0xff, choices @ ..] => made(&mut Unstructured::new(choices)).ok().map(|value| value.to_string()),
        _ => std::str::from_utf8(data).ok().map(str::to_owned),
    };
    let Some(text) = text else { return };
    let manifest = match Manifest::parse(&text, *NAMES) {
        Ok(manifest) => manifest,
        Err(ManifestError(mistakes)) => {
            assert!((1..=100).contains(&mistakes.len()), "{} mistakes", mistakes.len());
            for mistake in mistakes {
                let line = mistake.to_string();
                assert!(line.len() < 4096 && !line.contains(char::is_control), "a message of {} bytes", line.len());
            }
            return;
        }
    };
    assert_eq!(Manifest::parse(&text, *NAMES).as_ref(), Ok(&manifest));
    with_context(|context| planned(&manifest, &text, &context.plans));
}

fn planned(manifest: &Manifest, text: &str, plans: &PlanCache) {
    // One group and three checks, chosen by the text, so that an input is quick.
    let pick = text.bytes().fold(7usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    for (index, (level, offer)) in manifest.levels.iter().enumerate() {
        for (dtype, name) in &offer.contracts {
            assert!(manifest.dtypes.contains(dtype));
            assert!(name.resolve(&CONTRACTS).is_ok(), "{name}");
        }
        let schemes: Vec<_> = LIBRARY.schemes().filter(|scheme| offer.offers(scheme)).collect();
        assert!(!schemes.is_empty(), "a level of no scheme is never judged: {text}");
        let scheme = schemes[(pick + index) % schemes.len()];
        let dtype = manifest.dtypes.get(pick % manifest.dtypes.len().max(1)).copied();
        let pairing = manifest.pairings.get(pick % manifest.pairings.len().max(1)).copied();
        let (dtype, pairing) = (dtype.unwrap_or(ropecheck::numeric::DType::F32), pairing.unwrap_or(scheme.pairing));
        let generator = Generator {
            group: Group { scheme: scheme.id(), level: *level, pairing, dtype },
            scheme,
            library: &LIBRARY,
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
        for turn in 0..3 {
            let check = CATALOGUE[(pick / 7 + 11 * turn) % CATALOGUE.len()];
            // Layouts of a video of real size, and thousands of rows, take seconds.
            if !check.levels().contains(level) || matches!(check.id(), "controls" | "many-rows" | "far-strides") {
                continue;
            }
            for planned in check.schedule(&generator).cases {
                let judged = check.id() == "position-beyond-limit" || check.id() == "rejects-nonsense";
                inside(manifest, &planned.case, &generator, judged);
            }
        }
    }
}

/// Whether a case is one that the manifest offers, `beyond` for checks that look beyond it on purpose. A case of too many tokens is
/// planned, and not sent.
fn inside(m: &Manifest, case: &Case, g: &Generator, beyond: bool) {
    let at = || format!("{case} for {m:?}");
    assert_eq!(case.to_string().parse::<Case>().as_ref(), Ok(case));
    assert!(m.level(case.level).is_some(), "{}", at());
    assert!(
        case.packed || case.layouts.len() == 1 || m.batch_layouts || case.layouts.windows(2).all(|w| w[0] == w[1]),
        "{}",
        at()
    );
    assert!(case.window.is_none() || m.token_ranges || case.level == Level::Rotate, "window of {}", at());
    let takes_positions = m.level(case.level).is_some_and(|level| level.consumes(Consume::Positions));
    if case.level == Level::Positions || takes_positions {
        assert!(m.position_dtypes.is_empty() || m.position_dtypes.contains(&case.position_dtype), "{}", at());
    }
    if case.level == Level::Positions {
        return;
    }
    assert!(m.dtypes.contains(&case.dtype) && m.pairings.contains(&case.pairing), "{}", at());
    assert!(m.head_dims.allows(i64::from(case.head_dim)), "width of {}", at());
    assert!(m.q_heads.allows(i64::from(case.q_heads)) && m.k_heads.allows(i64::from(case.k_heads)), "{}", at());
    assert!(m.alias.contains(&case.alias), "alias of {}", at());
    assert!(m.directions.contains(&i64::from(case.direction)), "direction of {}", at());
    assert!(m.attention_scaling || case.scaling.is_none_or(|m| m == 1.0), "scaling of {}", at());
    assert!(m.partial_rotary || case.rotary.is_none_or(|(width, _)| width == case.head_dim), "rotary of {}", at());
    assert!(m.varlen || !case.packed, "packing of {}", at());
    let strides = match case.memory {
        Memory::Packed | Memory::GuardEnd | Memory::GuardStart => Strides::Packed,
        Memory::Padded | Memory::HeadsFirst | Memory::Sliced | Memory::FarRows | Memory::FarTokens => Strides::Rows,
        Memory::Spread => Strides::Any,
        Memory::Each { .. } => Strides::Packed,
    };
    let orders = case.memory.orders().into_iter().flatten().all(|order| m.takes_order(order));
    assert!(strides <= m.strides && orders, "memory of {}", at());
    if let (
        PositionSource::Span { low, high }
        | PositionSource::Random { low, high }
        | PositionSource::QuarterTurns { low, high },
        false,
    ) = (case.place, beyond)
    {
        let (least, most) = g.limits();
        assert!(least <= low && high <= most, "positions of {}", at());
    }
}

/// A manifest with choices, mostly good ones.
fn made(u: &mut Unstructured) -> Result<Value> {
    const CLASSES: [&str; 5] = ["ideal", "fused", "cached", "eager", "fast"];
    const WAYS: [&str; 7] = ["table", "pow", "exp", "exp2", "pow-reciprocal", "scale", "recurrence"];
    let mut contract = json!({"class": u.choose(&CLASSES)?, "frequencies": u.choose(&WAYS)?});
    if u.ratio(1, 3)? {
        let key =
            *u.choose(&["angles", "table", "trig_ulps", "trig_error", "angle_limit", "flushes", "fma", "scaling"])?;
        contract[key] =
            u.choose(&[json!("f64"), json!(1), json!(0.001), json!(true), json!("never"), json!("inputs")])?.clone();
    }
    let mut levels = json!({});
    let schemes = json!([u.choose(&["*", "rope", "m-rope", "vrope@official", "rope-2d", "videorope", "nothing"])?]);
    for (level, consumes) in [
        ("rotate", json!(["positions", "axis_of_pair", "inv_freq"])),
        ("rotate", json!(["positions", "base"])),
        ("rotate", json!(["positions", "cos_sin_cache"])),
        ("rotate", json!(["cos_sin"])),
        ("fused", json!(["layout", "base"])),
        ("positions", json!(["layout"])),
        ("apply", json!(["cos_sin"])),
    ] {
        if u.ratio(1, 3)? {
            levels[level] = json!({"consumes": consumes, "schemes": schemes});
            if level != "positions" {
                levels[level]["contract"] = contract.clone();
            }
        }
    }
    let mut top = json!({
        "name": "m", "version": "1", "levels": levels, "dtypes": ["f32", "bf16"], "position_dtypes": ["i64"],
        "head_dims": integers(u)?, "q_heads": integers(u)?, "k_heads": integers(u)?,
    });
    let changes: [(&str, Value); 18] = [
        ("dtypes", json!([u.choose(&["f32", "f16", "bf16"])?])),
        ("position_dtypes", json!([u.choose(&["i32", "i64", "f32", "f64"])?])),
        ("pairings", json!(["adjacent"])),
        ("partial_rotary", json!(true)),
        ("alias", json!(["in"])),
        ("strides", json!(u.choose(&["packed", "rows", "any"])?)),
        ("max_position", json!(u.choose(&[1, 7, 100, 5000, i64::from(i32::MAX), 1 << 40, i64::MAX])?)),
        ("min_position", json!(u.choose(&[0, -1, -100, i64::from(i32::MIN), i64::MIN])?)),
        ("max_tokens", json!(u.choose(&[1, 2, 5, 40, 5000, i64::MAX])?)),
        ("token_ranges", json!(true)),
        ("varlen", json!(true)),
        ("bit_stable", json!(u.arbitrary::<bool>()?)),
        ("directions", json!([-1])),
        ("attention_scaling", json!(true)),
        ("per_head", json!(true)),
        ("batch_layouts", json!(false)),
        ("alignment", json!(u.choose(&[1, 2, 64, 4096, 3, 0])?)),
        ("bases", json!([u.choose(&[10000, 500_000, 7])?])),
    ];
    for (key, value) in changes {
        if u.ratio(1, 4)? {
            top[key] = value;
        }
    }
    if u.ratio(1, 8)? {
        let key: String = u.arbitrary()?;
        top[key] = json!(u.arbitrary::<i64>()?);
    }
    Ok(top)
}

fn integers(u: &mut Unstructured) -> Result<Value> {
    let small = |u: &mut Unstructured| u.int_in_range(0..=9i64);
    Ok(match u.int_in_range(0..=4)? {
        0 => json!(2 * u.int_in_range(0..=80)?),
        1 => json!([small(u)?, 64, 128]),
        2 => json!({"min": small(u)?, "max": 256, "multiple": u.choose(&[1, 2, 8, 3, i64::MAX])?}),
        3 => json!({"min": 1, "max": u.choose(&[1, 4, 1024, i64::MAX])?}),
        _ => json!({"min": small(u)?, "max": 512}),
    })
}
