use super::*;

const CONFIGS: [(&str, &str); 6] = [
    ("qwen2-vl-7b", include_str!("../../tests/hf/qwen2-vl-7b.json")),
    ("qwen2.5-vl-3b", include_str!("../../tests/hf/qwen2.5-vl-3b.json")),
    ("qwen3-vl-8b", include_str!("../../tests/hf/qwen3-vl-8b.json")),
    ("glm-4.1v-9b", include_str!("../../tests/hf/glm-4.1v-9b.json")),
    ("llama-3.1-8b", include_str!("../../tests/hf/llama-3.1-8b.json")),
    ("qwen3.5-9b", include_str!("../../tests/hf/qwen3.5-9b.json")),
];

fn read(library: &Library, text: &str, scheme: Option<&str>) -> Result<ModelPreset, String> {
    let file = Arc::new(SourceFile { name: "config.json".into(), text: text.to_owned() });
    let scheme = scheme.map(|id| &**library.get(id).expect("a scheme"));
    model_of_config(&file, library, scheme).map_err(|errors| errors.render(false))
}

/// Configurations in both dialects are the presets of the same models, which were written by hand.
#[test]
fn configurations_of_models_are_their_presets() {
    let library = Library::embedded().expect("the specs load");
    for (name, text) in CONFIGS {
        let found = read(&library, text, None).expect(name);
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
    let (old, new) = (read(&library, CONFIGS[0].1, None).expect("old"), read(&library, &new, None).expect("new"));
    assert_eq!((old.heads(), old.parameters, old.scheme), (new.heads(), new.parameters, new.scheme));
    // Another scheme of the user's, on a checkpoint of that model.
    assert_eq!(read(&library, CONFIGS[0].1, Some("videorope")).expect("taken").scheme, "videorope@official");
}

#[test]
fn what_does_not_fit_is_named_with_its_key_and_place() {
    let library = Library::embedded().expect("the specs load");
    let cases: [(usize, &str, &str, &[&str]); 17] = [
        (
            0,
            r#""mrope""#,
            r#""yarn""#,
            &["a rope type that m-rope has, `default` or `mrope`, found `yarn`", "config.json:"],
        ),
        (0, "qwen2_vl", "qwen2_vx", &["no scheme is said to be of model type `qwen2_vx`", "did you mean `qwen2_vl`"]),
        (0, r#""model_type": "qwen2_vl","#, "", &["expected `model_type`, found none; --scheme names the scheme"]),
        (0, "16,", "12,", &["expected `mrope_section` [16, 24, 24], found [12, 24, 24]", "64 pairs", "these are 60"]),
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
        let why = read(&library, &text.replacen(old, new, 1), None).expect_err(new);
        for says in says {
            assert!(why.contains(says), "{new}: {says}\n{why}");
        }
    }
    for text in ["", "[]", "{", "{}", "nothing", "{\"model_type\": {}}", "{\"model_type\": \"llama\"}"] {
        read(&library, text, None).expect_err(text);
        read(&library, text, Some("rope")).expect_err(text);
    }
}
