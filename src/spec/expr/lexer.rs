//! Text of a formula to tokens.

use std::ops::Range;

use super::error::ExprError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// `12`, `0.25`, `1e6`.
    Literal,
    /// `name` or `axis.name`.
    Word,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Caret,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Not,
    Open,
    Close,
    Comma,
    End,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
}

impl Token {
    pub(super) fn span(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The token for a message: its text in backticks, or "the end of the formula".
    pub(super) fn found(&self, text: &str) -> String {
        match self.kind {
            TokenKind::End => "the end of the formula".to_owned(),
            _ => format!("`{}`", &text[self.span()]),
        }
    }
}

/// Every name and function that a text mentions, in order; empty if it is no formula.
#[must_use]
pub fn words(text: &str) -> Vec<&str> {
    let tokens = tokens(text).unwrap_or_default();
    tokens.iter().filter(|token| token.kind == TokenKind::Word).map(|token| &text[token.span()]).collect()
}

/// Splits a formula into tokens; the last is always [`TokenKind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExprError> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let two = bytes.get(at..at + 2).unwrap_or(&[]);
        let kind = match bytes[at] {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'0'..=b'9' | b'.' => {
                at = literal(text, at)?;
                TokenKind::Literal
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                at = word(bytes, at);
                TokenKind::Word
            }
            b'=' if two == b"==" => TokenKind::Equal,
            b'!' if two == b"!=" => TokenKind::NotEqual,
            b'<' if two == b"<=" => TokenKind::LessEqual,
            b'>' if two == b">=" => TokenKind::GreaterEqual,
            b'&' if two == b"&&" => TokenKind::And,
            b'|' if two == b"||" => TokenKind::Or,
            b'+' => TokenKind::Plus,
            b'-' => TokenKind::Minus,
            b'*' if two == b"**" => {
                let mut wrong = ExprError::new("`**` is not an operator", at..at + 2);
                wrong.suggestion = Some("^".to_owned());
                return Err(wrong);
            }
            b'*' => TokenKind::Star,
            b'/' if two == b"//" => {
                let mut wrong = ExprError::new("`//` is not an operator", at..at + 2);
                wrong.notes.push("write floor(a / b)".to_owned());
                return Err(wrong);
            }
            b'/' => TokenKind::Slash,
            b'%' => TokenKind::Percent,
            b'^' => TokenKind::Caret,
            b'<' => TokenKind::Less,
            b'>' => TokenKind::Greater,
            b'!' => TokenKind::Not,
            b'(' => TokenKind::Open,
            b')' => TokenKind::Close,
            b',' => TokenKind::Comma,
            other => return Err(unexpected(text, at, other)),
        };
        if at == start {
            at += match kind {
                TokenKind::Equal
                | TokenKind::NotEqual
                | TokenKind::LessEqual
                | TokenKind::GreaterEqual
                | TokenKind::And
                | TokenKind::Or => 2,
                _ => 1,
            };
        }
        tokens.push(Token { kind, start, end: at });
    }
    tokens.push(Token { kind: TokenKind::End, start: text.len(), end: text.len() });
    Ok(tokens)
}

fn unexpected(text: &str, at: usize, byte: u8) -> ExprError {
    let character = text[at..].chars().next().unwrap_or('\u{fffd}');
    let mut wrong = ExprError::new(
        format!("expected a number, a name or an operator, found `{}`", character.escape_debug()),
        at..at + character.len_utf8(),
    );
    match byte {
        b'=' => wrong.suggestion = Some("==".to_owned()),
        b'&' => wrong.suggestion = Some("&&".to_owned()),
        b'|' => wrong.suggestion = Some("||".to_owned()),
        _ => {}
    }
    wrong
}

/// End of a decimal literal: digits, an optional fraction, an optional exponent.
fn literal(text: &str, start: usize) -> Result<usize, ExprError> {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut at = digits(start);
    if bytes.get(at) == Some(&b'.') {
        let (whole, after) = (at, digits(at + 1));
        if whole == start || after == whole + 1 {
            let mut wrong = ExprError::new("a number needs digits on both sides of its decimal point", start..after);
            let (left, right) = (&text[start..whole], &text[whole + 1..after]);
            let fill = |digits: &str| if digits.is_empty() { "0".to_owned() } else { digits.to_owned() };
            wrong.suggestion = Some(format!("{}.{}", fill(left), fill(right)));
            return Err(wrong);
        }
        at = after;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let after = digits(at + 1 + sign);
        if after > at + 1 + sign {
            at = after;
        }
    }
    match bytes.get(at) {
        Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => {
            let end = word(bytes, at);
            let mut wrong = ExprError::new(
                format!("expected an operator between `{}` and `{}`", &text[start..at], &text[at..end]),
                start..end,
            );
            wrong.suggestion = Some(format!("{}*{}", &text[start..at], &text[at..end]));
            Err(wrong)
        }
        Some(b'.') => Err(ExprError::new("a number has one decimal point at most", start..at + 1)),
        _ => Ok(at),
    }
}

/// End of a name: letters, digits and `_`, with parts joined by single dots.
fn word(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        match bytes.get(at) {
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_') => at += 1,
            Some(b'.') if matches!(bytes.get(at + 1), Some(b'a'..=b'z' | b'A'..=b'Z' | b'_')) => at += 1,
            _ => return at,
        }
    }
}
