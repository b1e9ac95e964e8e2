use super::*;
use crate::numeric::Number;
use crate::spec::model::{Claim, Pairing, Running, Stated, Step, Tier};
use crate::spec::{HeadShape, HeadSizes, NO_AXIS, Parameters};

fn library() -> Library {
    Library::embedded().unwrap_or_else(|errors| panic!("{}", errors.render(false)))
}

/// Axis names of the pairs of a scheme at a head width, under default parameters.
fn pairs(library: &Library, id: &str, head_dim: u32) -> Vec<String> {
    let scheme = library.get(id).expect(id);
    let parameters = Parameters::defaults(scheme).expect("parameters");
    let sizes = HeadSizes::new(scheme, &parameters, HeadShape::of_dim(head_dim)).expect("sizes");
    let rows = sizes.rows().expect("map");
    let [row] = &rows[..] else { panic!("{id} has a map per head") };
    row.iter()
        .map(|&axis| if axis == NO_AXIS { "none".to_owned() } else { scheme.axes[usize::from(axis)].clone() })
        .collect()
}

#[test]
fn every_scheme_of_the_design_is_there() {
    let library = library();
    let ids: Vec<String> = library.schemes().map(|scheme| scheme.id()).collect();
    for id in [
        "ernie-4.5-vl@default",
        "ernie-4.5-vl@transformers-5.23",
        "glm-4.1v@default",
        "glm-4.1v@glm-4.5v",
        "m-rope@default",
        "m-rope@transformers-5.23",
        "qwen2-vl-vision@default",
        "qwen2-vl-vision@raster",
        "qwen2.5-vl@default",
        "qwen2.5-vl@transformers-4.57",
        "qwen2.5-vl@transformers-5.23",
        "qwen3-vl@default",
        "qwen3.5@default",
        "rope@default",
        "rope@dynamic-ntk",
        "rope@longrope",
        "rope@longrope-phi-3.5",
        "rope@yarn",
        "rope-2d@default",
        "rope-compact@default",
        "rope-share@default",
        "rope-tie@default",
        "tad-rope@default",
        "videorope@official",
        "videorope@paper",
        "vrope@official",
        "vrope@paper-v2",
        "vrope@quarters",
        "vrope-continuity@default",
        "vrope-symmetry@default",
    ] {
        assert!(ids.iter().any(|other| other == id), "{id} is missing from {ids:?}");
    }
    let mut sorted = ids.clone();
    sorted.sort_by_key(|id| id.split('@').next().map(str::to_owned));
    assert_eq!(ids, sorted, "by name");
}

#[test]
fn names_aliases_and_profiles_are_found() {
    let library = library();
    assert_eq!(library.get("vrope").expect("vrope").id(), "vrope@official");
    assert_eq!(library.get("rope-3d").expect("alias").id(), "m-rope@default");
    assert_eq!(library.get("rope-3d@transformers-5.23").expect("alias").id(), "m-rope@transformers-5.23");
    let message = |id: &str| library.get(id).expect_err(id).to_string();
    assert_eq!(message("vrop"), "there is no scheme \"vrop\"; did you mean \"vrope\"?");
    assert_eq!(
        message("vrope@oficial"),
        "unknown profile of scheme vrope \"oficial\", expected one of official, paper-v2, quarters; did you mean \"official\"?"
    );
    assert!(library.model("qwen2-vl-7").expect_err("model").to_string().contains("did you mean \"qwen2-vl-"));
}

#[test]
fn maps_are_those_of_the_codes() {
    let library = library();
    let count = |axes: &[String], axis: &str| axes.iter().filter(|other| *other == axis).count();
    let rope_3d = pairs(&library, "rope-3d", 128);
    assert_eq!([count(&rope_3d, "t"), count(&rope_3d, "h"), count(&rope_3d, "w")], [16, 24, 24]);
    assert!(rope_3d[..16].iter().all(|axis| axis == "t") && rope_3d[40..].iter().all(|axis| axis == "w"));
    let official = pairs(&library, "videorope", 128);
    assert_eq!(official[..4], ["h", "w", "h", "w"]);
    assert!(official[48..].iter().all(|axis| axis == "t") && official[47] == "w");
    assert_eq!(pairs(&library, "videorope@paper", 128)[..3], ["w", "h", "w"]);
    let qwen3 = pairs(&library, "qwen3-vl", 128);
    assert_eq!([count(&qwen3, "t"), count(&qwen3, "h"), count(&qwen3, "w")], [24, 20, 20]);
    assert!(qwen3[60..].iter().all(|axis| axis == "t") && qwen3[59] == "w");
    assert_eq!(pairs(&library, "vrope", 16)[..5], ["u_pos", "v_neg", "v_pos", "u_neg", "u_pos"]);
    assert_eq!(pairs(&library, "vrope@paper-v2", 16)[..4], ["u_pos", "v_pos", "u_neg", "v_neg"]);
    // 10 pairs in four parts: the first takes the two that are left over.
    let quarters = pairs(&library, "vrope@quarters", 20);
    assert_eq!(quarters, ["u_pos", "u_pos", "u_pos", "u_pos", "u_neg", "u_neg", "v_pos", "v_pos", "v_neg", "v_neg"]);
    let tie = pairs(&library, "rope-tie", 128);
    assert_eq!([count(&tie, "t"), count(&tie, "h"), count(&tie, "w")], [22, 21, 21]);
}

#[test]
fn profiles_replace_what_they_state_and_keep_the_rest() {
    let library = library();
    let (official, paper) =
        (library.get("videorope").expect("official"), library.get("videorope@paper").expect("paper"));
    assert_eq!(official.title, paper.title);
    assert_eq!(official.parameters.len(), paper.parameters.len());
    assert_eq!(official.invariants.len(), paper.invariants.len());
    assert_ne!(official.video.axes[1].text(), paper.video.axes[1].text());
    assert_eq!(official.sha256, paper.sha256);
    let (rope, yarn) = (library.get("rope").expect("rope"), library.get("rope@yarn").expect("yarn"));
    assert_eq!(rope.parameters[0].default.text(), "10000");
    assert_eq!(yarn.parameters[0].default.text(), "1000000");
    assert_eq!(yarn.parameters[0].min.as_ref().and_then(Number::to_i64), Some(1), "a plain value keeps the limits");
    assert_ne!(yarn.attention_scaling.text(), "1");
}

#[test]
fn defaults_reach_every_scheme() {
    for scheme in library().schemes() {
        let adjacent = ["ernie-4.5-vl", "glm-4.1v"].contains(&scheme.name.as_str()) && scheme.profile != "glm-4.5v";
        assert_eq!(scheme.pairing == Pairing::Adjacent, adjacent, "{}", scheme.id());
        assert_eq!(scheme.parameters[0].name, "base");
        let axes = scheme.text.axes.len();
        assert_eq!(axes, scheme.axes.len());
        let Step::Advance(advance) = &scheme.text.step else { panic!("{}", scheme.id()) };
        assert_eq!(advance.len(), if scheme.running == Running::PerAxis { axes } else { 1 });
    }
}

#[test]
fn lets_know_how_often_they_are_needed() {
    let library = library();
    let vrope = library.get("vrope").expect("vrope");
    let tiers: Vec<(&str, Tier)> = vrope.video.lets.iter().map(|one| (one.name.as_str(), one.tier)).collect();
    assert_eq!(tiers, [("m", Tier::Segment), ("s", Tier::Frame), ("u", Tier::Cell), ("v", Tier::Cell)]);
}

#[test]
fn invariants_say_what_they_need() {
    let library = library();
    let scheme = library.get("videorope").expect("videorope");
    let find = |id: &str| scheme.invariants.iter().find(|invariant| invariant.id == id).expect(id);
    let again = find("degenerates-to-1d-at-delta-1");
    assert!(matches!(&again.claim, Claim::Equals(other) if other == "rope"));
    assert_eq!(again.with.len(), 1);
    assert!(matches!(again.verdict, Stated::Holds));
    assert!(find("temporal-spacing").per_axis && !find("diagonal-layout").per_axis);
    assert!(matches!(&find("unbiased").verdict, Stated::Fails { witness } if witness == "video:1x1x2"));
    let text = include_str!("../../spec/schemes/videorope.yaml");
    let line = text.lines().position(|line| line.trim_start().starts_with("temporal-spacing:")).expect("line") + 1;
    assert_eq!(find("temporal-spacing").line, line);
}

#[test]
fn a_users_file_replaces_a_scheme_with_all_its_profiles() {
    let mut library = library();
    let text = embedded_file("schemes/rope.yaml").expect("rope").text.clone();
    let text = text.split("profiles:").next().expect("head").replace("title: \"", "title: \"Mine: ");
    assert_eq!(library.add_text("mine.yaml", &text).expect("loads"), "rope");
    assert!(library.get("rope").expect("rope").title.starts_with("Mine: "));
    assert_eq!(library.get("rope").expect("rope").file, "mine.yaml");
    assert!(library.get("rope@yarn").is_err());
}

#[test]
fn tables_are_those_of_the_papers() {
    let library = library();
    assert_eq!(library.tables().len(), 2);
    for table in library.tables() {
        let claims: usize = table.rows.iter().map(|row| row.claims.iter().filter(|claim| **claim).count()).sum();
        let expected = if table.id == "vrope-v1-table-2" { 10 } else { 8 };
        assert_eq!(claims, expected, "{}", table.id);
    }
}

/// Two axes, an intermediate value, a parameter and a statement; `change` edits the text.
fn meaning(change: impl Fn(&str) -> String) -> [u32; 2] {
    const TEXT: &str = r#"
scheme: mine
title: "A scheme"
sources: [{ours: "a test"}]
parameters:
  gap: {default: 2, min: 0, doc: "room"}
  more: {default: 1, doc: "more room"}
axes: [time, row]
positions:
  video:
    let:
      start: "p + t*gap"
      depth: "H + more"
    time: "start"
    row: "start + h + depth"
    advance: "T*gap + H"
axis_map: {cycle: [row, time]}
invariants:
  not-below: {statement: "none below 0", for: token, holds: "axis.time >= 0"}
"#;
    let mut library = library().without_requirements();
    let text = change(TEXT);
    library.add_text("mine.yaml", &text).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    ["accuracy", "not-below"].map(|check| library.meaning_for("mine", check).expect("mine"))
}

#[test]
fn a_meaning_is_no_matter_of_spelling() {
    let replaced = |from: &str, to: &str| {
        meaning(|text| {
            assert_eq!(text.matches(from).count(), 1, "{from}");
            text.replace(from, to)
        })
    };
    let as_it_is = meaning(str::to_owned);
    for (from, to) in [
        ("\"p + t*gap\"", "\"(p+t * gap)\" # a comment"),
        ("A scheme", "Another title"),
        ("\"room\"", "\"space\""),
        ("default: 2,", "default: 2.0,"),
        ("none below 0", "nothing below 0"),
        (
            "      start: \"p + t*gap\"\n      depth: \"H + more\"\n",
            "      depth: \"H + more\"\n      start: \"p + t*gap\"\n",
        ),
        (
            "  gap: {default: 2, min: 0, doc: \"room\"}\n  more: {default: 1, doc: \"more room\"}\n",
            "  more: {default: 1, doc: \"more room\"}\n  gap: {min: 0, default: 2, doc: \"room\"}\n",
        ),
    ] {
        assert_eq!(replaced(from, to), as_it_is, "{to}");
    }
    for (from, to) in [
        ("t*gap\"", "t*more\""),
        ("\"H + more\"", "\"H - more\""),
        ("default: 2,", "default: 3,"),
        ("min: 0,", ""),
        ("[row, time]", "[time, row]"),
        ("T*gap + H", "T*gap + W"),
        ("axis_map:", "pairing: adjacent\naxis_map:"),
        ("axis_map:", "frequencies: {inv_freq: \"base^(-3*i/d)\"}\naxis_map:"),
        ("axis_map:", "attention_scaling: \"2\"\naxis_map:"),
    ] {
        let changed = replaced(from, to);
        assert!(changed[0] != as_it_is[0] && changed[1] != as_it_is[1], "{to}");
    }
    // A statement is what cases of its own check are about, and no others.
    let [accuracy, statement] = replaced("axis.time >= 0", "axis.time >= -1");
    assert!(accuracy == as_it_is[0] && statement != as_it_is[1]);
}
