//! The parts of a contract that can be declared, each with its name, what it takes and what it means.

use std::fmt;

use serde::ser::{Serialize, Serializer};

use crate::spec::suggest;

use super::arithmetic::AngleUnit;
use super::arithmetic::Contract;
use super::arithmetic::Fma;
use super::arithmetic::Rotation;
use super::arithmetic::Scaling;
use super::arithmetic::Store;
use super::frequency_rule::LogBase;
use super::precision::Precision;

/// A value that a contract declares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting {
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Truth(bool),
    /// One of a key's words.
    Word(&'static str),
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Takes {
    /// A number from 0 to this.
    Number(f64),
    /// `true` or `false`.
    Truth,
    /// One of these.
    Word(&'static [&'static str]),
}

/// A part of a contract that can be declared.
#[derive(Clone, Copy)]
pub struct ContractKey {
    /// As it is written in YAML, JSON and on the command line (a dot stands for a map in YAML).
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// Whether it belongs to the class; else to the way to frequencies.
    pub of_class: bool,
    /// One line for kernel authors.
    pub doc: &'static str,
    pub(super) get: fn(&Contract) -> Option<Setting>,
    pub(super) set: fn(&mut Contract, Setting),
}

impl fmt::Debug for ContractKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for ContractKey {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Most ulps that may be declared: 2^-8 relative, where bf16 itself ends.
const MOST_ULPS: f64 = 65_536.0;
/// Most roundings.
const MOST_ROUNDINGS: f64 = 1024.0;

/// Words of the types that something may be kept in.
pub const KEPT: [(&str, Precision); 3] =
    [("exact", Precision::Exact), ("f32", Precision::F32), ("storage", Precision::Storage)];
/// Words of the types of angles: no bound is derived for less than f32.
pub const ANGLES: [(&str, Precision); 3] =
    [("exact", Precision::Exact), ("f64", Precision::F64), ("f32", Precision::F32)];
/// Words of what cos and sin may be kept in: also a type that the tensors do not have.
pub const TABLE: [(&str, Precision); 5] = [
    ("exact", Precision::Exact),
    ("f32", Precision::F32),
    ("f16", Precision::F16),
    ("bf16", Precision::BF16),
    ("storage", Precision::Storage),
];
/// Words of [`AngleUnit`].
pub const ANGLE_UNIT: [(&str, AngleUnit); 3] =
    [("radians", AngleUnit::Radians), ("half-turns", AngleUnit::HalfTurns), ("turns", AngleUnit::Turns)];
/// Words of [`Rotation`].
pub const ROTATION: [(&str, Rotation); 3] = [
    ("four-products", Rotation::FourProducts),
    ("three-products", Rotation::ThreeProducts),
    ("shears", Rotation::Shears),
];
/// Words of [`Fma`].
pub const FMA: [(&str, Fma); 3] = [("allowed", Fma::Allowed), ("always", Fma::Always), ("never", Fma::Never)];
/// Words of [`Store`].
pub const STORE: [(&str, Store); 2] = [("nearest", Store::Nearest), ("toward-zero", Store::TowardZero)];
/// Words of [`Scaling`].
pub const SCALING: [(&str, Scaling); 4] = [
    ("factors", Scaling::Factors),
    ("table", Scaling::Table),
    ("inputs", Scaling::Inputs),
    ("outputs", Scaling::Outputs),
];
/// Words of a logarithm's base.
pub const LOGARITHM: [(&str, Option<LogBase>); 3] =
    [("none", None), ("e", Some(LogBase::Natural)), ("2", Some(LogBase::Two))];

const KEPT_WORDS: &[&str] = &["exact", "f32", "storage"];

fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> Option<Setting> {
    words.iter().find(|(_, v)| v == value).map(|(name, _)| Setting::Word(name))
}

/// Writes the meaning of a word; [`Takes::read`] lets no other word through.
fn put<T: Copy>(place: &mut T, words: &[(&str, T)], value: Setting) {
    if let Setting::Word(text) = value
        && let Some((_, meaning)) = words.iter().find(|(name, _)| *name == text)
    {
        *place = *meaning;
    }
}

/// A key of the class that takes a number.
macro_rules! number {
    ($name:literal, $most:expr, $of_class:literal, $($field:ident).+, $doc:literal) => {
        ContractKey {
            name: $name,
            takes: Takes::Number($most),
            of_class: $of_class,
            doc: $doc,
            get: |c| Some(Setting::Number(c.$($field).+)),
            set: |c, v| if let Setting::Number(n) = v { c.$($field).+ = n },
        }
    };
}

/// A key of the class that takes a word.
macro_rules! words {
    ($name:literal, $takes:expr, $table:expr, $field:ident, $doc:literal) => {
        ContractKey {
            name: $name,
            takes: Takes::Word($takes),
            of_class: true,
            doc: $doc,
            get: |c| word(&$table, &c.class.$field),
            set: |c, v| put(&mut c.class.$field, &$table, v),
        }
    };
}

/// Everything that a contract may declare, in the order of reports.
pub static KEYS: [ContractKey; 25] = [
    words!("angles", &["exact", "f64", "f32"], ANGLES, angles, "type of position, frequency and their product"),
    words!(
        "angle_unit",
        &["radians", "half-turns", "turns"],
        ANGLE_UNIT,
        angle_unit,
        "what angles are counted in: frequencies are divided by pi or 2 pi"
    ),
    number!(
        "position_roundings",
        MOST_ROUNDINGS,
        true,
        class.position_roundings,
        "roundings of a position that the angles' type does not hold"
    ),
    number!(
        "angle_roundings",
        MOST_ROUNDINGS,
        true,
        class.angle_roundings,
        "roundings of an angle besides that of position * frequency"
    ),
    number!("angle_error", 0.01, true, class.angle_error, "absolute error of an angle on top of these, in radians"),
    words!(
        "table",
        &["exact", "f32", "f16", "bf16", "storage"],
        TABLE,
        table,
        "type that cos and sin are kept in; f16 and bf16 whatever the tensors are"
    ),
    words!("arithmetic", KEPT_WORDS, KEPT, arithmetic, "type of products and sums"),
    words!(
        "rotation",
        &["four-products", "three-products", "shears"],
        ROTATION,
        rotation,
        "how a pair is rotated: four products and two sums, three products (Gauss), or three shears (lifting)"
    ),
    number!("trig_ulps", MOST_ULPS, true, class.trig_ulps, "ulps of f32 by which sin and cos of the angle may err"),
    number!("trig_error", 0.01, true, class.trig_error, "absolute error of sin and cos on top of trig_ulps"),
    number!(
        "trig_error_per_position",
        0.01,
        true,
        class.trig_error_per_position,
        "relative error of (cos, sin) per position, where they are turned from one position to the next"
    ),
    ContractKey {
        name: "angle_limit",
        takes: Takes::Number(1e12),
        of_class: true,
        doc: "largest |angle| in radians for which anything is claimed; nothing is judged beyond",
        get: |c| c.class.angle_limit.map(Setting::Number),
        set: |c, v| {
            if let Setting::Number(n) = v {
                c.class.angle_limit = Some(n);
            }
        },
    },
    ContractKey {
        name: "flushes",
        takes: Takes::Truth,
        of_class: true,
        doc: "whether subnormal numbers may become zero",
        get: |c| Some(Setting::Truth(c.class.flushes)),
        set: |c, v| {
            if let Setting::Truth(t) = v {
                c.class.flushes = t;
            }
        },
    },
    words!("fma", &["allowed", "always", "never"], FMA, fma, "whether a product enters the sum unrounded"),
    words!(
        "store",
        &["nearest", "toward-zero"],
        STORE,
        store,
        "rounding to a storage type narrower than the arithmetic"
    ),
    words!(
        "scaling",
        &["factors", "table", "inputs", "outputs"],
        SCALING,
        scaling,
        "what attention_scaling multiplies: cos and sin, what the table keeps of them, inputs, or outputs"
    ),
    ContractKey {
        name: "scaling_type",
        takes: Takes::Word(KEPT_WORDS),
        of_class: true,
        doc: "type of attention_scaling and of what it has multiplied (default: exact where that is exact, else f32)",
        get: |c| word(&KEPT, &c.class.scaling_type()),
        set: |c, v| {
            let mut kept = Precision::F32;
            put(&mut kept, &KEPT, v);
            c.class.scaled = Some(kept);
        },
    },
    number!("roundings", MOST_ROUNDINGS, false, frequencies.once.roundings, "roundings of a frequency"),
    number!("library", MOST_ROUNDINGS, false, frequencies.once.library, "calls of pow, exp or exp2 on the way to it"),
    number!("exponent", MOST_ROUNDINGS, false, frequencies.once.exponent, "uses of a rounded exponent"),
    number!("per_index.roundings", MOST_ROUNDINGS, false, frequencies.per_index.roundings, "roundings per pair index"),
    number!("per_index.library", MOST_ROUNDINGS, false, frequencies.per_index.library, "such calls per pair index"),
    number!("per_index.exponent", MOST_ROUNDINGS, false, frequencies.per_index.exponent, "such uses per pair index"),
    ContractKey {
        name: "logarithm",
        takes: Takes::Word(&["none", "e", "2"]),
        of_class: false,
        doc: "base of the logarithm that is multiplied by the exponent",
        get: |c| word(&LOGARITHM, &c.frequencies.logarithm),
        set: |c, v| put(&mut c.frequencies.logarithm, &LOGARITHM, v),
    },
    number!("library_ulps", MOST_ULPS, false, frequencies.library_ulps, "ulps by which these functions may err"),
];

/// The key of a name.
///
/// # Errors
/// If there is none, with the one that may have been meant.
pub fn key(name: &str) -> Result<&'static ContractKey, String> {
    KEYS.iter()
        .find(|key| key.name == name)
        .ok_or_else(|| format!("unknown key {name:?}{}", suggest::hint(name, KEYS.iter().map(|key| key.name))))
}

impl Takes {
    /// A number, if it lies within what is allowed.
    ///
    /// # Errors
    /// What was expected.
    pub fn number(self, number: f64) -> Result<Setting, String> {
        match self {
            Self::Number(most) if (0.0..=most).contains(&number) => Ok(Setting::Number(number)),
            _ => Err(format!("expected {self}, found {number}")),
        }
    }

    /// Truth, if that is what it takes.
    ///
    /// # Errors
    /// What was expected.
    pub fn truth(self, truth: bool) -> Result<Setting, String> {
        if self == Self::Truth { Ok(Setting::Truth(truth)) } else { Err(format!("expected {self}, found {truth}")) }
    }

    /// One of the words that it takes.
    ///
    /// # Errors
    /// What was expected, and which word may have been meant.
    pub fn word(self, text: &str) -> Result<Setting, String> {
        let Self::Word(words) = self else { return Err(format!("expected {self}, found {text:?}")) };
        let found = words.iter().find(|word| **word == text).map(|word| Setting::Word(word));
        found.ok_or_else(|| suggest::unknown("value", text, words.iter().copied()))
    }

    /// A value from its text.
    ///
    /// # Errors
    /// As the others.
    pub fn read(self, text: &str) -> Result<Setting, String> {
        match (self, text) {
            (Self::Truth, "true" | "false") => self.truth(text == "true"),
            (Self::Number(_), _) if text.parse::<f64>().is_ok() => self.number(text.parse().unwrap_or(f64::NAN)),
            _ => self.word(text),
        }
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(most) if *most >= 1e9 => write!(f, "a number from 0 to {most:e}"),
            Self::Number(most) => write!(f, "a number from 0 to {most}"),
            Self::Truth => f.write_str("true or false"),
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The shortest digits that come back as the same number.
            Self::Number(n) if *n != 0.0 && (*n < 1e-4 || *n >= 1e9) => write!(f, "{n:e}"),
            Self::Number(n) => write!(f, "{n}"),
            Self::Truth(t) => write!(f, "{t}"),
            Self::Word(w) => f.write_str(w),
        }
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(n) => serializer.serialize_f64(*n),
            Self::Truth(t) => serializer.serialize_bool(*t),
            Self::Word(w) => serializer.serialize_str(w),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::contracts;

    #[test]
    fn every_key_sets_what_it_gets_and_nothing_else() {
        let table = contracts().expect("no mistakes");
        let before = table.contract("fast", "exp2").expect("is there");
        for key in &KEYS {
            let old = (key.get)(&before).expect("fast/exp2 has them all");
            let new = match key.takes {
                Takes::Number(most) => Setting::Number(if old == Setting::Number(most) { 0.0 } else { most }),
                Takes::Truth => Setting::Truth(old != Setting::Truth(true)),
                Takes::Word(words) => {
                    Setting::Word(words.iter().find(|word| Setting::Word(word) != old).expect("more than one"))
                }
            };
            let mut after = before.clone();
            (key.set)(&mut after, new);
            assert_eq!((key.get)(&after), Some(new), "{}", key.name);
            for other in KEYS.iter().filter(|other| *other != key && other.name != "scaling_type") {
                assert_eq!((other.get)(&after), (other.get)(&before), "{} changed {}", key.name, other.name);
            }
        }
    }
}
