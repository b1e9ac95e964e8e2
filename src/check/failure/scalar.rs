//! Numbers of failures. JSON has neither NaN nor infinities, so they are words there.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::numeric::DType;

/// A number that may be NaN or infinite: a JSON number, or one of the words `NaN`, `infinity`, `-infinity`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scalar(pub f64);

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            finite if finite.is_finite() => serializer.serialize_f64(finite),
            nan if nan.is_nan() => serializer.serialize_str("NaN"),
            positive if positive > 0.0 => serializer.serialize_str("infinity"),
            _ => serializer.serialize_str("-infinity"),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Scalar(number)),
            Written::Word(word) => match word.as_str() {
                "NaN" => Ok(Scalar(f64::NAN)),
                "infinity" => Ok(Scalar(f64::INFINITY)),
                "-infinity" => Ok(Scalar(f64::NEG_INFINITY)),
                _ => Err(D::Error::custom(format!("expected a number, NaN or an infinity, found {word:?}"))),
            },
        }
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number, or a word where JSON has no number.",
            "oneOf": [{ "type": "number" }, { "enum": ["NaN", "infinity", "-infinity"] }],
        })
    }
}

/// What kind of value was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValueState {
    /// A finite number.
    Finite,
    /// An infinity.
    Infinite,
    /// A NaN that something wrote.
    Nan,
    /// The NaN that memory is filled with before a call: never written, or computed from such.
    Poison,
}

/// An element that a backend wrote, or did not.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Observed {
    /// As a number.
    pub value: Scalar,
    /// Its bits in the storage type, such as `0x3f80`; none for a NaN, whose payload is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<String>,
    /// What kind of value it is.
    pub state: ValueState,
}

impl Observed {
    /// An element of this type.
    #[must_use]
    pub fn of(dtype: DType, value: f64) -> Observed {
        let state = match value {
            poison if is_poison(dtype, poison) => ValueState::Poison,
            nan if nan.is_nan() => ValueState::Nan,
            infinite if infinite.is_infinite() => ValueState::Infinite,
            _ => ValueState::Finite,
        };
        let digits = 2 * dtype.size();
        let bits = (!value.is_nan()).then(|| format!("0x{:0digits$x}", dtype.encode(value)));
        Observed { value: Scalar(value), bits, state }
    }
}

/// Whether a value that was read from memory is the NaN of all ones that memory is filled with.
#[must_use]
pub fn is_poison(dtype: DType, value: f64) -> bool {
    // Reading keeps the bits of a NaN.
    value.to_bits() == dtype.decode(u64::MAX).to_bits()
}
