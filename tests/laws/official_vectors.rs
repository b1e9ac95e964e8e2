//! The schemes give every layout exactly the positions that their official code printed, and a spec with one character
//! changed does not.

use std::collections::BTreeMap;

use ropecheck::positions::{OfficialVector, positions};
use ropecheck::spec::library::embedded_file;
use ropecheck::spec::{Library, Parameters};

fn library() -> Library {
    Library::embedded().unwrap_or_else(|errors| panic!("{errors}"))
}

fn vectors() -> Vec<OfficialVector> {
    OfficialVector::all().expect("the built-in vectors can be read")
}

#[test]
fn every_official_vector_is_matched() {
    let library = library();
    let failures: Vec<String> =
        vectors().iter().filter_map(|vector| vector.check(&library).err()).map(|error| error.to_string()).collect();
    assert!(failures.is_empty(), "{} vectors differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_vectors_cover_these_schemes_and_programs() {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let library = library();
    for vector in vectors() {
        let scheme = vector.scheme(&library).expect("a scheme");
        let program = vector.source.split(['/', ' ']).next().unwrap_or_default().to_owned();
        *counts.entry((scheme.id(), program)).or_default() += 1;
    }
    let found: Vec<(&str, &str, usize)> =
        counts.iter().map(|((scheme, program), count)| (scheme.as_str(), program.as_str(), *count)).collect();
    let expected = [
        ("circle-rope@default", "JJJYmmm", 40),
        ("circle-rope@default", "lose4578", 14),
        ("cogvideox@1.5", "diffusers==0.42.1:pipelines", 1),
        ("cogvideox@5b", "diffusers==0.42.1:pipelines", 3),
        ("ernie-4.5-vl@default", "PaddlePaddle", 6),
        ("ernie-4.5-vl@transformers-5.23", "transformers", 6),
        ("glm-4.1v@default", "transformers", 2),
        ("glm-4.1v@glm-4.5v", "transformers", 2),
        ("hope@default", "JJJYmmm", 24),
        ("hope@default", "hrlics", 30),
        ("hunyuanvideo@default", "Tencent-Hunyuan", 2),
        ("il-rope@default", "JJJYmmm", 18),
        ("lumos-1@default", "alibaba-damo-academy", 2),
        ("m-rope@default", "Wiselnn570", 8),
        ("m-rope@default", "transformers", 6),
        ("mhrope@default", "JJJYmmm", 6),
        ("mm-rope@default", "JJJYmmm", 18),
        ("mrope-i@default", "JJJYmmm", 12),
        ("mrope-i@spatial-reset", "JJJYmmm", 12),
        ("omnirope@omnigen2", "VectorSpaceLab", 2),
        ("omnirope@package", "JJJYmmm", 18),
        ("qwen2-vl-vision@default", "transformers", 3),
        ("qwen2.5-vl@transformers-4.57", "transformers", 6),
        ("qwen3-vl@default", "transformers", 1),
        ("qwen3.5@default", "transformers", 2),
        ("rope@default", "Wiselnn570", 8),
        ("tad-rope@default", "Wiselnn570", 8),
        ("v2pe@official", "OpenGVLab", 6),
        ("v2pe@package", "JJJYmmm", 18),
        ("videorope@official", "Wiselnn570", 24),
        ("vrope@official", "johncaged", 8),
        ("wan2.1@default", "Wan-Video", 2),
    ];
    assert_eq!(found, expected);
}

/// Replaces one formula of a built-in file and counts the vectors of its scheme that then differ.
fn differing_after(file: &str, from: &str, to: &str) -> (usize, usize) {
    let text = embedded_file(file).expect("a built-in file").text.clone();
    assert!(text.contains(from), "{file} has no `{from}`");
    let mut library = library();
    let name = library.add_text("edited.yaml", &text.replace(from, to)).unwrap_or_else(|errors| panic!("{errors}"));
    let own: Vec<OfficialVector> = vectors().into_iter().filter(|vector| vector.scheme == name).collect();
    (own.iter().filter(|vector| vector.check(&library).is_err()).count(), own.len())
}

#[test]
fn a_spec_without_an_edit_still_matches_as_a_users_file() {
    assert_eq!(differing_after("schemes/vrope.yaml", "W + H - 1", "W + H - 1"), (0, 8));
}

#[test]
fn a_spec_with_one_character_changed_differs() {
    // All but the layout of text alone and, where the edit needs it, those with rows and columns or several frames.
    let (differing, all) = differing_after("schemes/vrope.yaml", "W + H - 1", "W + H - 2");
    assert_eq!((differing, all), (7, 8));
    let (differing, all) = differing_after("schemes/m-rope.yaml", "h: \"p + h\"", "h: \"p - h\"");
    assert!(differing > 0 && differing < all, "{differing} of {all}");
    let (differing, all) = differing_after("schemes/qwen2-vl-vision.yaml", "inside % m\"", "inside/m\"");
    assert!(differing > 0 && differing < all, "{differing} of {all}");
    let (differing, all) = differing_after("schemes/videorope.yaml", "floor((W - 1)/2)", "floor((W - 0)/2)");
    assert!(differing > 0 && differing < all, "{differing} of {all}");
    // What is compared to within roundings is compared closely, too.
    for (file, from, to) in [
        ("schemes/circle-rope.yaml", "a/sqrt(2) - b/sqrt(6)", "a/sqrt(2) + b/sqrt(6)"),
        ("schemes/cogvideox.yaml", "top)/(H - 1)", "top)/(H - 0)"),
    ] {
        let (differing, all) = differing_after(file, from, to);
        assert!(differing > 0, "{file}, {from}: {differing} of {all}");
    }
}

/// Each vector with one thing changed: an axis left out, a row left out, a token too few, a number off by one.
#[test]
fn a_vector_with_anything_changed_differs() {
    let library = library();
    let one = ropecheck::numeric::Number::ONE;
    let mut next = 0;
    let found_for = |vector: &OfficialVector| {
        let scheme = vector.scheme(&library).expect("a scheme");
        let parameters = Parameters::resolve(scheme, &vector.parameters).expect("parameters");
        positions(scheme, &parameters, &vector.layout).expect("positions")
    };
    for vector in vectors() {
        let found = found_for(&vector);
        assert_eq!(vector.compare(&found), Ok(()));
        let refused = |vector: &OfficialVector, change: &dyn Fn(&mut OfficialVector)| {
            let mut changed = vector.clone();
            change(&mut changed);
            assert!(
                changed.compare(&found).is_err(),
                "vector {}: {} on {}",
                vector.index,
                vector.scheme,
                vector.layout
            );
        };
        for axis in 0..vector.axes.len() {
            refused(&vector, &|v| drop(v.positions.remove(axis)));
            refused(&vector, &|v| drop(v.positions[axis].pop()));
            refused(&vector, &|v| v.positions[axis].push(one.clone()));
            for token in 0..vector.positions[axis].len() {
                refused(&vector, &|v| v.positions[axis][token] = v.positions[axis][token].add(&one).expect("small"));
            }
            if vector.axes.len() > 1 {
                refused(&vector, &|v| {
                    v.axes.remove(axis);
                    v.positions.remove(axis);
                });
                refused(&vector, &|v| v.axes[axis].push('x'));
            }
        }
        if vector.next.is_some() {
            refused(&vector, &|v| v.next = v.next.as_ref().map(|next| next.add(&one).expect("small")));
            next += 1;
        }
    }
    assert!(next > 0, "some program says where text goes on");
}
