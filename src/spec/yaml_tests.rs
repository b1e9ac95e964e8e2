use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn file(text: &str) -> Arc<SourceFile> {
    Arc::new(SourceFile { name: "x.yaml".to_owned(), text: text.to_owned() })
}

fn root(text: &str) -> Node {
    parse(&file(text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

/// The source text of a span.
fn slice(node: &Node) -> &str {
    &node.location.file.text[node.location.span.clone()]
}

#[test]
fn scalars_stay_text() {
    let node = root("a: 0.29\nb: \"0.29\"\nc: 1e6\nd: yes\ne:\nf: ~\n");
    let scalar = |key: &str| match &node.get(key).expect(key).value {
        Value::Scalar { text, plain } => (text.clone(), *plain),
        other => panic!("{other:?}"),
    };
    assert_eq!(scalar("a"), ("0.29".to_owned(), true));
    assert_eq!(scalar("b"), ("0.29".to_owned(), false));
    assert_eq!(scalar("c"), ("1e6".to_owned(), true));
    assert_eq!(scalar("d"), ("yes".to_owned(), true));
    assert_eq!(scalar("e"), (String::new(), true));
    assert_eq!(scalar("f"), ("~".to_owned(), true));
    assert_eq!(node.get("a").expect("a").number("x").expect("number").as_ratio(), Some((29, 100)));
}

#[test]
fn spans_cover_the_source() {
    let node = root("key: {a: [1, \"two\"], b: 'th''ree'}\nother:\n  - é: x + y\n");
    let map = node.get("key").expect("key");
    assert_eq!(slice(map), "{a: [1, \"two\"], b: 'th''ree'}");
    assert_eq!(slice(map.get("a").expect("a")), "[1, \"two\"]");
    assert_eq!(slice(map.get("b").expect("b")), "'th''ree'");
    let list = node.get("other").expect("other").list("x").expect("list");
    assert_eq!(slice(&list[0]), "é: x + y");
    assert_eq!(slice(list[0].get("é").expect("é")), "x + y");
    assert_eq!(list[0].get("é").expect("é").location.line_column(), (3, 8));
}

#[test]
fn places_inside_a_scalar_are_exact_where_the_text_stands_as_it_is() {
    let node = root("a: x + why\nb: \"x + why\"\nc: 'x + why'\nd: \"x\\t+ why\"\ne: >-\n  x +\n  why\n");
    let place = |key: &str| {
        let node = node.get(key).expect(key);
        let location = node.locate(4..7);
        location.file.text[location.span].to_owned()
    };
    assert_eq!(place("a"), "why");
    assert_eq!(place("b"), "why");
    assert_eq!(place("c"), "why");
    // Escapes and folded lines: the whole scalar.
    assert_eq!(place("d"), "\"x\\t+ why\"");
    assert!(place("e").contains("x +\n  why"));
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| format!("{}x{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&file(&nested(MAX_NESTING))).is_ok());
    assert!(parse(&file(&nested(MAX_NESTING + 1))).is_err());
    assert!(parse(&file(&nested(10_000))).is_err());
    let block = |depth: usize| (0..depth).map(|at| format!("{}a:\n", " ".repeat(at))).collect::<String>();
    assert!(parse(&file(&block(MAX_NESTING))).is_ok());
    assert!(parse(&file(&block(MAX_NESTING + 1))).is_err());
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,200}") {
        let _ = parse(&file(&text));
    }

    #[test]
    fn any_yaml_like_text_is_parsed_or_refused(text in "[a-c:,\\[\\]{}\"'|>&*!#? \n\t0-9é%@-]{0,120}") {
        match parse(&file(&text)) {
            Ok(node) => prop_assert!(node.location.span.end <= text.len()),
            Err(error) => {
                let _ = error.render(false);
                let _ = error.render(true);
                let _ = error.line();
            }
        }
    }
}
