//! A case as one line, and back: `accuracy,scheme=vrope@official,level=fused,...`. What replays a failure.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::{Alias, BesideDtype, Case, Data, Level, Memory, Order, PositionOrder, PositionSource, TableWidth};
use crate::numeric::{DType, Number};
use crate::positions::Layout;
use crate::spec::model::Pairing;
use crate::spec::suggest::choose;

/// Why a line is not a case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("in the case {token:?}: {why}")]
pub struct TokenError {
    /// The line, shortened.
    pub token: String,
    /// What is wrong with it.
    pub why: String,
}

const MEMORY: [(&str, Memory); 9] = [
    ("packed", Memory::Packed),
    ("padded", Memory::Padded),
    ("heads-first", Memory::HeadsFirst),
    ("spread", Memory::Spread),
    ("sliced", Memory::Sliced),
    ("guard-end", Memory::GuardEnd),
    ("guard-start", Memory::GuardStart),
    ("far-rows", Memory::FarRows),
    ("far-tokens", Memory::FarTokens),
];
const DATA: [(&str, Data); 12] = [
    ("uniform", Data::Uniform),
    ("mixed", Data::Mixed),
    ("first", Data::First),
    ("second", Data::Second),
    ("channel", Data::Channel),
    ("cancel", Data::Cancel),
    ("extremes", Data::Extremes),
    ("ties", Data::Ties),
    ("subnormal", Data::Subnormal),
    ("powers", Data::Powers),
    ("overflow", Data::Overflow),
    ("not-finite", Data::NotFinite),
];
const ALIAS: [(&str, Alias); 2] = [("out", Alias::Out), ("in", Alias::In)];

fn name_of<T: PartialEq>(all: &[(&'static str, T)], item: &T) -> &'static str {
    all.iter().find(|(_, i)| i == item).map_or("?", |(n, _)| n)
}

fn memory_name(memory: Memory) -> String {
    match memory {
        Memory::Each { q, k, out } => [q, k, out].map(|order| name_of(&Order::ALL, &order)).join("/"),
        memory => name_of(&MEMORY, &memory).to_owned(),
    }
}

fn memory(key: &str, value: &str) -> Result<Memory, String> {
    let orders: Vec<&str> = value.split('/').collect();
    if orders.len() == 1 {
        return choose(key, value, &MEMORY);
    }
    let order = |name: &&str| choose(key, name, &Order::ALL);
    match orders.iter().map(order).collect::<Result<Vec<_>, _>>()?[..] {
        [q, k, out] => Ok(Memory::Each { q, k, out }),
        _ => Err(format!("{key}={value}: expected the orders of q, k and the outputs, Q/K/OUT")),
    }
}

/// The name of a pairing in reports, tokens and manifests.
#[must_use]
pub fn pairing_name(pairing: Pairing) -> &'static str {
    name_of(&Pairing::NAMES, &pairing)
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},scheme={},level={}", self.check, self.scheme, self.level)?;
        for (name, value) in &self.parameters {
            write!(f, ",param.{name}={value}")?;
        }
        write!(f, ",dtype={}", self.dtype.name())?;
        for (key, dtype) in [("k-dtype", self.k_dtype), ("output-dtype", self.output_dtype)] {
            if dtype != BesideDtype::Storage {
                write!(f, ",{key}={}", name_of(&BesideDtype::ALL, &dtype))?;
            }
        }
        write!(f, ",pairing={}", pairing_name(self.pairing))?;
        let rows: Vec<String> = self.layouts.iter().map(|l| l.to_string().replace(' ', "+")).collect();
        write!(f, ",layout={}", rows.join("//"))?;
        if self.packed {
            f.write_str(",packed=true")?;
        }
        if let Some((start, count)) = self.window {
            write!(f, ",window={start}+{count}")?;
        }
        write!(f, "{},positions={}", self.place, self.position_dtype.name())?;
        if self.position_order != PositionOrder::Rows {
            write!(f, ",position-order={}", name_of(&PositionOrder::ALL, &self.position_order))?;
        }
        write!(f, ",heads={}/{}", self.q_heads, self.k_heads)?;
        write!(f, ",head-dim={}", self.head_dim)?;
        if let Some((dim, offset)) = self.rotary {
            write!(f, ",rotary={dim}+{offset}")?;
        }
        if let Some(scaling) = self.scaling {
            // The shortest decimal that is read back as this f64.
            write!(f, ",scaling={scaling}")?;
        }
        if self.per_head {
            f.write_str(",tables=per-head")?;
        }
        if self.table_dtype != BesideDtype::Storage {
            write!(f, ",table-dtype={}", name_of(&BesideDtype::ALL, &self.table_dtype))?;
        }
        if self.table_width != TableWidth::Half {
            write!(f, ",table-width={}", name_of(&TableWidth::ALL, &self.table_width))?;
        }
        if self.direction < 0 {
            f.write_str(",direction=-1")?;
        }
        write!(f, ",memory={},alias={}", memory_name(self.memory), name_of(&ALIAS, &self.alias))?;
        write!(f, ",data={},seed={:x}", name_of(&DATA, &self.data), self.seed)?;
        self.spec.map_or(Ok(()), |spec| write!(f, ",spec={spec:08x}"))
    }
}

impl FromStr for Case {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Case, TokenError> {
        parse(text).map_err(|why| TokenError { token: text.chars().take(200).collect(), why })
    }
}

fn number<T: FromStr>(key: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{key}={value}: expected an integer in range"))
}

fn two<T: FromStr>(key: &str, value: &str, separator: &str) -> Result<(T, T), String> {
    let (a, b) = value.split_once(separator).ok_or_else(|| format!("{key}={value}: expected A{separator}B"))?;
    Ok((number(key, a)?, number(key, b)?))
}

fn place(key: &str, value: &str) -> Result<PositionSource, String> {
    let place = match key {
        "shift" => PositionSource::Layout { shift: number(key, value)? },
        "fractions" => {
            let (range, parts) =
                value.split_once('/').ok_or_else(|| format!("{key}={value}: expected LOW..HIGH/PARTS"))?;
            let (low, high) = two(key, range, "..")?;
            PositionSource::Fractions { low, high, parts: number(key, parts)? }
        }
        _ => {
            if key == "octaves" {
                let (range, rest) = value
                    .split_once('@')
                    .ok_or_else(|| format!("{key}={value}: expected LOW..HIGH@TURN or LOW..HIGH@TURN/AXIS"))?;
                let (low, high) = two(key, range, "..")?;
                let (turn, axis) = match rest.split_once('/') {
                    Some((turn, axis)) => (turn, Some(number(key, axis)?)),
                    None => (rest, None),
                };
                let place = PositionSource::Octaves { low, high, turn: number(key, turn)?, axis };
                return place.check().map(|()| place);
            }
            let (low, high) = two(key, value, "..")?;
            match key {
                "random" => PositionSource::Random { low, high },
                "span" => PositionSource::Span { low, high },
                _ => PositionSource::QuarterTurns { low, high },
            }
        }
    };
    place.check()?;
    Ok(place)
}

fn parse(text: &str) -> Result<Case, String> {
    const MAX_BYTES: usize = 1 << 16;
    if text.len() > MAX_BYTES {
        return Err(format!("it has {} bytes, more than {MAX_BYTES}", text.len()));
    }
    let mut parts = text.split(',');
    let check = parts.next().unwrap_or_default().to_owned();
    let mut case = Case {
        check,
        scheme: String::new(),
        parameters: Vec::new(),
        level: Level::Rotate,
        dtype: DType::F32,
        k_dtype: BesideDtype::Storage,
        output_dtype: BesideDtype::Storage,
        pairing: Pairing::Half,
        layouts: Vec::new(),
        packed: false,
        window: None,
        place: PositionSource::Layout { shift: 0 },
        position_dtype: DType::I64,
        position_order: PositionOrder::Rows,
        q_heads: 1,
        k_heads: 1,
        head_dim: 0,
        rotary: None,
        scaling: None,
        per_head: false,
        table_dtype: BesideDtype::Storage,
        table_width: TableWidth::Half,
        direction: 1,
        memory: Memory::Packed,
        alias: Alias::Out,
        data: Data::Uniform,
        seed: 0,
        spec: None,
    };
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut placed = false;
    for part in parts {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("{part:?}: expected key=value"))?;
        if !seen.insert(key) {
            return Err(format!("{key} is given twice"));
        }
        let float = |d: Option<DType>| {
            d.filter(|d| matches!(d, DType::F32 | DType::F16 | DType::BF16))
                .ok_or_else(|| format!("{key}={value}: expected f32, f16 or bf16"))
        };
        match key {
            "scheme" => value.clone_into(&mut case.scheme),
            "level" => case.level = choose(key, value, &Level::ALL.map(|l| (l.name(), l)))?,
            "dtype" => case.dtype = float(DType::parse(value))?,
            "k-dtype" => case.k_dtype = choose(key, value, &BesideDtype::ALL)?,
            "output-dtype" => case.output_dtype = choose(key, value, &BesideDtype::ALL)?,
            "pairing" => case.pairing = choose(key, value, &Pairing::NAMES)?,
            "layout" => {
                case.layouts = value
                    .split("//")
                    // Among packed sequences one may be empty.
                    .map(|row| if row.is_empty() { Ok(Layout::default()) } else { Layout::parse(row) })
                    .map(|row| row.map_err(|e| format!("layout: {e}")))
                    .collect::<Result<_, _>>()?;
            }
            "packed" => case.packed = choose(key, value, &[("true", true), ("false", false)])?,
            "window" => case.window = Some(two(key, value, "+")?),
            "shift" | "random" | "octaves" | "span" | "fractions" | "quarter-turns" => {
                if placed {
                    return Err(format!("{key}: the place of the tokens is given twice"));
                }
                placed = true;
                case.place = place(key, value)?;
            }
            "positions" => {
                case.position_dtype =
                    DType::parse(value).ok_or_else(|| format!("positions={value}: expected i32, i64, f32 or f64"))?;
            }
            "position-order" => case.position_order = choose(key, value, &PositionOrder::ALL)?,
            "heads" => (case.q_heads, case.k_heads) = two(key, value, "/")?,
            "head-dim" => case.head_dim = number(key, value)?,
            "rotary" => case.rotary = Some(two(key, value, "+")?),
            "scaling" => {
                let factor: f64 = value.parse().map_err(|_| format!("{key}={value}: expected a number"))?;
                if !(factor.is_finite() && factor > 0.0) {
                    return Err(format!("{key}={value}: expected a positive number"));
                }
                case.scaling = Some(factor);
            }
            "tables" => case.per_head = choose(key, value, &[("shared", false), ("per-head", true)])?,
            "table-dtype" => case.table_dtype = choose(key, value, &BesideDtype::ALL)?,
            "table-width" => case.table_width = choose(key, value, &TableWidth::ALL)?,
            "direction" => case.direction = choose(key, value, &[("1", 1), ("-1", -1)])?,
            "memory" => case.memory = memory(key, value)?,
            "alias" => case.alias = choose(key, value, &ALIAS)?,
            "data" => case.data = choose(key, value, &DATA)?,
            "seed" => {
                case.seed = u64::from_str_radix(value, 16).map_err(|_| format!("seed={value}: expected hex digits"))?;
            }
            "spec" => {
                let hash =
                    Some(value).filter(|text| text.len() == 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit()));
                let hash = hash.and_then(|text| u32::from_str_radix(text, 16).ok());
                case.spec = Some(hash.ok_or_else(|| format!("spec={value}: expected 8 hex digits"))?);
            }
            _ => match key.strip_prefix("param.") {
                Some(name) => {
                    let value = Number::parse(value).map_err(|e| format!("{key}={value}: {e}"))?;
                    case.parameters.push((name.to_owned(), value));
                }
                None => return Err(format!("unknown key {key:?}")),
            },
        }
    }
    if case.scheme.is_empty() || case.layouts.is_empty() {
        return Err("it must name at least a scheme and a layout".into());
    }
    if case.layouts.iter().all(|l| l.tokens() == 0) || !case.packed && case.layouts.iter().any(|l| l.tokens() == 0) {
        return Err("layout: it has no tokens; only one of several packed sequences may be empty".into());
    }
    if !case.packed && case.layouts.iter().any(|l| l.tokens() != case.layouts[0].tokens()) {
        return Err("all rows of a batch must have the same number of tokens".into());
    }
    if case.level != Level::Positions && (case.head_dim == 0 || case.q_heads == 0) {
        return Err("head-dim and the number of query heads must not be 0".into());
    }
    Ok(case)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "accuracy,scheme=videorope@paper,level=rotate,param.delta=0.5,dtype=bf16,pairing=adjacent,\
        layout=text:2+video:2x1x2//text:6,window=1+3,shift=-7,positions=f32,position-order=axes-last,heads=28/4,head-dim=128,rotary=64+32,\
        table-dtype=f32,table-width=full,direction=-1,memory=padded,alias=in,data=mixed,seed=1f,spec=00c0ffee";

    #[test]
    fn a_case_comes_back_from_its_line() {
        let case: Case = LINE.parse().unwrap();
        assert_eq!(case.to_string(), LINE);
        assert_eq!((case.q_heads, case.k_heads, case.rotary), (28, 4, Some((64, 32))));
    }

    #[test]
    fn every_place_kind_of_data_and_scaling_comes_back() {
        let start = "accuracy,scheme=rope@default,level=rotate,dtype=f32,pairing=half,layout=text:4";
        let middle = "positions=f64,heads=1/0,head-dim=16";
        for place in [
            "",
            ",shift=2147483000",
            ",random=-5..5",
            ",octaves=-7..9@40",
            ",octaves=7..9@0/1",
            ",span=-2147483647..2147483647",
            ",fractions=-2047..2047/1024",
            ",quarter-turns=1..2147483647",
        ] {
            for scaling in ["", ",scaling=1.138629436111989", ",scaling=0.5"] {
                for (data, _) in DATA {
                    let line = format!("{start}{place},{middle}{scaling},memory=packed,alias=out,data={data},seed=7");
                    assert_eq!(line.parse::<Case>().map(|c| c.to_string()).as_deref(), Ok(line.as_str()));
                }
            }
        }
    }

    #[test]
    fn every_kind_of_memory_has_a_name() {
        for (name, memory) in MEMORY {
            let line = LINE.replace("memory=padded", &format!("memory={name}"));
            let case: Case = line.parse().unwrap();
            assert_eq!((case.memory, case.to_string()), (memory, line));
        }
        let line = LINE.replace("memory=padded", "memory=heads-first/spread/tokens-first");
        let case: Case = line.parse().unwrap();
        let memory = Memory::Each { q: Order::HeadsFirst, k: Order::Spread, out: Order::TokensFirst };
        assert_eq!((case.memory, case.to_string()), (memory, line));
    }

    #[test]
    fn a_packed_sequence_may_be_empty() {
        let line = "accuracy,scheme=rope@default,level=rotate,dtype=f32,pairing=half,layout=text:2////text:3,packed=true,\
                    positions=i64,heads=1/0,head-dim=16,memory=packed,alias=out,data=mixed,seed=7";
        let case: Case = line.parse().unwrap();
        assert_eq!(case.layouts.iter().map(Layout::tokens).collect::<Vec<_>>(), [2, 0, 3]);
        assert_eq!(case.to_string(), line);
        assert!(line.replace(",packed=true", "").parse::<Case>().is_err());
        assert!(line.replace("text:2////text:3", "//").parse::<Case>().is_err());
    }

    #[test]
    fn a_broken_line_says_where() {
        for (line, why) in [
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,shift=1,span=1..2", "given twice"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,span=2..1", "LOW <= HIGH"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,span=1", "expected A..B"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,quarter-turns=1..9007199254740993", "2^53"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,fractions=1..2", "LOW..HIGH/PARTS"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,fractions=1..2/1", "2 to"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,fractions=1..1/3", "LOW < HIGH"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,scaling=0", "positive"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,scaling=inf", "positive"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,scaling=x", "a number"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,direction=back", "one of 1, -1"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,spec=+1234567", "8 hex digits"),
            ("accuracy", "at least a scheme"),
            ("accuracy,scheme=rope,layout=text:0", "layout"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,dtype=f8", "f32, f16 or bf16"),
            ("accuracy,scheme=rope,layout=text:2,head-dim=4,seed=1,seed=2", "twice"),
            ("accuracy,scheme=rope,layout=text:2//text:3,head-dim=4", "same number"),
            ("accuracy,scheme=rope,layout=text:2,colour=red,head-dim=4", "unknown key"),
        ] {
            let error = line.parse::<Case>().unwrap_err().to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
