//! Tokens to a tree, by operator precedence; names are resolved and types checked on the way.

use std::ops::Range;
use std::sync::Arc;

use crate::numeric::Number;
use crate::spec::suggest::closest;

use super::error::ExprError;
use super::eval;
use super::lexer::{self, Token, TokenKind};
use super::names::{Name, Names};
use super::tree::{Compare, Expr, ExprNode, Fold, Function, Op, Operator, Type};

/// Longest formula, in bytes.
pub const MAX_LENGTH: usize = 4096;
/// Deepest nesting of a formula, counted in operators and calls on the way from the root.
pub const MAX_DEPTH: usize = 96;

/// How tightly an operator binds; `^` binds tighter than a sign, so -2^2 is -4.
const OR: u8 = 1;
const AND: u8 = 2;
const COMPARE: u8 = 3;
const SUM: u8 = 4;
const PRODUCT: u8 = 5;
const SIGN: u8 = 6;
const POWER: u8 = 7;

/// A tree under construction.
struct Fragment {
    node: ExprNode,
    ty: Type,
    depth: usize,
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    nesting: usize,
    names: &'a Names,
    /// Names outside of folds over cells.
    used: Vec<Name>,
    /// Names inside of them.
    folded: Vec<Name>,
    real: bool,
    in_cells: bool,
}

fn describe(ty: Type) -> &'static str {
    match ty {
        Type::Number => "a number",
        Type::Boolean => "a condition (true or false)",
    }
}

impl Expr {
    /// Parses a formula, resolves its names and checks its types.
    ///
    /// # Errors
    /// [`ExprError`] with the place of the first mistake.
    pub fn parse(text: &str, names: &Names, expected: Type) -> Result<Self, ExprError> {
        if text.len() > MAX_LENGTH {
            let message = format!("a formula may have {MAX_LENGTH} bytes, this one has {}", text.len());
            return Err(ExprError::new(message, 0..text.len()));
        }
        let tokens = lexer::tokens(text)?;
        let mut parser = Parser {
            text,
            tokens,
            at: 0,
            nesting: 0,
            names,
            used: Vec::new(),
            folded: Vec::new(),
            real: false,
            in_cells: false,
        };
        if parser.peek().kind == TokenKind::End {
            return Err(ExprError::new("expected a formula, found nothing", 0..text.len()));
        }
        let part = parser.expression(0)?;
        let rest = parser.peek();
        if rest.kind != TokenKind::End {
            return Err(parser.unexpected("an operator or the end of the formula", rest));
        }
        parser.expect_type(&part, expected)?;
        Ok(parser.finish(part, text))
    }
}

impl Parser<'_> {
    fn finish(&mut self, part: Fragment, text: &str) -> Expr {
        let sorted = |mut names: Vec<Name>| {
            names.sort_unstable();
            names.dedup();
            names
        };
        let outer = sorted(std::mem::take(&mut self.used));
        let mut names = std::mem::take(&mut self.folded);
        names.extend_from_slice(&outer);
        let names = sorted(names);
        Expr {
            source: Arc::from(text),
            part: 0..text.len(),
            root: Arc::new(part.node),
            names: names.into(),
            outer: outer.into(),
            ty: part.ty,
            real: self.real,
        }
    }

    fn peek(&self) -> Token {
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn unexpected(&self, expected: &str, token: Token) -> ExprError {
        ExprError::new(format!("expected {expected}, found {}", token.found(self.text)), token.span())
    }

    fn expect_type(&self, part: &Fragment, expected: Type) -> Result<(), ExprError> {
        if part.ty == expected {
            return Ok(());
        }
        let span = part.node.span();
        let message =
            format!("expected {}, found {}: `{}`", describe(expected), describe(part.ty), &self.text[span.clone()]);
        Err(ExprError::new(message, span))
    }

    /// Wraps an operation, keeps the tree shallow, and folds it if all its parts are literals.
    fn node(&self, op: Op, span: Range<usize>, ty: Type, parts_depth: usize) -> Result<Fragment, ExprError> {
        let depth = parts_depth + 1;
        if depth > MAX_DEPTH {
            return Err(ExprError::new(
                format!("a formula may nest {MAX_DEPTH} operators deep, this one is deeper"),
                span,
            ));
        }
        let mut node = ExprNode { op, start: span.start as u32, end: span.end as u32 };
        if ty == Type::Number && eval::is_constant(&node.op) {
            match eval::number(&node, self.text, &eval::Nothing) {
                Ok(value) => node.op = Op::Number(value),
                Err(problem) => return Err(ExprError::new(format!("this has no value: {problem}"), span)),
            }
        }
        Ok(Fragment { node, ty, depth })
    }

    fn expression(&mut self, least: u8) -> Result<Fragment, ExprError> {
        self.nesting += 1;
        if self.nesting > MAX_DEPTH {
            let message = format!("a formula may nest {MAX_DEPTH} operators deep, this one is deeper");
            return Err(ExprError::new(message, self.peek().span()));
        }
        let mut left = self.operand()?;
        loop {
            let token = self.peek();
            let binding = match token.kind {
                TokenKind::Or => OR,
                TokenKind::And => AND,
                TokenKind::Equal
                | TokenKind::NotEqual
                | TokenKind::Less
                | TokenKind::LessEqual
                | TokenKind::Greater
                | TokenKind::GreaterEqual => COMPARE,
                TokenKind::Plus | TokenKind::Minus => SUM,
                TokenKind::Star | TokenKind::Slash | TokenKind::Percent => PRODUCT,
                TokenKind::Caret => POWER,
                _ => break,
            };
            if binding < least {
                break;
            }
            self.take();
            // `^` groups to the right, and its exponent may have a sign: 2^-1, 2^3^2 = 2^9.
            let right = self.expression(if binding == POWER { SIGN } else { binding + 1 })?;
            left = self.binary(token, binding, left, right)?;
        }
        self.nesting -= 1;
        Ok(left)
    }

    fn binary(&mut self, token: Token, binding: u8, left: Fragment, right: Fragment) -> Result<Fragment, ExprError> {
        let span = left.node.span().start..right.node.span().end;
        let depth = left.depth.max(right.depth);
        if binding == COMPARE && (left.ty, right.ty) == (Type::Boolean, Type::Number) {
            let mut wrong = ExprError::new("comparisons do not chain", span);
            wrong.notes.push("write `a < b && b < c`".to_owned());
            return Err(wrong);
        }
        let operands = if binding <= AND { Type::Boolean } else { Type::Number };
        self.expect_type(&left, operands)?;
        self.expect_type(&right, operands)?;
        if binding == POWER && !matches!(&right.node.op, Op::Number(value) if value.is_integer()) {
            self.real = true;
        }
        let both = Box::new([left.node, right.node]);
        let (op, ty) = match token.kind {
            TokenKind::Or => (Op::Or(both), Type::Boolean),
            TokenKind::And => (Op::And(both), Type::Boolean),
            TokenKind::Equal => (Op::Compare(Compare::Equal, both), Type::Boolean),
            TokenKind::NotEqual => (Op::Compare(Compare::NotEqual, both), Type::Boolean),
            TokenKind::Less => (Op::Compare(Compare::Less, both), Type::Boolean),
            TokenKind::LessEqual => (Op::Compare(Compare::LessEqual, both), Type::Boolean),
            TokenKind::Greater => (Op::Compare(Compare::Greater, both), Type::Boolean),
            TokenKind::GreaterEqual => (Op::Compare(Compare::GreaterEqual, both), Type::Boolean),
            TokenKind::Plus => (Op::Operator(Operator::Add, both), Type::Number),
            TokenKind::Minus => (Op::Operator(Operator::Subtract, both), Type::Number),
            TokenKind::Star => (Op::Operator(Operator::Multiply, both), Type::Number),
            TokenKind::Slash => (Op::Operator(Operator::Divide, both), Type::Number),
            TokenKind::Percent => (Op::Operator(Operator::Remainder, both), Type::Number),
            _ => (Op::Operator(Operator::Power, both), Type::Number),
        };
        self.node(op, span, ty, depth)
    }

    /// A literal, a name, a call, something in parentheses, or one of these with a sign or `!` before it.
    fn operand(&mut self) -> Result<Fragment, ExprError> {
        let token = self.take();
        match token.kind {
            TokenKind::Literal => {
                let value = Number::parse(&self.text[token.span()]).map_err(|problem| {
                    ExprError::new(format!("this number cannot be used: {problem}"), token.span())
                })?;
                self.node(Op::Number(value), token.span(), Type::Number, 0)
            }
            TokenKind::Minus | TokenKind::Plus => {
                let part = self.expression(SIGN)?;
                self.expect_type(&part, Type::Number)?;
                let span = token.start..part.node.span().end;
                if token.kind == TokenKind::Plus {
                    return Ok(Fragment { node: ExprNode { start: token.start as u32, ..part.node }, ..part });
                }
                self.node(Op::Negate(Box::new(part.node)), span, Type::Number, part.depth)
            }
            TokenKind::Not => {
                // `!` binds like a sign: !a && b is (!a) && b.
                let part = self.expression(SIGN)?;
                self.expect_type(&part, Type::Boolean)?;
                let span = token.start..part.node.span().end;
                self.node(Op::Not(Box::new(part.node)), span, Type::Boolean, part.depth)
            }
            TokenKind::Open => {
                let mut part = self.expression(0)?;
                let close = self.close(token)?;
                part.node.start = token.start as u32;
                part.node.end = close.end as u32;
                Ok(part)
            }
            TokenKind::Word if self.peek().kind == TokenKind::Open => self.call(token),
            TokenKind::Word => self.name(token),
            _ => Err(self.unexpected("a number, a name or `(`", token)),
        }
    }

    fn close(&mut self, open: Token) -> Result<Token, ExprError> {
        let token = self.take();
        if token.kind == TokenKind::Close {
            return Ok(token);
        }
        let mut wrong = self.unexpected("`)`", token);
        wrong.notes.push(format!("it closes the `(` at byte {} of the formula", open.start + 1));
        Err(wrong)
    }

    fn name(&mut self, token: Token) -> Result<Fragment, ExprError> {
        let word = &self.text[token.span()];
        if let Some(name) = self.names.get(word, self.in_cells) {
            self.used.push(name);
            return self.node(Op::Name(name), token.span(), Type::Number, 0);
        }
        if word == "pi" {
            self.real = true;
            return self.node(Op::Number(Number::pi()), token.span(), Type::Number, 0);
        }
        Err(self.unknown_name(token))
    }

    fn unknown_name(&self, token: Token) -> ExprError {
        let word = &self.text[token.span()];
        let place = self.names.place();
        if let Some(reason) = self.names.unavailable(word) {
            let mut wrong = ExprError::new(format!("`{word}` cannot be used in {place}"), token.span());
            wrong.notes.push(reason.to_owned());
            return wrong;
        }
        let mut wrong = ExprError::new(format!("there is no `{word}` in {place}"), token.span());
        if Function::ALL.iter().any(|(name, _)| *name == word) || matches!(word, "if" | "cells_min" | "cells_max") {
            wrong.message = format!("`{word}` is a function: expected `(` after it");
            return wrong;
        }
        if self.names.only_in_cells(word) {
            wrong.notes.push(format!("`{word}` may be used inside cells_min(...) and cells_max(...)"));
            return wrong;
        }
        wrong.suggestion = closest(word, self.names.all(self.in_cells).chain(["pi"]));
        let all: Vec<&str> = self.names.all(self.in_cells).collect();
        if all.is_empty() {
            wrong.notes.push("no names may be used here".to_owned());
        } else {
            wrong.notes.push(format!("names here: {}", all.join(" ")));
        }
        wrong
    }

    fn call(&mut self, word: Token) -> Result<Fragment, ExprError> {
        let open = self.take();
        let name = &self.text[word.span()];
        if let "cells_min" | "cells_max" = name {
            return self.cells(word, open, if name == "cells_min" { Fold::Min } else { Fold::Max });
        }
        let function = Function::ALL.iter().find(|(text, _)| *text == name).map(|(_, function)| *function);
        if function.is_none() && name != "if" {
            let mut wrong = ExprError::new(format!("there is no function `{name}`"), word.span());
            let all = Function::ALL.iter().map(|(text, _)| *text).chain(["if", "cells_min", "cells_max"]);
            wrong.suggestion = match name {
                "ln" => Some("log".to_owned()),
                _ => closest(name, all),
            };
            if matches!(name, "round" | "int" | "trunc") {
                wrong.notes.push("use floor or ceil, which say how ties and negative numbers go".to_owned());
            }
            return Err(wrong);
        }
        let mut parts = Vec::new();
        if self.peek().kind != TokenKind::Close {
            loop {
                parts.push(self.expression(0)?);
                if self.peek().kind != TokenKind::Comma {
                    break;
                }
                self.take();
            }
        }
        let close = self.close(open)?;
        let span = word.start..close.end;
        let depth = parts.iter().map(|part| part.depth).max().unwrap_or(0);
        let (least, most) = function.map_or((3, 3), Function::arity);
        if parts.len() < least || parts.len() > most {
            let expected = match (least, most) {
                (1, 1) => "1 argument".to_owned(),
                (a, b) if a == b => format!("{a} arguments"),
                (a, b) => format!("{a} to {b} arguments"),
            };
            return Err(ExprError::new(format!("`{name}` takes {expected}, found {}", parts.len()), span));
        }
        for (at, part) in parts.iter().enumerate() {
            let condition = function.is_none() && at == 0;
            self.expect_type(part, if condition { Type::Boolean } else { Type::Number })?;
        }
        let nodes: Vec<ExprNode> = parts.into_iter().map(|part| part.node).collect();
        let op = match (function, <[ExprNode; 3]>::try_from(nodes)) {
            (None, Ok(three)) => Op::If(Box::new(three)),
            (Some(function), Ok(three)) => self.function(function, Vec::from(three)),
            (Some(function), Err(nodes)) => self.function(function, nodes),
            (None, Err(_)) => return Err(ExprError::new("`if` takes 3 arguments", span)),
        };
        self.node(op, span, Type::Number, depth)
    }

    fn function(&mut self, function: Function, nodes: Vec<ExprNode>) -> Op {
        self.real |= function.is_real();
        Op::Call(function, nodes.into_boxed_slice())
    }

    fn cells(&mut self, word: Token, open: Token, fold: Fold) -> Result<Fragment, ExprError> {
        let name = &self.text[word.span()];
        if !self.names.has_cells() {
            return Err(ExprError::new(format!("`{name}` cannot be used in {}", self.names.place()), word.span()));
        }
        if self.in_cells {
            return Err(ExprError::new("cells_min and cells_max cannot be nested", word.span()));
        }
        let outer = std::mem::take(&mut self.used);
        let folded = std::mem::take(&mut self.folded);
        let outer_real = std::mem::replace(&mut self.real, false);
        self.in_cells = true;
        let part = self.expression(0)?;
        self.in_cells = false;
        self.expect_type(&part, Type::Number)?;
        let close = self.close(open)?;
        let depth = part.depth;
        let span = part.node.span();
        // The inner formula keeps the whole text, so that its spans stay right.
        let inner = Expr { part: span, ..self.finish(part, self.text) };
        self.used = outer;
        self.folded = folded;
        self.folded.extend_from_slice(&inner.names);
        self.real = outer_real | inner.real;
        self.node(Op::Cells(fold, Box::new(inner)), word.start..close.end, Type::Number, depth)
    }
}
