//! Pictures are well-formed, the same every time, made of what the schemes say, and refused with a reason.

use std::process::{Command, Output};

fn ropecheck(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ropecheck")).args(arguments).output().expect("the program starts")
}

fn svg(arguments: &[&str]) -> String {
    let output = ropecheck(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Every tag is closed by its own, and there is one root.
fn is_well_formed(text: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    for tag in text.split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else { return false };
        match tag.strip_prefix('/') {
            Some(name) if open.pop() != Some(name) => return false,
            Some(_) => {}
            None if tag.ends_with('/') => {}
            None => open.push(tag.split_whitespace().next().unwrap_or_default()),
        }
    }
    open.is_empty() && text.starts_with("<svg ")
}

#[test]
fn each_picture_has_a_panel_for_each_scheme_and_the_same_bytes_again() {
    for picture in ["bias", "positions", "decay", "period"] {
        let arguments =
            ["plot", picture, "--scheme", "m-rope", "--scheme", "vrope", "--grid", "2x3x4", "--reach", "20"];
        let first = svg(&arguments);
        assert!(is_well_formed(&first), "{first}");
        assert_eq!(first, svg(&arguments), "{picture}");
        for part in
            ["role=\"img\"", "<title>", "<desc>", "prefers-color-scheme:dark", ">m-rope@default<", ">vrope@official<"]
        {
            assert!(first.contains(part), "{picture}: {part}");
        }
    }
}

/// VRoPE's claim: the average distance to a text token is the same for every cell. The picture must show it: rows of M-RoPE
/// get stronger towards the text, those of VRoPE are the same read forwards and backwards.
#[test]
fn the_bias_is_that_of_the_schemes() {
    let fills = |scheme: &str| -> Vec<String> {
        let text = svg(&["plot", "bias", "--scheme", scheme, "--grid", "1x5x5"]);
        let cells = text.lines().filter(|line| line.starts_with("<rect x=") && line.contains("fill=\"#"));
        let fill = |line: &str| line.split("fill=\"").nth(1).map(|rest| rest[..7].to_owned()).expect("a fill");
        cells.map(fill).take(25).collect()
    };
    let m_rope = fills("m-rope");
    // The strongest is nearest to the text, the weakest farthest.
    assert_eq!((m_rope[0].as_str(), m_rope[24].as_str()), ("#301259", "#fde725"));
    let vrope = fills("vrope");
    // Mirrored axes: turning the frame around gives nearly the same, so no corner has both ends of the scale to itself.
    assert_ne!((vrope[0].as_str(), vrope[24].as_str()), ("#301259", "#fde725"));
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    for (arguments, said) in [
        (&["plot", "bias", "--scheme", "m-rop"][..], "there is no scheme"),
        (&["plot", "bias", "--scheme", "m-rope", "--grid", "4x0x4"], "expected a grid of 1 to 16384 cells, found 0"),
        (&["plot", "bias", "--scheme", "m-rope", "--grid", "4x4"], "expected TxHxW"),
        (&["plot", "bias", "--scheme", "m-rope", "--grid", "4294967295x9x9"], "expected a grid of 1 to 16384"),
        (&["plot", "decay", "--scheme", "m-rope", "--reach", "1"], "expected a reach of 2 to 4096, found 1"),
        (&["plot", "bias", "--scheme", "lumos-1", "--head-dim", "40"], "--head-dim takes another width"),
        (&["plot", "bias"], "--scheme"),
        (&["plot", "pie", "--scheme", "rope"], "possible values: bias, positions, decay, period"),
    ] {
        let output = ropecheck(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), text.contains(said)), (Some(2), true), "{arguments:?}: {text}");
    }
}
