//! What a gate requires of a run, as a command line says it.

use schemars::JsonSchema;
use serde::Serialize;

use super::profiles::profiles;
use crate::case::{Dimension, Level};
use crate::contract::{ContractTable, Declaration};
use crate::numeric::DType;
use crate::spec::Library;
use crate::spec::suggest::choose;

/// One thing that is required of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement {
    /// As it was given, `KEY=VALUE`.
    pub text: String,
    /// What it asks for.
    pub asked: Asked,
}

/// What can be required.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// That judged calls go up to a size on every level that has it, and down to one.
    Size {
        /// The dimension.
        dimension: Dimension,
        /// Smallest value, where it was given.
        low: Option<i64>,
        /// Largest value.
        high: i64,
    },
    /// That positions up to this one are judged on every level that knows them.
    MaxPosition(i64),
    /// That these levels are judged.
    Levels(Vec<Level>),
    /// That these storage types are judged on every level of the run that moves tensors.
    Dtypes(Vec<DType>),
    /// That these schemes, with their profiles, are judged on every level of the run that knows schemes.
    Schemes(Vec<String>),
    /// That outputs (of one storage type) are held to a contract that lies within this one.
    Contract(Option<DType>, Declaration),
    /// The percentage of the classes of every level that judged calls had.
    Reach(f64),
    /// The percentage of the pairs of classes of every level that judged calls had.
    Pairs(f64),
}

#[derive(Clone, Copy)]
enum Key {
    Size(Dimension),
    MaxPosition,
    Levels,
    Dtypes,
    Schemes,
    Contract,
    Reach,
    Pairs,
}

/// Words that are no dimension.
const OTHERS: [(&str, Key); 7] = [
    ("max_position", Key::MaxPosition),
    ("levels", Key::Levels),
    ("dtypes", Key::Dtypes),
    ("schemes", Key::Schemes),
    ("contract", Key::Contract),
    ("reach", Key::Reach),
    ("pairs", Key::Pairs),
];

impl Requirement {
    /// Reads `KEY=VALUE`.
    ///
    /// # Errors
    /// What was expected; names that do not exist.
    pub fn parse(text: &str, library: &Library, contracts: &ContractTable) -> Result<Requirement, String> {
        let (key, value) =
            text.split_once('=').ok_or_else(|| format!("expected KEY=VALUE such as q_heads=64, found {text:?}"))?;
        // Values of the others are words, or octaves.
        let axes = [Dimension::Position0, Dimension::Position1, Dimension::Position2, Dimension::Position3];
        let sizes = Dimension::ALL.into_iter().filter(|d| d.words().is_empty() && !axes.contains(d));
        let keys: Vec<(&str, Key)> = sizes.map(|size| (size.name(), Key::Size(size))).chain(OTHERS).collect();
        let words = || value.split(',');
        let asked = match choose("key", key, &keys)? {
            Key::Size(dimension) => {
                let (low, high) = size(value)?;
                Asked::Size { dimension, low, high }
            }
            Key::MaxPosition => Asked::MaxPosition(integer(value)?),
            Key::Levels => {
                let all = Level::ALL.map(|level| (level.name(), level));
                Asked::Levels(words().map(|word| choose("level", word, &all)).collect::<Result<_, _>>()?)
            }
            Key::Dtypes => {
                let all = DType::STORAGE.map(|dtype| (dtype.name(), dtype));
                Asked::Dtypes(words().map(|word| choose("dtype", word, &all)).collect::<Result<_, _>>()?)
            }
            Key::Schemes => {
                let all: Vec<Vec<String>> = words().map(|word| profiles(library, word)).collect::<Result<_, _>>()?;
                Asked::Schemes(all.concat())
            }
            Key::Contract => {
                let mut table = ContractTable { overrides: Vec::new(), ..contracts.clone() };
                table.declare(value)?;
                let (dtype, declaration) = table.overrides.swap_remove(0);
                Asked::Contract(dtype, declaration)
            }
            Key::Reach => Asked::Reach(share(value)?),
            Key::Pairs => Asked::Pairs(share(value)?),
        };
        Ok(Requirement { text: text.to_owned(), asked })
    }
}

fn integer(text: &str) -> Result<i64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = if digits { text.parse().ok() } else { None };
    value.ok_or_else(|| format!("expected an integer from 0 to {}, found {text:?}", i64::MAX))
}

/// `HIGH` or `LOW-HIGH`.
fn size(text: &str) -> Result<(Option<i64>, i64), String> {
    let Some((low, high)) = text.split_once('-') else { return Ok((None, integer(text)?)) };
    let (low, high) = (integer(low)?, integer(high)?);
    if low > high { Err(format!("{low} is more than {high}")) } else { Ok((Some(low), high)) }
}

/// `95%`
fn share(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    let number = number.filter(|number| *number > 0.0 && *number <= 100.0);
    number.ok_or_else(|| format!("expected more than 0% and at most 100%, such as 95%, found {text:?}"))
}

/// What was required, and what the run had of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Required {
    /// `KEY=VALUE`, as it was given.
    pub require: String,
    /// Whether it was met.
    pub met: bool,
    /// What the run had: all of it, or where it was not met what fell short.
    pub found: String,
}

impl Required {
    /// What the verdict says of it.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} (found {})", self.require, self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Asked, String> {
        let library = Library::embedded().expect("embedded specs load");
        let contracts = crate::contract::contracts().expect("no mistakes");
        Requirement::parse(text, &library, &contracts).map(|requirement| requirement.asked)
    }

    #[test]
    fn requirements_are_read() {
        let size = |dimension, low, high| Ok(Asked::Size { dimension, low, high });
        assert_eq!(parse("q_heads=64"), size(Dimension::QHeads, None, 64));
        assert_eq!(parse("k_heads=0-8"), size(Dimension::KHeads, Some(0), 8));
        assert_eq!(parse("T=16"), size(Dimension::Frames, None, 16));
        assert_eq!(parse("max_position=131071"), Ok(Asked::MaxPosition(131_071)));
        assert_eq!(parse("levels=rotate,fused"), Ok(Asked::Levels(vec![Level::Rotate, Level::Fused])));
        assert_eq!(parse("dtypes=bf16"), Ok(Asked::Dtypes(vec![DType::BF16])));
        // Without a profile: all of them, as with --scheme.
        let both = ["vrope@official", "videorope@paper", "videorope@official"].map(String::from);
        let Ok(Asked::Schemes(found)) = parse("schemes=vrope@official,videorope") else { panic!("they exist") };
        assert_eq!((found.len(), both.iter().all(|scheme| found.contains(scheme))), (3, true), "{found:?}");
        let declared = Declaration::parse("cached/pow,trig_ulps=1").expect("is one");
        assert_eq!(
            parse("contract=bf16=cached/pow,trig_ulps=1"),
            Ok(Asked::Contract(Some(DType::BF16), declared.clone()))
        );
        assert_eq!(parse("contract=cached/pow,trig_ulps=1"), Ok(Asked::Contract(None, declared)));
        assert_eq!(parse("reach=100%"), Ok(Asked::Reach(100.0)));
        assert_eq!(parse("pairs=99.5%"), Ok(Asked::Pairs(99.5)));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            ("q_heads", "expected KEY=VALUE such as q_heads=64, found \"q_heads\""),
            ("q_head=64", "did you mean \"q_heads\"?"),
            ("dtype=f32", "did you mean \"dtypes\"?"),
            ("position_0=4", "unknown key \"position_0\", expected one of q_heads, k_heads"),
            ("q_heads=", "expected an integer from 0 to 9223372036854775807, found \"\""),
            ("q_heads=-1", "expected an integer"),
            ("q_heads=+1", "expected an integer"),
            ("q_heads=many", "found \"many\""),
            ("tokens=99999999999999999999", "expected an integer"),
            ("q_heads=64-1", "64 is more than 1"),
            ("max_position=0-9", "found \"0-9\""),
            ("levels=rotat", "unknown level \"rotat\", expected one of"),
            ("levels=", "unknown level \"\""),
            ("dtypes=f32,f64", "unknown dtype \"f64\", expected one of f32, f16, bf16"),
            ("schemes=m-rop", "there is no scheme \"m-rop\"; did you mean \"m-rope\"?"),
            ("schemes=vrope@papr", "papr"),
            ("contract=fused", "expected CLASS/FREQUENCIES"),
            ("contract=fussed/table", "did you mean \"fused\"?"),
            ("reach=95", "expected more than 0% and at most 100%, such as 95%, found \"95\""),
            ("reach=0%", "expected more than 0%"),
            ("reach=NaN%", "expected more than 0%"),
            ("pairs=101%", "expected more than 0%"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
