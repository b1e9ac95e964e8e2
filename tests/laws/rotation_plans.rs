//! Rotation plans: which axis turns which pair at which frequency, and what is refused.

use std::sync::Arc;

use ropecheck::numeric::{DType, Number};
use ropecheck::rotation::{HeadShape, NO_AXIS, PlanCache, PlanError, RotationPlan};
use ropecheck::spec::diagnostic::SourceFile;
use ropecheck::spec::hf::model_of_config;
use ropecheck::spec::model::Pairing;
use ropecheck::spec::presets::ModelPreset;
use ropecheck::spec::{HeadError, Library};
use ropecheck::spec::{ParameterError, Parameters};

fn library() -> Library {
    Library::embedded().unwrap_or_else(|errors| panic!("{errors}"))
}

fn plan_of(library: &Library, name: &str, head_dim: u32, set: &[(&str, i64)]) -> RotationPlan {
    let scheme = library.get(name).unwrap_or_else(|error| panic!("{error}"));
    let set: Vec<_> = set.iter().map(|(name, value)| ((*name).to_owned(), Number::from_i64(*value))).collect();
    let parameters = Parameters::resolve(scheme, &set).unwrap_or_else(|error| panic!("{error}"));
    RotationPlan::new(scheme, &parameters, HeadShape::of_dim(head_dim)).unwrap_or_else(|error| panic!("{error}"))
}

/// `t16 h24 w24`: runs of pairs on one axis.
fn runs(axes: &[u8], names: &[&str]) -> String {
    let mut text = String::new();
    for chunk in axes.chunk_by(|a, b| a == b) {
        let name = names.get(usize::from(chunk[0])).copied().unwrap_or("-");
        text.push_str(&format!("{name}{} ", chunk.len()));
    }
    text.trim_end().to_owned()
}

#[test]
fn axis_maps_are_those_of_the_papers_at_64_pairs() {
    let library = library();
    let thw = ["t", "h", "w"];
    let m_rope = plan_of(&library, "m-rope", 128, &[]);
    assert_eq!(runs(m_rope.axes(0), &thw), "t16 h24 w24");
    assert_eq!((m_rope.sections, m_rope.interleaved), (Some(vec![16, 24, 24]), false));
    let rope = plan_of(&library, "rope", 128, &[]);
    assert_eq!((rope.sections, rope.interleaved), (Some(vec![64]), false));

    // Qwen3-VL: transformers starts from all t and writes h at 1, 4, .. below 60 and w at 2, 5, .. below 60.
    let qwen3 = plan_of(&library, "qwen3-vl", 128, &[]);
    let mut expected = vec![0u8; 64];
    (1..60).step_by(3).for_each(|pair| expected[pair] = 1);
    (2..60).step_by(3).for_each(|pair| expected[pair] = 2);
    assert_eq!(qwen3.axes(0), expected);
    assert_eq!((qwen3.sections, qwen3.interleaved), (Some(vec![24, 20, 20]), true));

    let videorope = plan_of(&library, "videorope", 128, &[]);
    let expected: Vec<u8> = (0..64).map(|pair| if pair >= 48 { 0 } else { 1 + pair % 2 }).collect();
    assert_eq!(videorope.axes(0), expected);
    assert_eq!((videorope.sections, videorope.interleaved), (None, false));
    let paper = plan_of(&library, "videorope@paper", 128, &[]);
    let expected: Vec<u8> = (0..64).map(|pair| if pair >= 48 { 0 } else { 2 - pair % 2 }).collect();
    assert_eq!(paper.axes(0), expected, "the paper starts with x");

    // Axes of VRoPE in file order: u_pos, v_neg, v_pos, u_neg.
    let cycle = |axes: [u8; 4]| (0..64).map(|pair| axes[pair % 4]).collect::<Vec<u8>>();
    assert_eq!(plan_of(&library, "vrope", 128, &[]).axes(0), cycle([0, 1, 2, 3]));
    assert_eq!(plan_of(&library, "vrope@paper-v2", 128, &[]).axes(0), cycle([0, 2, 3, 1]));
    let tie = plan_of(&library, "rope-tie", 128, &[]);
    assert_eq!(runs(tie.axes(0), &thw), "t22 h21 w21");
}

/// Llama 3.1, by the wave lengths and branches of its own code.
#[test]
fn frequencies_of_llama3_are_those_of_its_code() {
    let plan = plan_of(&library(), "rope@llama3", 128, &[]);
    let mut seen = [0; 3];
    for (pair, found) in plan.frequencies(0).iter().enumerate() {
        let plain = 500_000f64.powf(-(pair as f64) / 64.0);
        let length = std::f64::consts::TAU / plain;
        let (branch, expected) = if length < 8192.0 / 4.0 {
            (0, plain)
        } else if length > 8192.0 {
            (1, plain / 8.0)
        } else {
            let smooth = (8192.0 / length - 1.0) / (4.0 - 1.0);
            (2, (1.0 - smooth) * plain / 8.0 + smooth * plain)
        };
        seen[branch] += 1;
        approx::assert_relative_eq!(*found, expected, max_relative = 1e-12);
    }
    assert!(seen.iter().all(|pairs| *pairs > 0), "{seen:?}");
}

/// The section lists of the models' own configurations, and the loops of their code.
#[test]
fn axis_maps_of_partial_widths_and_towers_are_those_of_the_codes() {
    let library = library();
    let thw = ["t", "h", "w"];
    // mrope_section [8, 12, 12] on 64 of 128 channels; adjacent channels, and halves in GLM-4.5V.
    for (name, pairing) in [("glm-4.1v", Pairing::Adjacent), ("glm-4.1v@glm-4.5v", Pairing::Half)] {
        let glm = plan_of(&library, name, 128, &[]);
        assert_eq!((glm.rotary_dim, glm.rotary_offset, glm.base), (64, 0, Some(10_000.0)), "{name}");
        assert_eq!(runs(glm.axes(0), &thw), "t8 h12 w12");
        assert_eq!(library.get(name).expect("a scheme").pairing, pairing);
    }
    // mrope_section [11, 11, 10], interleaved, on 64 of 256 channels: h at 1, 4, .. below 33, w at 2, 5, .. below 30.
    let qwen = plan_of(&library, "qwen3.5", 256, &[]);
    let mut expected = [0u8; 32];
    (1..33).step_by(3).filter(|pair| *pair < 32).for_each(|pair| expected[pair] = 1);
    (2..30).step_by(3).for_each(|pair| expected[pair] = 2);
    assert_eq!((qwen.axes(0), qwen.rotary_dim, qwen.base), (&expected[..], 64, Some(1e7)));
    assert_eq!((qwen.sections, qwen.interleaved), (Some(vec![11, 11, 10]), true));
    // mrope_section [22, 22, 20] in the order h, w, t: even pairs h, odd pairs w, then t.
    let ernie = plan_of(&library, "ernie-4.5-vl", 128, &[]);
    let expected: Vec<u8> = (0..64).map(|pair| if pair >= 44 { 0 } else { 1 + pair % 2 }).collect();
    assert_eq!((ernie.axes(0), ernie.base), (&expected[..], Some(500_000.0)));
    // The tower: outer(position, 1/10000^(arange(0, 40, 2)/40)) for rows, the same for columns, one after the other.
    let tower = plan_of(&library, "qwen2-vl-vision", 80, &[]);
    assert_eq!(runs(tower.axes(0), &["h", "w"]), "h20 w20");
    assert_eq!((tower.base, tower.pairs), (None, 40));
    for (pair, value) in tower.inv_freq.iter().enumerate() {
        let near = 10_000f64.powf(-2.0 * (pair % 20) as f64 / 40.0);
        assert!((value - near).abs() <= 4.0 * f64::EPSILON * near, "pair {pair}");
    }
}

#[test]
fn every_width_is_covered() {
    let library = library();
    for scheme in library.schemes() {
        let parameters = Parameters::defaults(scheme).expect("defaults");
        let mut made = 0;
        for head_dim in (2..=24).chain([64, 80, 96, 128]) {
            match RotationPlan::new(scheme, &parameters, HeadShape::of_dim(head_dim)) {
                Ok(plan) => {
                    made += 1;
                    assert_eq!(plan.axis_of_pair.len(), (plan.map_heads * plan.pairs) as usize);
                    assert_eq!(plan.axis_of_pair.len(), plan.inv_freq.len());
                    assert!(plan.axis_of_pair.iter().all(|&axis| axis == NO_AXIS || u32::from(axis) < plan.n_axes));
                }
                Err(PlanError { error: HeadError::Misfit(_), .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        // A list with one number per pair is for so many pairs alone.
        let least = if scheme.pairs.max == Some(scheme.pairs.min) { 1 } else { 5 };
        assert!(made >= least, "{} has plans at {made} widths only", scheme.id());
    }
}

#[test]
fn frequencies_are_the_nearest_f64() {
    let library = library();
    let plan = plan_of(&library, "rope", 128, &[]);
    // 10000^(-2i/128) is a power of ten at these pairs; Rust reads decimals to the nearest f64.
    for (pair, exact) in [(0, 1.0), (16, 0.1), (32, 0.01), (48, 0.001)] {
        assert_eq!(plan.inv_freq[pair], exact, "pair {pair}");
    }
    // The platform's power function is within a few ulp elsewhere.
    for (pair, value) in plan.inv_freq.iter().enumerate() {
        let near = 10000f64.powf(-2.0 * pair as f64 / 128.0);
        assert!((value - near).abs() <= 4.0 * f64::EPSILON * near, "pair {pair}");
    }
    assert_eq!(plan.base, Some(10000.0));
    assert_eq!(plan.attention_scaling, 1.0);
    assert_eq!(plan_of(&library, "rope", 128, &[("base", 500_000)]).base, Some(500_000.0));
}

/// A user's scheme that the built-in ones have nothing of.
fn custom(more: &str) -> Library {
    let invariants = "invariants: {non-negative: holds, continuous-boundary: holds, continuous-entry: holds, \
                      frames-contiguous: holds, degenerates-to-1d: holds, text-equals-1d: holds, \
                      no-collision: {fails: \"video:1x1x2\"}, unbiased: holds}\n";
    let text = format!(
        "scheme: custom\ntitle: a test\nsources: [{{ours: \"a test\"}}]\n\
         positions: {{video: {{every: \"p + t\", advance: \"T\"}}}}\n{invariants}{more}"
    );
    let mut library = library();
    library.add_text("custom.yaml", &text).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    library
}

#[test]
fn an_axis_that_never_rotates_is_marked_and_has_no_frequency() {
    let library = custom(
        "axes: [a, b]\naxis_map: {runs: [{pairs: \"R/4\", axis: none}, {pairs: rest, cycle: [a, b]}]}\npairs: {multiple_of: 4}\n",
    );
    let plan = plan_of(&library, "custom", 32, &[]);
    assert_eq!(plan.axes(0)[..5], [NO_AXIS, NO_AXIS, NO_AXIS, NO_AXIS, 0]);
    assert_eq!(plan.frequencies(0)[..4], [0.0; 4]);
    assert_eq!(plan.inv_freq[8], 10000f64.powf(-0.5));
    assert_eq!(plan.sections, None);
    assert_eq!(plan.base, Some(10000.0), "pairs that do not rotate do not matter");
}

#[test]
fn a_map_per_head_has_a_row_for_each_key_value_head() {
    let map = "axes: [a, b]\naxis_map: {per_head: [{heads: 2, axis: a}, {heads: rest, axis: b}]}\n";
    let library = custom(map);
    let scheme = library.get("custom").expect("a scheme");
    let parameters = Parameters::defaults(scheme).expect("defaults");
    let shape = HeadShape { head_dim: 16, q_heads: 8, k_heads: 4 };
    let plan = RotationPlan::new(scheme, &parameters, shape).expect("a plan");
    assert_eq!(plan.map_heads, 4);
    let rows: Vec<u8> = (0..4).map(|row| plan.axes(row)[0]).collect();
    assert_eq!(rows, [0, 0, 1, 1]);
    let of_q: Vec<u32> = (0..8).map(|head| plan.row_of_q_head(head)).collect();
    assert_eq!(of_q, [0, 0, 1, 1, 2, 2, 3, 3]);
    assert_eq!(plan.sections, None);
    let uneven = HeadShape { head_dim: 16, q_heads: 6, k_heads: 4 };
    let message = RotationPlan::new(scheme, &parameters, uneven).expect_err("6 of 4").to_string();
    assert!(message.contains("multiple of k_heads 4"), "{message}");
    // Counts may be formulas of both numbers of heads: 4/2 heads on a, 8/8 on b.
    let map = "axes: [a, b, c]\naxis_map: {per_head: [{heads: \"k_heads/2\", axis: a}, {heads: \"q_heads/8\", axis: b}, {heads: rest, axis: c}]}\n";
    let library = custom(map);
    let of_both = library.get("custom").expect("a scheme");
    let plan = RotationPlan::new(of_both, &Parameters::defaults(of_both).expect("defaults"), shape).expect("a plan");
    assert_eq!((0..4).map(|row| plan.axes(row)[0]).collect::<Vec<u8>>(), [0, 0, 1, 2]);
    let few = HeadShape { head_dim: 16, q_heads: 1, k_heads: 1 };
    assert!(RotationPlan::new(scheme, &parameters, few).is_err(), "two heads of one");
}

#[test]
fn shared_tables_can_be_handed_over_with_a_row_of_their_own_for_each_head() {
    let library = custom("axes: [a, b]\naxis_map: {sections: {a: 1, b: rest}}\n");
    let scheme = library.get("custom").expect("a scheme");
    let parameters = Parameters::defaults(scheme).expect("defaults");
    let plan = |k_heads| {
        let shape = HeadShape { head_dim: 16, q_heads: 6, k_heads };
        RotationPlan::new(scheme, &parameters, shape).expect("a plan")
    };
    let shared = plan(3);
    let own = shared.per_head();
    assert_eq!((shared.map_heads, own.map_heads), (1, 3));
    assert_eq!(own.axes(0), [0, 1, 1, 1, 1, 1, 1, 1]);
    assert_eq!(own.axes(1), [1, 1, 1, 1, 1, 1, 1, 0]);
    assert_eq!(own.axes(2), [1, 1, 1, 1, 1, 1, 0, 1]);
    assert_eq!(own.frequencies(2)[..2], shared.frequencies(0)[2..4]);
    assert_eq!((own.row_of_q_head(1), own.row_of_q_head(5)), (0, 2));
    // Frequencies in another order are no powers of the base, and the map is no blocks.
    assert_eq!((own.base, own.sections.as_ref()), (None, None));
    assert_eq!(plan(1).per_head(), plan(1), "one head has no other to differ from");
    assert_eq!(own.per_head(), own, "tables that differ stay");
}

/// Each default names the one before it twice: computed anew each time, the last of 60 would take 2^60 steps.
#[test]
fn parameters_are_computed_once() {
    let mut parameters = String::from("parameters: {a0: \"R\"");
    for n in 1..60 {
        parameters += &format!(", a{n}: \"a{} + a{} - R\"", n - 1, n - 1);
    }
    let library = custom(&format!("axes: [a]\naxis_map: a\n{parameters}}}\n"));
    let plan = plan_of(&library, "custom", 32, &[]);
    assert_eq!(plan.parameter("a59").and_then(ropecheck::numeric::Number::to_i64), Some(16));
}

/// A row per head, of which a case may name four thousand million.
#[test]
fn a_map_per_head_has_not_too_many_heads() {
    let library = custom("axes: [a]\naxis_map: {per_head: [{heads: rest, axis: a}]}\n");
    let scheme = library.get("custom").expect("a scheme");
    let parameters = Parameters::defaults(scheme).expect("defaults");
    let of = |heads: u32| HeadShape { head_dim: 2048, q_heads: heads, k_heads: heads };
    // 1024 pairs each: 2^20 in all are taken.
    assert_eq!(RotationPlan::new(scheme, &parameters, of(1024)).expect("a plan").map_heads, 1024);
    for heads in [1025, u32::MAX] {
        let error = RotationPlan::new(scheme, &parameters, of(heads)).expect_err("too many");
        assert!(error.to_string().contains("over all heads"), "{error}");
    }
}

#[test]
fn the_base_is_only_given_where_it_is_the_whole_truth() {
    // Restarting inside each axis: not base^(-2i/d).
    let axes = "axes: [a, b]\naxis_map: {blocks: [a, b]}\n";
    let restarting = custom(&format!("{axes}frequencies: {{inv_freq: \"base ^ (-2*j/(2*n_axis))\"}}\n"));
    let plan = plan_of(&restarting, "custom", 32, &[]);
    assert_eq!(plan.base, None);
    assert_eq!(plan.inv_freq[8], 1.0, "restarts at the second block");
    assert_eq!(plan.sections, Some(vec![8, 8]));
    let written_otherwise = custom(&format!("{axes}frequencies: {{inv_freq: \"1 / base ^ (2*i/d)\"}}\n"));
    assert_eq!(plan_of(&written_otherwise, "custom", 32, &[]).base, Some(10000.0));
}

#[test]
fn widths_that_do_not_fit_are_refused() {
    let library = library();
    let scheme = library.get("rope").expect("a scheme");
    let parameters = Parameters::defaults(scheme).expect("defaults");
    for head_dim in [0, 1, 3, 127, 1 << 20] {
        let plan = RotationPlan::new(scheme, &parameters, HeadShape::of_dim(head_dim));
        assert!(matches!(plan, Err(PlanError { error: HeadError::Misfit(_), .. })), "head_dim {head_dim}");
    }
    let none = HeadShape { head_dim: 64, q_heads: 0, k_heads: 1 };
    assert!(RotationPlan::new(scheme, &parameters, none).is_err());
    // Sections that are more than there are pairs.
    let scheme = library.get("m-rope").expect("a scheme");
    let set = [("h_pairs".to_owned(), Number::from_i64(48))];
    let parameters = Parameters::resolve(scheme, &set).expect("in range");
    let message = RotationPlan::new(scheme, &parameters, HeadShape::of_dim(128)).expect_err("64 pairs").to_string();
    assert!(message.contains("64"), "{message}");
    let exact = Parameters::resolve(scheme, &[("h_pairs".to_owned(), Number::from_i64(8))]).expect("in range");
    let plan = RotationPlan::new(scheme, &exact, HeadShape::of_dim(128)).expect("a plan");
    assert_eq!(plan.sections, Some(vec![32, 8, 24]));
    assert_eq!(plan.parameter("h_pairs"), Some(&Number::from_i64(8)));
}

#[test]
fn frequencies_that_the_reference_cannot_hold_are_refused() {
    // 10000^(-16 i/16): pair 8 would be at 1e-32, below 2^-100.
    let tiny = custom("axes: [a]\naxis_map: a\nfrequencies: {inv_freq: \"base ^ (-i)\"}\n");
    let scheme = tiny.get("custom").expect("a scheme");
    let parameters = Parameters::defaults(scheme).expect("defaults");
    assert!(RotationPlan::new(scheme, &parameters, HeadShape::of_dim(16)).is_ok(), "down to 1e-28");
    let message = RotationPlan::new(scheme, &parameters, HeadShape::of_dim(18)).expect_err("1e-32").to_string();
    assert!(message.contains("pair 8") && message.contains("2^-100"), "{message}");
    // 2^-100 itself is the least; 0 is no frequency and allowed. tests/spec_errors/frequency-too-small.yaml is below.
    for formula in ["2 ^ (-100)", "0"] {
        let least = custom(&format!("axes: [a]\naxis_map: a\nfrequencies: {{inv_freq: \"{formula}\"}}\n"));
        let scheme = least.get("custom").expect("a scheme");
        let parameters = Parameters::defaults(scheme).expect("defaults");
        assert!(RotationPlan::new(scheme, &parameters, HeadShape::of_dim(16)).is_ok(), "{formula}");
    }
}

#[test]
fn a_cache_gives_the_same_plan_and_tells_parameters_apart() {
    let library = library();
    let scheme = library.get("rope").expect("a scheme");
    let cache = PlanCache::new();
    let parameters = Parameters::defaults(scheme).expect("defaults");
    let first = cache.plan(scheme, &parameters, HeadShape::of_dim(64)).expect("a plan");
    let again = cache.plan(scheme, &parameters, HeadShape::of_dim(64)).expect("a plan");
    assert!(Arc::ptr_eq(&first, &again));
    let other = parameters.and(scheme, &[("base".to_owned(), Number::from_i64(1000))]).expect("in range");
    let other = cache.plan(scheme, &other, HeadShape::of_dim(64)).expect("a plan");
    assert_eq!(other.base, Some(1000.0));
    assert_ne!(first.inv_freq, other.inv_freq);
}

#[test]
fn parameters_are_checked() {
    let library = library();
    let scheme = library.get("videorope").expect("a scheme");
    let resolve = |set: &[(&str, &str)]| {
        let set: Vec<_> =
            set.iter().map(|(name, value)| ((*name).to_owned(), Number::parse(value).expect("a number"))).collect();
        Parameters::resolve(scheme, &set)
    };
    assert_eq!(resolve(&[]).expect("defaults").get(scheme, "delta"), Some(&Number::from_i64(2)));
    assert_eq!(
        resolve(&[("delta", "0.5")]).expect("in range").get(scheme, "delta"),
        Number::parse("1/2").as_ref().ok()
    );
    let message = resolve(&[("dleta", "1")]).expect_err("a typing error").to_string();
    assert_eq!(
        message,
        "videorope@official: unknown parameter \"dleta\", expected one of base, delta; did you mean \"delta\"?"
    );
    assert!(matches!(resolve(&[("delta", "1"), ("delta", "2")]), Err(ParameterError::Twice { .. })));
    assert!(matches!(resolve(&[("delta", "-1")]), Err(ParameterError::Value { .. })));
    let m_rope = library.get("m-rope").expect("a scheme");
    let half = [("h_pairs".to_owned(), Number::parse("1/2").expect("a number"))];
    let message = Parameters::resolve(m_rope, &half).expect_err("not an integer").to_string();
    assert_eq!(message, "parameter `h_pairs` of m-rope@default must be an integer, found 0.5");
    let ends = custom(
        "axes: [a]\naxis_map: a\nparameters: {x: {default: 1, min: -1, max: \"5/2\", doc: \"a number\"}}\n\
         frequencies: {inv_freq: \"base ^ (-i) * (3 + x)\"}\n",
    );
    let ends = ends.get("custom").expect("a scheme");
    for (value, expected) in [("-1", None), ("5/2", None), ("-1.5", Some("at least -1")), ("3", Some("at most 2.5"))] {
        let set = [("x".to_owned(), Number::parse(value).expect("a number"))];
        let found = Parameters::resolve(ends, &set).err().map(|error| error.to_string());
        let expected = expected.map(|e| format!("parameter `x` of custom@default must be {e}, found {value}"));
        assert_eq!(found, expected);
    }
}

/// Keys of real configurations, each with its source.
const CONFIGS: [(&str, &str); 6] = [
    ("qwen2-vl-7b", include_str!("../hf/qwen2-vl-7b.json")),
    ("qwen2.5-vl-3b", include_str!("../hf/qwen2.5-vl-3b.json")),
    ("qwen3-vl-8b", include_str!("../hf/qwen3-vl-8b.json")),
    ("glm-4.1v-9b", include_str!("../hf/glm-4.1v-9b.json")),
    ("llama-3.1-8b", include_str!("../hf/llama-3.1-8b.json")),
    ("qwen3.5-9b", include_str!("../hf/qwen3.5-9b.json")),
];

fn config(library: &Library, text: &str, scheme: Option<&str>) -> Result<ModelPreset, String> {
    let file = Arc::new(SourceFile { name: "config.json".into(), text: text.to_owned() });
    let scheme = scheme.map(|id| &**library.get(id).expect("a scheme"));
    model_of_config(&file, library, scheme).map_err(|errors| errors.render(false))
}

/// Configurations in both dialects are the presets of the same models, which were written by hand.
#[test]
fn configurations_of_models_are_their_presets() {
    let library = library();
    for (name, text) in CONFIGS {
        let found = config(&library, text, None).expect(name);
        let preset = library.model(name).expect(name);
        assert_eq!(found.scheme, library.get(&preset.scheme).expect("a scheme").id(), "{name}");
        assert_eq!((found.heads(), found.rotary_dim), (preset.heads(), preset.rotary_dim), "{name}");
        assert!(preset.max_positions.is_none_or(|most| found.max_positions == Some(most)), "{name}");
        assert_eq!(found.dtype, Some(DType::BF16), "{name}");
        for set in &preset.parameters {
            assert!(found.parameters.contains(set), "{name}: {set:?} of {:?}", found.parameters);
        }
    }
    // Settings of transformers 5 at the top level say the same as those before it.
    let new = CONFIGS[0].1.replace(r#""rope_theta": 1000000.0,"#, "").replace(
        r#""rope_scaling": {"#,
        r#""head_dim": null, "rope_parameters": { "rope_theta": 1e6, "rope_type": "default", "ty": null,"#,
    );
    let new = new.replace(r#""type": "mrope","#, "");
    let (old, new) = (config(&library, CONFIGS[0].1, None).expect("old"), config(&library, &new, None).expect("new"));
    assert_eq!((old.heads(), old.parameters, old.scheme), (new.heads(), new.parameters, new.scheme));
    // Another scheme of the user's, on a checkpoint of that model.
    assert_eq!(config(&library, CONFIGS[0].1, Some("videorope")).expect("taken").scheme, "videorope@official");
}

#[test]
fn what_does_not_fit_is_named_with_its_key_and_place() {
    let library = library();
    let cases: [(usize, &str, &str, &[&str]); 17] = [
        (
            0,
            r#""mrope""#,
            r#""yarn""#,
            &["a rope type that m-rope has, `default` or `mrope`, found `yarn`", "config.json:"],
        ),
        (0, "qwen2_vl", "qwen2_vx", &["no scheme is said to be of model type `qwen2_vx`", "did you mean `qwen2_vl`"]),
        (0, r#""model_type": "qwen2_vl","#, "", &["expected `model_type`, found none; --scheme names the scheme"]),
        (
            0,
            "      16,",
            "      12,",
            &["expected `mrope_section` [16, 24, 24], found [12, 24, 24]", "64 pairs", "these are 60"],
        ),
        (0, "mrope_section", "mrope_sections", &["expected `mrope_section`, found none"]),
        (0, "24\n", "99\n", &["mrope_section", "does not fit R = 64"]),
        (0, "1000000.0", r#""much""#, &["expected `rope_theta` (a number), found `much`"]),
        (0, "1000000.0", "0.5", &["`rope_theta` must be at least 1, found 0.5"]),
        (0, r#""rope_theta": 1000000.0,"#, "", &["expected `rope_theta`, found none; m-rope@default takes `base`"]),
        (0, "3584,\n  \"max", "3585,\n  \"max", &["expected a multiple of `num_attention_heads`, 28, found 3585"]),
        (
            0,
            "\"num_key_value_heads\": 4",
            "\"num_key_value_heads\": 5",
            &["multiple of `num_key_value_heads`, 5, found 28"],
        ),
        (0, "\"num_key_value_heads\": 4", "\"num_key_value_heads\": 0", &["from 1, found 0"]),
        (2, "true", "false", &["expected `mrope_interleaved` to be true for qwen3-vl@default, found false"]),
        (3, "0.5", "1.0", &["expected `partial_rotary_factor` 64/128, found 1.0", "rotates 64 of 128 channels"]),
        (4, "\"factor\"", "\"attention_factor\": 2, \"factor\"", &["rope@llama3 knows no setting `attention_factor`"]),
        (4, "llama3", "llama4", &["found `llama4`", "did you mean `llama3`"]),
        (5, "\"rope_parameters\": {", "\"rope_parameters\": {\"full_attention\": {},", &["one rope for all layers"]),
    ];
    for (at, old, new, says) in cases {
        let text = CONFIGS[at].1;
        assert!(text.contains(old), "{old}");
        let why = config(&library, &text.replacen(old, new, 1), None).expect_err(new);
        for says in says {
            assert!(why.contains(says), "{new}: {says}\n{why}");
        }
    }
    for text in ["", "[]", "{", "{}", "nothing", "{\"model_type\": {}}", "{\"model_type\": \"llama\"}"] {
        config(&library, text, None).expect_err(text);
        config(&library, text, Some("rope")).expect_err(text);
    }
}
