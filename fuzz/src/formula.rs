//! Formulas: parsing ends, spans lie inside the text, and a value does not depend on how a formula is written.

use arbitrary::{Result, Unstructured};

use ropecheck::numeric::Number;
use ropecheck::spec::expr::{Env, EvalError, Expr, Fold, MAX_LENGTH, Name, NameId, Names, Type, words};

/// Gives names values: the cell has three of them, one for each name.
struct Values([i64; 3]);

impl Env for Values {
    fn value(&self, name: NameId) -> std::result::Result<Number, EvalError> {
        let [p, n, t] = self.0;
        match name {
            Name::P => Ok(Number::from_i64(p)),
            Name::N => Number::ratio(i128::from(n), 4).map_err(EvalError::from),
            Name::CellT => Ok(Number::from_i64(t)),
            other => Err(EvalError::NoValue(other)),
        }
    }

    fn over_cells(&self, fold: Fold, inner: &Expr) -> std::result::Result<Number, EvalError> {
        let at = |t| inner.number(&Values([self.0[0], self.0[1], t]));
        let (first, second) = (at(0)?, at(1)?);
        Ok(match fold {
            Fold::Min => first.min(second),
            Fold::Max => first.max(second),
        })
    }
}

/// Three bytes for the values of names, then text; after a first byte of 0x80 or more, choices that make a text.
pub fn run(data: &[u8]) {
    let [a, b, c, rest @ ..] = data else { return };
    let values = Values([i64::from(*a as i8), i64::from(*b as i8), i64::from(*c & 3)]);
    let text = if *a >= 0x80 {
        let mut made = String::new();
        if grow(&mut Unstructured::new(rest), &mut made, 6, *b >= 0x80).is_err() {
            return;
        }
        made
    } else {
        let Ok(text) = std::str::from_utf8(rest) else { return };
        text.to_owned()
    };
    let names = Names::new("a formula").with("p", Name::P).with("n", Name::N).with_cells([("t", Name::CellT)]);
    for ty in [Type::Number, Type::Boolean] {
        check(&text, &names, ty, &values);
    }
    for word in words(&text) {
        assert!(text.contains(word));
    }
}

fn value(expr: &Expr, values: &Values) -> std::result::Result<Number, EvalError> {
    match expr.ty() {
        Type::Number => expr.number(values),
        Type::Boolean => expr.truth(values).map(|truth| Number::from_i64(i64::from(truth))),
    }
}

fn check(text: &str, names: &Names, ty: Type, values: &Values) {
    let expr = match Expr::parse(text, names, ty) {
        Ok(expr) => expr,
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some(), "{:?} is no part of {text:?}", error.span);
            return;
        }
    };
    assert_eq!((expr.text(), expr.ty()), (text, ty));
    assert!(text.len() <= MAX_LENGTH && expr.outer_names().iter().all(|name| expr.uses(*name)));
    let value_of = value(&expr, values);
    // A power that does not fit in a fraction becomes a real; nothing else does.
    if let (Ok(number), false) = (&value_of, expr.is_real() || text.contains('^')) {
        assert!(number.is_exact(), "{text:?} is {number}, which is no fraction");
    }
    // What was folded while parsing is what evaluation gives.
    if let (Some(constant), Ok(number)) = (expr.constant(), &value_of) {
        assert_eq!(constant, number, "{text:?}");
    }
    let _ = expr.float(&|_| 1.5);
    // The same in parentheses, unless that is too long or too deep.
    if let Ok(wrapped) = Expr::parse(&format!("({text})"), names, ty) {
        match (&value_of, value(&wrapped, values)) {
            (Ok(a), Ok(b)) => assert_eq!(*a, b, "({text})"),
            (Err(_), Err(_)) => {}
            (a, b) => panic!("{text:?} is {a:?}, in parentheses {b:?}"),
        }
    }
}

/// Appends a formula, nested at most `depth` deep.
fn grow(u: &mut Unstructured, text: &mut String, depth: u8, condition: bool) -> Result<()> {
    const LEAVES: [&str; 10] = ["p", "n", "0", "1", "2", "0.29", "1e6", "10000", "1/3", "9223372036854775807"];
    const NUMBERS: [&str; 6] = [" + ", " - ", "*", "/", " % ", "^"];
    const COMPARES: [&str; 6] = [" == ", " != ", " < ", " <= ", " > ", " >= "];
    const ONE: [&str; 8] = ["floor", "ceil", "abs", "sqrt", "sin", "cos", "log", "exp"];
    const TWO: [&str; 4] = ["min", "max", "atan2", "pow"];
    if condition {
        match u.int_in_range(0..=3)? {
            0 if depth > 0 => {
                text.push_str("!(");
                grow(u, text, depth - 1, true)?;
                text.push(')');
            }
            1 if depth > 0 => {
                text.push('(');
                grow(u, text, depth - 1, true)?;
                text.push_str(u.choose(&[") && (", ") || ("])?);
                grow(u, text, depth - 1, true)?;
                text.push(')');
            }
            _ => {
                grow(u, text, depth.saturating_sub(1), false)?;
                text.push_str(u.choose(&COMPARES)?);
                grow(u, text, depth.saturating_sub(1), false)?;
            }
        }
        return Ok(());
    }
    if depth == 0 || text.len() > 2000 {
        text.push_str(u.choose(&LEAVES)?);
        return Ok(());
    }
    let call = |u: &mut Unstructured, text: &mut String, name: &str, arguments: usize| -> Result<()> {
        text.push_str(name);
        for index in 0..arguments {
            text.push_str(if index == 0 { "(" } else { ", " });
            grow(u, text, depth - 1, name == "if" && index == 0)?;
        }
        text.push(')');
        Ok(())
    };
    match u.int_in_range(0..=9)? {
        0 | 1 => text.push_str(u.choose(&LEAVES)?),
        2 => {
            text.push('-');
            grow(u, text, depth - 1, false)?;
        }
        3 => call(u, text, "", 1)?,
        4 => {
            let name = u.choose(&ONE)?;
            call(u, text, name, 1)?;
        }
        5 => {
            let name = u.choose(&TWO)?;
            call(u, text, name, 2)?;
        }
        6 => call(u, text, "if", 3)?,
        7 if !text.contains("cells_") => {
            text.push_str("cells_max(t*");
            grow(u, text, 1, false)?;
            text.push(')');
        }
        _ => {
            grow(u, text, depth - 1, false)?;
            text.push_str(u.choose(&NUMBERS)?);
            grow(u, text, depth - 1, false)?;
        }
    }
    Ok(())
}
