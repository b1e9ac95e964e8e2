//! Scheme files: a bad one gets messages that point into it, a good one runs.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};

use ropecheck::positions::{Evaluation, Layout};
use ropecheck::rotation::{HeadShape, RotationPlan};
use ropecheck::spec::Parameters;
use ropecheck::spec::SpecErrors;
use ropecheck::spec::library::embedded_files;
use ropecheck::spec::model::Scheme;

use super::world::LIBRARY;

/// Files that edits begin with: every built-in scheme.
static SCHEMES: LazyLock<Vec<String>> =
    LazyLock::new(|| embedded_files("schemes").iter().map(|file| file.text.clone()).collect());

/// Text that edits put in.
const PIECES: [&str; 48] = [
    "none",
    "rest",
    "t",
    "h",
    "w",
    "p",
    "0",
    "1",
    "-1",
    "16",
    "1e6",
    "\"p + i\"",
    "\"s + w\"",
    "\"R - 2*floor(3*R/8)\"",
    "\"base ^ (-2*i/d)\"",
    "\"floor(t*seconds)\"",
    "\"T*H*W\"",
    "\"cells_max(max_axis) + 1\"",
    "\"sqrt(H) + pi\"",
    "[t, h, w]",
    "[]",
    "{}",
    "[h, none]",
    "{cycle: [t, h]}",
    "{blocks: [t, h, w]}",
    "{sections: {t: rest, h: 1, w: 1}}",
    "{list: [t, h]}",
    "{runs: [{pairs: 1, axis: t}, {pairs: rest, cycle: [h, w]}]}",
    "{per_head: [{heads: 1, axis: t}, {heads: rest, axis: h}]}",
    "running: per-axis",
    "pairing: adjacent",
    "rotary_dim: \"head_dim/2\"",
    "rotary_offset: 2",
    "pairs: {min: 1, max: 8, multiple_of: 2}",
    "attention_scaling: 0.5",
    "unrotated: [t]",
    "aliases: [other]",
    "errata: [x]",
    "profiles: {other: {pairing: adjacent}}",
    "parameters: {x: {default: 1, min: 0, max: 9, integer: true, doc: d}}",
    "frequencies: {base: 2, inv_freq: \"1/(i+1)\"}",
    "{fails: \"video:1x1x2\"}",
    "holds",
    "{for: token, holds: \"min_axis >= 0\", statement: s}",
    "{for: video-token, holds: \"axis.t < 9\", statement: s, when: \"H == 1\"}",
    "{like: degenerates-to-1d, with: {x: 1}}",
    "{equals: rope, when: \"H == 1\", statement: s}",
    "&a *a",
];

/// The text itself; after a first byte of 0x80 or more, a built-in scheme with edits.
pub fn run(data: &[u8]) {
    let text = match data {
        [0x80..=0xff, edits @ ..] => edited(&mut Unstructured::new(edits)).ok(),
        _ => std::str::from_utf8(data).ok().map(str::to_owned),
    };
    let Some(text) = text else { return };
    let mut library = LIBRARY.clone();
    match library.add_text("fuzz.yaml", &text) {
        Ok(name) => {
            let all: Vec<_> = library.schemes().filter(|s| s.name == name).cloned().collect();
            assert!(!all.is_empty() && library.get(&name).is_ok(), "`{name}` was read and is not there");
            for scheme in &all {
                used(scheme);
            }
        }
        Err(errors) => said(&errors, &text),
    }
}

/// Every message points into the text, and can be shown.
fn said(errors: &SpecErrors, text: &str) {
    assert!(!errors.errors().is_empty());
    for error in errors.errors() {
        let span = &error.location.span;
        assert!(span.start <= span.end && span.end <= error.location.file.text.len(), "{span:?} of {error}");
        let (line, column) = error.location.line_column();
        assert!(error.location.file.name != "fuzz.yaml" || line <= text.split('\n').count(), "line {line}: {error}");
        assert!(column >= 1 && !error.message.is_empty());
    }
    // All of them is a matter of how long it takes.
    for error in errors.errors().iter().take(4) {
        assert!(!error.render(false).is_empty());
    }
}

/// A scheme that was read has positions and plans, or says why not.
fn used(scheme: &Scheme) {
    let Ok(parameters) = Parameters::defaults(scheme) else { return };
    for text in ["text:2 video:2x2x3@0.5s text:1 image:2x1 text:2", "image:1x1"] {
        let Ok(layout) = Layout::parse(text) else { continue };
        if let Ok(positions) = Evaluation::new(scheme, &parameters, &layout).run() {
            assert_eq!(positions.columns().len(), scheme.axes.len());
            assert!(positions.columns().iter().all(|column| column.len() as u64 == layout.tokens()));
        }
    }
    for (head_dim, q_heads, k_heads) in [(2, 1, 1), (16, 4, 2), (24, 3, 3)] {
        if let Ok(plan) = RotationPlan::new(scheme, &parameters, HeadShape { head_dim, q_heads, k_heads }) {
            let pairs = plan.pairs as usize;
            assert!(plan.rotary_offset + plan.rotary_dim <= head_dim && plan.pairs * 2 == plan.rotary_dim);
            for row in 0..plan.map_heads {
                assert_eq!((plan.axes(row).len(), plan.frequencies(row).len()), (pairs, pairs));
                assert!(plan.frequencies(row).iter().all(|f| f.is_finite() && *f >= 0.0));
            }
        }
    }
}

/// A built-in file after some edits of lines and scalars.
fn edited(u: &mut Unstructured) -> Result<String> {
    let mut lines: Vec<String> = u.choose(&SCHEMES)?.lines().map(str::to_owned).collect();
    for _ in 0..u.int_in_range(0..=6)? {
        let at = u.choose_index(lines.len().max(1))?;
        let Some(line) = lines.get(at).cloned() else { break };
        match u.int_in_range(0..=7)? {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, line),
            2 => {
                let other = u.choose(&SCHEMES)?;
                let all: Vec<&str> = other.lines().collect();
                lines.insert(at, all[u.choose_index(all.len().max(1))?].to_owned());
            }
            3 | 4 => {
                // Another value.
                let key = line.find(": ").map_or(line.len(), |colon| colon + 2);
                lines[at] = format!("{}{}", &line[..key], u.choose(&PIECES)?);
            }
            5 => lines.insert(at, (*u.choose(&PIECES)?).to_owned()),
            6 => {
                // Another character.
                let mut characters: Vec<char> = line.chars().collect();
                let place = u.choose_index(characters.len() + 1)?;
                characters.insert(place, u.arbitrary()?);
                lines[at] = characters.into_iter().collect();
            }
            _ => {
                let indent = line.len() - line.trim_start().len();
                lines[at] = format!("{}{}", " ".repeat((indent + 2) % 8), line.trim_start());
            }
        }
    }
    Ok(lines.join("\n"))
}
