//! Quick evaluation in f64, for formulas over small integers that run once per element. Not for specs, which
//! are exact.

use super::names::Name;
use super::tree::{Compare, Expr, ExprNode, Function, Op, Operator};

impl Expr {
    /// The value in f64, a condition as 0 or 1, with names from `name`; NaN where there is none. Quick and
    /// inexact.
    #[must_use]
    pub fn float(&self, name: &dyn Fn(Name) -> f64) -> f64 {
        value(&self.root, name)
    }
}

/// Value of a node; conditions are 0 or 1. NaN where there is none.
fn value(node: &ExprNode, name: &dyn Fn(Name) -> f64) -> f64 {
    let truth = |condition: bool| f64::from(u8::from(condition));
    match &node.op {
        Op::Number(number) => number.to_f64(),
        Op::Name(id) => name(*id),
        Op::Negate(part) => -value(part, name),
        Op::Not(part) => truth(value(part, name) == 0.0),
        Op::Operator(operator, parts) => {
            let (a, b) = (value(&parts[0], name), value(&parts[1], name));
            match operator {
                Operator::Add => a + b,
                Operator::Subtract => a - b,
                Operator::Multiply => a * b,
                Operator::Divide => a / b,
                Operator::Remainder => a - b * (a / b).floor(),
                Operator::Power => libm::pow(a, b),
            }
        }
        Op::Compare(operator, parts) => {
            let (a, b) = (value(&parts[0], name), value(&parts[1], name));
            truth(match operator {
                Compare::Equal => a == b,
                Compare::NotEqual => a != b,
                Compare::Less => a < b,
                Compare::LessEqual => a <= b,
                Compare::Greater => a > b,
                Compare::GreaterEqual => a >= b,
            })
        }
        Op::And(parts) => truth(value(&parts[0], name) != 0.0 && value(&parts[1], name) != 0.0),
        Op::Or(parts) => truth(value(&parts[0], name) != 0.0 || value(&parts[1], name) != 0.0),
        Op::If(parts) => value(if value(&parts[0], name) != 0.0 { &parts[1] } else { &parts[2] }, name),
        Op::Call(function, parts) => call(*function, parts, name),
        Op::Cells(..) => f64::NAN,
    }
}

fn call(function: Function, parts: &[ExprNode], name: &dyn Fn(Name) -> f64) -> f64 {
    let mut values = parts.iter().map(|part| value(part, name));
    let first = values.next().unwrap_or(f64::NAN);
    match function {
        Function::Min => values.fold(first, f64::min),
        Function::Max => values.fold(first, f64::max),
        Function::Atan2 => libm::atan2(first, values.next().unwrap_or(f64::NAN)),
        Function::Pow => libm::pow(first, values.next().unwrap_or(f64::NAN)),
        Function::Floor => first.floor(),
        Function::Ceil => first.ceil(),
        Function::Abs => first.abs(),
        Function::Sqrt => first.sqrt(),
        Function::Sin => libm::sin(first),
        Function::Cos => libm::cos(first),
        Function::Log => libm::log(first),
        Function::Exp => libm::exp(first),
    }
}
