use proptest::prelude::*;

use super::*;
use crate::numeric::Number;

/// Values for the names that tests use.
struct Values(Vec<(Name, Number)>);

impl Env for Values {
    fn value(&self, name: Name) -> Result<Number, EvalError> {
        let found = self.0.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.clone()).ok_or(EvalError::NoValue(name))
    }

    /// Three cells in a row: h = 0, w = 0, 1, 2.
    fn over_cells(&self, fold: Fold, inner: &Expr) -> Result<Number, EvalError> {
        let mut best: Option<Number> = None;
        for w in 0..3 {
            let mut values = self.0.clone();
            values.push((Name::CellH, Number::from_i64(0)));
            values.push((Name::CellW, Number::from_i64(w)));
            let value = inner.number(&Values(values))?;
            let better = |best: &Number| match fold {
                Fold::Min => value.cmp(best).is_lt(),
                Fold::Max => value.cmp(best).is_gt(),
            };
            if best.as_ref().is_none_or(better) {
                best = Some(value);
            }
        }
        best.ok_or(EvalError::NoCells)
    }
}

fn names() -> Names {
    Names::new("a test")
        .with_all([("p", Name::P), ("i", Name::I), ("T", Name::T), ("axis.h", Name::Axis(0))])
        .with_cells([("h", Name::CellH), ("w", Name::CellW)])
        .with_unavailable("R", "positions do not know it")
}

fn env() -> Values {
    Values(vec![
        (Name::P, Number::from_i64(7)),
        (Name::I, Number::from_i64(2)),
        (Name::T, Number::from_i64(0)),
        (Name::Axis(0), Number::from_i64(-3)),
    ])
}

fn number(text: &str) -> Expr {
    Expr::parse(text, &names(), Type::Number).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn value(text: &str) -> Number {
    number(text).number(&env()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn truth(text: &str) -> bool {
    let formula = Expr::parse(text, &names(), Type::Boolean).unwrap_or_else(|error| panic!("{text}: {error}"));
    formula.truth(&env()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> ExprError {
    Expr::parse(text, &names(), Type::Number).expect_err(text)
}

#[test]
fn operators_bind_and_group_as_documented() {
    let cases = [
        ("1 + 2*3", (7, 1)),
        ("(1 + 2)*3", (9, 1)),
        ("10 - 4 - 3", (3, 1)),
        ("24 / 4 / 2", (3, 1)),
        ("24 / 4 * 2", (12, 1)),
        ("2^3^2", (512, 1)),
        ("-2^2", (-4, 1)),
        ("(-2)^2", (4, 1)),
        ("2^-1", (1, 2)),
        ("2^-1 + 1", (3, 2)),
        ("-p % 4", (1, 1)),
        ("7 % -4", (-1, 1)),
        ("-7 / 2", (-7, 2)),
        ("2*-3", (-6, 1)),
        ("- - 3", (3, 1)),
        ("+p", (7, 1)),
        ("floor(-7/2)", (-4, 1)),
        ("ceil(-7/2)", (-3, 1)),
        ("max(1, 2, 3) - min(1, 2, 3)", (2, 1)),
        ("abs(axis.h)", (3, 1)),
        ("if(p > 6, 1, 2)", (1, 1)),
        ("sqrt(49/4)", (7, 2)),
    ];
    for (text, (numerator, denominator)) in cases {
        assert_eq!(value(text).as_ratio(), Some((numerator, denominator)), "{text}");
    }
}

#[test]
fn conditions_bind_and_stop_early() {
    for text in [
        "1 < 2 && 2 < 3",
        "1 == 2 || 2 == 2",
        "1 == 2 && 1 == 1 || 3 == 3",
        "3 == 3 || 1 == 1 && 1 == 2",
        "!(1 == 2) && p == 7",
        "1 + 1 == 2",
        "p != i",
        "p >= 7 && p <= 7",
        // The right side has no value, and is not asked for one.
        "p == 7 || 1/T == 1",
        "!(p != 7 && 1/T == 1)",
    ] {
        assert!(truth(text), "{text}");
    }
    assert!(!truth("!(p == 7) && p == 7"));
}

#[test]
fn literals_are_exact() {
    assert_eq!(value("0.29*2*50").as_ratio(), Some((29, 1)));
    assert_eq!(value("0.1 + 0.2").as_ratio(), Some((3, 10)));
    assert_eq!(value("1e6").as_ratio(), Some((1_000_000, 1)));
    assert_eq!(value("2.5e-1").as_ratio(), Some((1, 4)));
    assert_eq!(value("(1/3)*3").as_ratio(), Some((1, 1)));
    assert_eq!(value("9007199254740993 - 9007199254740992").as_ratio(), Some((1, 1)));
    assert!(!value("sqrt(2)").is_exact());
}

#[test]
fn the_angle_of_the_origin_is_zero() {
    assert_eq!(value("atan2(0, 0)").to_i64(), Some(0));
    assert!(truth("atan2(0, -1) == pi"));
    assert!(truth("atan2(1, 0) == pi/2"));
}

#[test]
fn conditions_compare_irrational_numbers_to_a_tolerance() {
    assert!(truth("sqrt(2)^2 == 2 && sin(1)^2 + cos(1)^2 == 1 && exp(log(3)) <= 3 && exp(log(3)) >= 3"));
    assert!(!truth("sqrt(2)^2 != 2 || sin(1)^2 + cos(1)^2 < 1 || sin(1)^2 + cos(1)^2 > 1"));
    assert!(truth("sqrt(2) + 1e-29 > sqrt(2) && sqrt(2) + 1e-31 == sqrt(2)"));
    assert!(truth("1e-31 > 0 && 1 + 1e-31 != 1"));
}

#[test]
fn only_one_branch_is_evaluated() {
    assert_eq!(value("if(T == 0, 5, 1/T)").to_i64(), Some(5));
    let error = number("if(T == 1, 5, 1/T)").number(&env()).expect_err("divides by zero");
    assert_eq!(error.to_string(), "division by zero in `1/T`");
}

#[test]
fn folds_range_over_cells() {
    assert_eq!(value("cells_max(p + w) - cells_min(2*w)").to_i64(), Some(9));
    let formula = number("cells_max(w) + p");
    assert_eq!(formula.outer_names(), [Name::P]);
    assert_eq!(formula.names(), [Name::P, Name::CellW]);
    assert!(refusal("cells_max(cells_min(w))").message.contains("nested"));
    let outside = refusal("w + 1");
    assert_eq!(outside.span, 0..1);
    assert!(outside.notes[0].contains("inside cells_min"));
}

#[test]
fn real_formulas_are_known() {
    for (text, real) in [
        ("p/3", false),
        ("p^2", false),
        ("p^(1/2)", true),
        ("p^i", true),
        ("sin(p)", true),
        ("pi*p", true),
        ("cells_max(cos(w))", true),
        ("floor(p/2)", false),
    ] {
        assert_eq!(number(text).is_real(), real, "{text}");
    }
}

#[test]
fn literals_are_folded() {
    assert_eq!(number("2*(3 + 4)").constant().and_then(Number::to_i64), Some(14));
    assert!(number("p*2").constant().is_none());
    assert!(refusal("p + 1/0").message.contains("division by zero"));
}

#[test]
fn spans_are_exact() {
    for (text, start, end) in [
        ("p + wrong", 4, 9),
        ("max(p, q)", 7, 8),
        ("p + (1 < 2)", 4, 11),
        ("p +", 3, 3),
        ("p p", 2, 3),
        ("1 + 2.", 4, 6),
        ("1 + .5", 4, 6),
        ("abs(1, 2)", 0, 9),
        ("p # 1", 2, 3),
        ("pé", 1, 3),
        ("R", 0, 1),
    ] {
        assert_eq!(refusal(text).span, start..end, "{text}");
    }
}

#[test]
fn suggestions_name_what_was_meant() {
    assert_eq!(refusal("flor(p)").suggestion.as_deref(), Some("floor"));
    assert_eq!(refusal("ln(p)").suggestion.as_deref(), Some("log"));
    assert_eq!(refusal("axis.g").suggestion.as_deref(), Some("axis.h"));
    assert_eq!(refusal("p ** 2").suggestion.as_deref(), Some("^"));
    assert_eq!(refusal("3p").suggestion.as_deref(), Some("3*p"));
    assert_eq!(refusal("R").notes, ["positions do not know it"]);
}

#[test]
fn limits_hold_exactly() {
    let nested = |depth: usize| format!("{}p{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Expr::parse(&nested(MAX_DEPTH - 1), &names(), Type::Number).is_ok());
    assert!(refusal(&nested(MAX_DEPTH)).message.contains("deep"));
    // A chain is as deep as it is long.
    let chain = |operators: usize| format!("p{}", "+p".repeat(operators));
    assert!(Expr::parse(&chain(MAX_DEPTH - 1), &names(), Type::Number).is_ok());
    assert!(refusal(&chain(MAX_DEPTH)).message.contains("deep"));
    let padded = |length: usize| format!("p{}", " ".repeat(length - 1));
    assert!(Expr::parse(&padded(MAX_LENGTH), &names(), Type::Number).is_ok());
    assert!(refusal(&padded(MAX_LENGTH + 1)).message.contains("bytes"));
    assert!(refusal(&"-".repeat(MAX_LENGTH)).message.contains("deep"));
}

#[test]
fn types_are_checked() {
    for text in ["p < 1", "!p", "p && 1", "if(p, 1, 2)", "if(p > 1, p > 2, 3)", "(p < 1) + 1", "-(p < 1)", "1 < 2 < 3"]
    {
        refusal(text);
    }
    assert!(Expr::parse("p", &names(), Type::Boolean).is_err());
    assert!(Expr::parse("(p < 1) == (i < 1)", &names(), Type::Boolean).is_err());
}

/// A tree of additions, multiplications and signs over small numbers, with its value.
fn arithmetic() -> impl Strategy<Value = (String, i128)> {
    let leaf = (0i128..50).prop_map(|value| (value.to_string(), value));
    leaf.prop_recursive(5, 40, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| (format!("({} + {})", a.0, b.0), a.1 + b.1)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| (format!("({} - {})", a.0, b.0), a.1 - b.1)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| (format!("max({}, {})", a.0, b.0), a.1.max(b.1))),
            (inner.clone(), 2i128..9).prop_map(|(a, b)| (format!("({} % {b})", a.0), a.1.rem_euclid(b))),
            (inner.clone(), 2i128..9).prop_map(|(a, b)| (format!("floor({} / {b})", a.0), a.1.div_euclid(b))),
            inner.prop_map(|a| (format!("(-{})", a.0), -a.1)),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,80}") {
        let _ = Expr::parse(&text, &names(), Type::Number);
        let _ = Expr::parse(&text, &names(), Type::Boolean);
        let _ = words(&text);
    }

    #[test]
    fn any_row_of_tokens_is_parsed_or_refused(tokens in prop::collection::vec(prop::sample::select(vec![
        "p", "i", "1", "2.5", "0", "+", "-", "*", "/", "%", "^", "==", "<", "&&", "||", "!", "(", ")", ",",
        "max", "if", "cells_max", "w", "sqrt", "log", "atan2", "pow", "exp", "pi",
    ]), 0..30)) {
        let text = tokens.join(" ");
        if let Ok(formula) = Expr::parse(&text, &names(), Type::Number) {
            let _ = formula.number(&env());
            prop_assert_eq!(formula.text(), text.as_str());
        }
    }

    #[test]
    fn arithmetic_is_that_of_integers((text, expected) in arithmetic()) {
        if text.matches('(').count() < MAX_DEPTH {
            prop_assert_eq!(value(&text).as_ratio(), Some((expected, 1)), "{}", text);
        }
    }

    #[test]
    fn errors_point_into_the_text(text in "[pit0-9+*/(),<>=&| ax_.]{0,40}") {
        if let Err(error) = Expr::parse(&text, &names(), Type::Number) {
            prop_assert!(error.span.start <= error.span.end && error.span.end <= text.len());
            prop_assert!(text.is_char_boundary(error.span.start) && text.is_char_boundary(error.span.end));
        }
    }
}
