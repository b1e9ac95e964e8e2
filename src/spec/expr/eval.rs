//! Evaluation of a formula's tree: in i64 where all of it are such integers, else in exact numbers.

use std::cmp::Ordering;

use crate::numeric::{Number, NumberError};

use super::error::EvalError;
use super::names::Name;
use super::tree::{Compare, Env, Expr, ExprNode, Fold, Function, Op, Operator};

impl Expr {
    /// Value of a formula of type [`Type::Number`](super::Type).
    ///
    /// # Errors
    /// [`EvalError`] if arithmetic fails or the environment has no value for a name.
    pub fn number(&self, env: &dyn Env) -> Result<Number, EvalError> {
        let short = if self.real { None } else { integer(&self.root, env) };
        short.map_or_else(|| number(&self.root, &self.source, env), |value| Ok(Number::Integer(value)))
    }

    /// Value of a formula of type [`Type::Boolean`](super::Type).
    ///
    /// # Errors
    /// [`EvalError`] if arithmetic fails or the environment has no value for a name.
    pub fn truth(&self, env: &dyn Env) -> Result<bool, EvalError> {
        truth(&self.root, &self.source, env)
    }
}

/// An environment without names, to fold operations on literals.
pub(super) struct Nothing;

impl Env for Nothing {
    fn value(&self, name: Name) -> Result<Number, EvalError> {
        Err(EvalError::NoValue(name))
    }

    fn over_cells(&self, _fold: Fold, _inner: &Expr) -> Result<Number, EvalError> {
        Err(EvalError::NoCells)
    }
}

/// Whether an operation has only literals as parts (a literal itself needs no folding).
pub(super) fn is_constant(op: &Op) -> bool {
    let literal = |node: &ExprNode| matches!(node.op, Op::Number(_));
    match op {
        Op::Negate(part) => literal(part),
        Op::Operator(_, parts) => parts.iter().all(literal),
        Op::Call(_, parts) => parts.iter().all(literal),
        _ => false,
    }
}

fn failed(error: NumberError, node: &ExprNode, text: &str) -> EvalError {
    EvalError::Number { error, part: node.part(text).to_owned() }
}

/// Value of a node that yields a number, if that and all of its parts are i64; `None` says nothing.
fn integer(node: &ExprNode, env: &dyn Env) -> Option<i64> {
    match &node.op {
        Op::Number(value) => value.to_i64(),
        Op::Name(name) => env.integer(*name),
        Op::Negate(part) => integer(part, env)?.checked_neg(),
        Op::Operator(operator, parts) => {
            let (a, b) = (integer(&parts[0], env)?, integer(&parts[1], env)?);
            match operator {
                Operator::Add => a.checked_add(b),
                Operator::Subtract => a.checked_sub(b),
                Operator::Multiply => a.checked_mul(b),
                Operator::Divide => (b > 0 && a % b == 0).then(|| a / b),
                Operator::Remainder => (b > 0).then(|| a.rem_euclid(b)),
                Operator::Power => None,
            }
        }
        Op::Call(function, parts) => {
            let mut values = parts.iter().map(|part| integer(part, env));
            let first = values.next()??;
            match function {
                Function::Min => values.try_fold(first, |least, value| Some(least.min(value?))),
                Function::Max => values.try_fold(first, |most, value| Some(most.max(value?))),
                Function::Floor | Function::Ceil => Some(first),
                Function::Abs => first.checked_abs(),
                _ => None,
            }
        }
        Op::If(parts) => integer(&parts[if holds(&parts[0], env)? { 1 } else { 2 }], env),
        _ => None,
    }
}

/// Value of a node that yields a condition, if all of its parts are i64; `None` says nothing.
fn holds(node: &ExprNode, env: &dyn Env) -> Option<bool> {
    match &node.op {
        Op::Not(part) => Some(!holds(part, env)?),
        Op::And(parts) => Some(holds(&parts[0], env)? && holds(&parts[1], env)?),
        Op::Or(parts) => Some(holds(&parts[0], env)? || holds(&parts[1], env)?),
        Op::Compare(operator, parts) => Some(operator.holds(integer(&parts[0], env)?.cmp(&integer(&parts[1], env)?))),
        _ => None,
    }
}

impl Compare {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Compare::Equal => order == Ordering::Equal,
            Compare::NotEqual => order != Ordering::Equal,
            Compare::Less => order == Ordering::Less,
            Compare::LessEqual => order != Ordering::Greater,
            Compare::Greater => order == Ordering::Greater,
            Compare::GreaterEqual => order != Ordering::Less,
        }
    }
}

/// Value of a node that yields a number. `text` is the text that the node's span counts in.
pub(super) fn number(node: &ExprNode, text: &str, env: &dyn Env) -> Result<Number, EvalError> {
    match &node.op {
        Op::Number(value) => Ok(value.clone()),
        Op::Name(name) => env.value(*name),
        Op::Negate(part) => Ok(number(part, text, env)?.neg()),
        Op::Operator(operator, parts) => {
            let a = number(&parts[0], text, env)?;
            let b = number(&parts[1], text, env)?;
            arithmetic(*operator, &a, &b).map_err(|error| failed(error, node, text))
        }
        Op::Call(function, parts) => call(*function, parts, node, text, env),
        Op::If(parts) => {
            if truth(&parts[0], text, env)? {
                number(&parts[1], text, env)
            } else {
                number(&parts[2], text, env)
            }
        }
        Op::Cells(fold, inner) => env.over_cells(*fold, inner),
        Op::Not(_) | Op::Compare(..) | Op::And(_) | Op::Or(_) => Err(EvalError::Type(node.part(text).to_owned())),
    }
}

/// Value of a node that yields a condition. `&&` and `||` stop as soon as the answer is known.
pub(super) fn truth(node: &ExprNode, text: &str, env: &dyn Env) -> Result<bool, EvalError> {
    match &node.op {
        Op::Not(part) => Ok(!truth(part, text, env)?),
        Op::And(parts) => Ok(truth(&parts[0], text, env)? && truth(&parts[1], text, env)?),
        Op::Or(parts) => Ok(truth(&parts[0], text, env)? || truth(&parts[1], text, env)?),
        Op::Compare(operator, parts) => {
            let order = number(&parts[0], text, env)?.compare(&number(&parts[1], text, env)?);
            Ok(operator.holds(order))
        }
        _ => Err(EvalError::Type(node.part(text).to_owned())),
    }
}

fn arithmetic(operator: Operator, a: &Number, b: &Number) -> Result<Number, NumberError> {
    match operator {
        Operator::Add => a.add(b),
        Operator::Subtract => a.sub(b),
        Operator::Multiply => a.mul(b),
        Operator::Divide => a.div(b),
        Operator::Remainder => a.rem(b),
        Operator::Power => a.pow(b),
    }
}

fn call(
    function: Function,
    parts: &[ExprNode],
    node: &ExprNode,
    text: &str,
    env: &dyn Env,
) -> Result<Number, EvalError> {
    let [first, rest @ ..] = parts else { return Err(EvalError::Type(node.part(text).to_owned())) };
    let first = number(first, text, env)?;
    let result = match function {
        Function::Min | Function::Max => {
            let wanted = if function == Function::Min { Ordering::Less } else { Ordering::Greater };
            let mut best = first;
            for part in rest {
                let value = number(part, text, env)?;
                if value.cmp(&best) == wanted {
                    best = value;
                }
            }
            return Ok(best);
        }
        Function::Atan2 | Function::Pow => {
            let [second] = rest else { return Err(EvalError::Type(node.part(text).to_owned())) };
            let second = number(second, text, env)?;
            if function == Function::Atan2 { Number::atan2(&first, &second) } else { first.pow(&second) }
        }
        Function::Floor => first.floor(),
        Function::Ceil => first.ceil(),
        Function::Abs => return Ok(first.abs()),
        Function::Sqrt => first.sqrt(),
        Function::Sin => first.sin(),
        Function::Cos => first.cos(),
        Function::Log => first.ln(),
        Function::Exp => first.exp(),
    };
    result.map_err(|error| failed(error, node, text))
}
