//! The one form in which a call is written for another process: docs/protocol.md. Offsets are bytes in the
//! arena, strides are elements.

use serde::{Deserialize, Serialize};

use crate::backend::Call;
use crate::case::Level;
use crate::case::call::{
    CosSinView, ParameterValue, PlanView, PositionView, QkView, SchemeRef, SegmentRef, TableView, TensorView,
};
use crate::numeric::DType;
use crate::spec::model::Pairing;

/// Where numbers lie in the arena.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct View {
    /// Type of an element.
    dtype: Element,
    /// Byte offset of the first element.
    offset: usize,
    /// Elements along each dimension.
    shape: Vec<usize>,
    /// Elements from one to the next along each dimension.
    strides: Vec<isize>,
}

/// What an element of a view is: a number of a storage type, or a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Element {
    U8,
    #[serde(untagged)]
    Number(DType),
}

const I64: Element = Element::Number(DType::I64);
const F64: Element = Element::Number(DType::F64);

/// A call, written out. What a level does not have is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::backend) struct WireCall {
    level: Level,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scheme: Option<WireScheme>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<WirePlan>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dims: Option<Dims>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    q: Option<View>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<View>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    q_out: Option<View>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k_out: Option<View>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cu_seqlens: Option<View>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    positions: Option<View>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<View>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cos: Option<View>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sin: Option<View>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cos_sin_cache: Option<View>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layouts: Option<Vec<Vec<WireSegment>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_start: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_count: Option<usize>,
}

/// Sizes that views repeat, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Dims {
    batch: usize,
    tokens: usize,
    q_heads: usize,
    k_heads: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct WireScheme {
    name: String,
    profile: String,
    axes: Vec<String>,
    parameters: Vec<WireParameter>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct WireParameter {
    name: String,
    value: f64,
    /// Numerator and denominator, where the exact value is a fraction of 64-bit integers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fraction: Option<[i64; 2]>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct WirePlan {
    pairing: Pairing,
    head_dim: usize,
    rotary_dim: usize,
    rotary_offset: usize,
    direction: i32,
    attention_scaling: f64,
    /// One row for all heads, or one for each query head and then each key head.
    axis_of_pair: View,
    inv_freq: View,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sections: Option<View>,
    interleaved: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct WireSegment {
    kind: Kind,
    /// T, H, W; left out for text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grid: Option<[i64; 3]>,
    tokens: i64,
    /// Seconds per frame, numerator and denominator.
    seconds: [i64; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Text,
    Image,
    Video,
}

/// Why a call that was read makes no sense.
type Wrong = String;

fn view(dtype: Element, offset: usize, shape: &[usize], strides: &[usize]) -> View {
    View { dtype, offset, shape: shape.to_vec(), strides: strides.iter().map(|one| one.cast_signed()).collect() }
}

impl View {
    fn tensor(v: &TensorView) -> View {
        let dtype = Element::Number(v.dtype);
        View { dtype, offset: v.offset, shape: v.shape.to_vec(), strides: v.stride.to_vec() }
    }

    fn dtype(&self) -> Result<DType, Wrong> {
        match self.dtype {
            Element::Number(dtype) => Ok(dtype),
            Element::U8 => Err("bytes where numbers are wanted".into()),
        }
    }

    fn exactly<const N: usize>(&self) -> Result<([usize; N], [usize; N]), Wrong> {
        let forward = |stride: &isize| usize::try_from(*stride).map_err(|_| format!("a stride of {stride}"));
        let strides = self.strides.iter().map(forward).collect::<Result<Vec<_>, _>>()?;
        Ok((array(&self.shape)?, array(&strides)?))
    }

    fn as_tensor(&self) -> Result<TensorView, Wrong> {
        let (shape, stride) = (array(&self.shape)?, array(&self.strides)?);
        Ok(TensorView { dtype: self.dtype()?, offset: self.offset, shape, stride })
    }

    fn as_positions(&self) -> Result<PositionView, Wrong> {
        let (_, stride) = self.exactly::<3>()?;
        Ok(PositionView { dtype: self.dtype()?, offset: self.offset, stride })
    }
}

fn array<T: Copy, const N: usize>(list: &[T]) -> Result<[T; N], Wrong> {
    list.try_into().map_err(|_| format!("a view of {N} dimensions"))
}

fn wanted<T>(part: Option<T>, name: &str) -> Result<T, Wrong> {
    part.ok_or_else(|| format!("{name} is missing"))
}

impl From<&SchemeRef> for WireScheme {
    fn from(scheme: &SchemeRef) -> WireScheme {
        let parameter = |p: &ParameterValue| WireParameter {
            name: p.name.clone(),
            value: p.value,
            fraction: (p.den != 0).then_some([p.num, p.den]),
        };
        WireScheme {
            name: scheme.scheme.clone(),
            profile: scheme.profile.clone(),
            axes: scheme.axes.clone(),
            parameters: scheme.parameters.iter().map(parameter).collect(),
        }
    }
}

impl From<WireScheme> for SchemeRef {
    fn from(scheme: WireScheme) -> SchemeRef {
        let parameter = |p: WireParameter| {
            let [num, den] = p.fraction.unwrap_or([0, 0]);
            ParameterValue { name: p.name, value: p.value, num, den }
        };
        SchemeRef {
            scheme: scheme.name,
            profile: scheme.profile,
            axes: scheme.axes,
            parameters: scheme.parameters.into_iter().map(parameter).collect(),
        }
    }
}

/// Heads that tables may have rows of.
fn heads(qk: &QkView) -> usize {
    qk.q_heads + qk.k_heads
}

impl WirePlan {
    fn of(plan: &PlanView, qk: &QkView) -> WirePlan {
        let pairs = plan.rotary_dim / 2;
        let table = |dtype: Element, t: &TableView| {
            let rows = if t.head_stride == 0 { 1 } else { heads(qk) };
            view(dtype, t.offset, &[rows, pairs], &[t.head_stride, 1])
        };
        WirePlan {
            pairing: plan.pairing,
            head_dim: plan.head_dim,
            rotary_dim: plan.rotary_dim,
            rotary_offset: plan.rotary_offset,
            direction: plan.direction,
            attention_scaling: plan.attention_scaling,
            axis_of_pair: table(Element::U8, &plan.axis_of_pair),
            inv_freq: table(F64, &plan.inv_freq),
            base: (!plan.base.is_nan()).then_some(plan.base),
            sections: plan.sections.map(|(offset, count)| view(I64, offset, &[count], &[1])),
            interleaved: plan.interleaved,
        }
    }

    fn read(self) -> Result<PlanView, Wrong> {
        let table =
            |v: &View| v.exactly::<2>().map(|(_, [head_stride, _])| TableView { offset: v.offset, head_stride });
        let list = |v: &View| v.exactly::<1>().map(|([count], _)| (v.offset, count));
        Ok(PlanView {
            pairing: self.pairing,
            head_dim: self.head_dim,
            rotary_dim: self.rotary_dim,
            rotary_offset: self.rotary_offset,
            direction: self.direction,
            attention_scaling: self.attention_scaling,
            axis_of_pair: table(&self.axis_of_pair)?,
            inv_freq: table(&self.inv_freq)?,
            base: self.base.unwrap_or(f64::NAN),
            sections: self.sections.as_ref().map(list).transpose()?,
            interleaved: self.interleaved,
        })
    }
}

fn segments(layouts: &[Vec<SegmentRef>]) -> Vec<Vec<WireSegment>> {
    let one = |s: &SegmentRef| WireSegment {
        kind: [Kind::Text, Kind::Image, Kind::Video][usize::try_from(s.kind).unwrap_or(0).min(2)],
        grid: (s.kind != 0).then_some(s.grid),
        tokens: s.tokens,
        seconds: s.seconds,
    };
    layouts.iter().map(|row| row.iter().map(one).collect()).collect()
}

fn read_segments(layouts: &[Vec<WireSegment>]) -> Vec<Vec<SegmentRef>> {
    let one = |s: &WireSegment| SegmentRef {
        kind: s.kind as i32,
        grid: s.grid.unwrap_or_default(),
        tokens: s.tokens,
        seconds: s.seconds,
    };
    layouts.iter().map(|row| row.iter().map(one).collect()).collect()
}

impl From<&Call> for WireCall {
    fn from(call: &Call) -> WireCall {
        let (plan, qk) = (call.plan(), call.qk());
        let mut wire = WireCall {
            level: call.level(),
            scheme: None,
            plan: plan.zip(qk).map(|(plan, qk)| WirePlan::of(plan, qk)),
            dims: qk.map(|qk| Dims { batch: qk.batch, tokens: qk.tokens, q_heads: qk.q_heads, k_heads: qk.k_heads }),
            q: qk.map(|qk| View::tensor(&qk.q)),
            k: qk.and_then(|qk| qk.k.as_ref()).map(View::tensor),
            q_out: qk.map(|qk| View::tensor(&qk.q_out)),
            k_out: qk.and_then(|qk| qk.k_out.as_ref()).map(View::tensor),
            cu_seqlens: qk.and_then(|qk| qk.sequences).map(|(offset, n)| view(I64, offset, &[n + 1], &[1])),
            positions: None,
            next: None,
            cos: None,
            sin: None,
            cos_sin_cache: None,
            layouts: None,
            token_start: None,
            token_count: None,
        };
        let positions = |v: &PositionView, [axes, batch, tokens]: [usize; 3]| {
            view(Element::Number(v.dtype), v.offset, &[axes, batch, tokens], &v.stride)
        };
        match call {
            Call::Positions { scheme, layouts, token_start, token_count, out, next } => {
                let (axes, batch) = (scheme.axes.len(), layouts.len());
                wire.scheme = Some(scheme.into());
                wire.layouts = Some(segments(layouts));
                (wire.token_start, wire.token_count) = (Some(*token_start), Some(*token_count));
                wire.positions = Some(positions(out, [axes, batch, *token_count]));
                wire.next = Some(positions(next, [axes, batch, 1]));
            }
            Call::Rotate { scheme, qk, positions: p, cos_sin, cache, .. } => {
                wire.positions = Some(positions(p, [scheme.axes.len(), qk.batch, qk.tokens]));
                wire.scheme = Some(scheme.into());
                if let Some(v) = cos_sin {
                    wire.given(v, qk);
                }
                let row = |v: &CosSinView, rows: usize| {
                    let width = plan.map_or(0, |plan| 2 * (plan.rotary_dim / 2));
                    view(Element::Number(v.dtype), v.cos, &[rows, width], &[v.stride[1], 1])
                };
                wire.cos_sin_cache = cache.as_ref().map(|(v, rows)| row(v, *rows));
            }
            Call::Fused { scheme, layouts, token_start, .. } => {
                wire.scheme = Some(scheme.into());
                wire.layouts = Some(segments(layouts));
                wire.token_start = Some(*token_start);
            }
            Call::Apply { qk, cos_sin, .. } => wire.given(cos_sin, qk),
        }
        wire
    }
}

impl WireCall {
    /// Cosines and sines of each token, [batch, tokens, pairs], or a number for each rotated channel where
    /// they are full.
    fn given(&mut self, v: &CosSinView, qk: &QkView) {
        let pairs = self.plan.as_ref().map_or(0, |plan| plan.rotary_dim / 2);
        let width = if v.full { 2 * pairs } else { pairs };
        let table = |offset| {
            view(Element::Number(v.dtype), offset, &[qk.batch, qk.tokens, width], &[v.stride[0], v.stride[1], 1])
        };
        (self.cos, self.sin) = (Some(table(v.cos)), Some(table(v.sin)));
    }

    /// The call that was written.
    ///
    /// # Errors
    /// What is missing or makes no sense.
    pub(in crate::backend) fn read(self) -> Result<Call, Wrong> {
        let plan = || self.plan.clone().map(WirePlan::read).transpose().and_then(|plan| wanted(plan, "plan"));
        let scheme = || wanted(self.scheme.clone().map(SchemeRef::from), "scheme");
        let qk = || {
            let dims = wanted(self.dims.as_ref(), "dims")?;
            let tensor = |v: &Option<View>| v.as_ref().map(View::as_tensor).transpose();
            let ends = |v: &View| {
                let ([ends], _) = v.exactly::<1>()?;
                Ok::<_, Wrong>((v.offset, ends.checked_sub(1).ok_or("cu_seqlens has no element")?))
            };
            Ok::<QkView, Wrong>(QkView {
                batch: dims.batch,
                tokens: dims.tokens,
                q_heads: dims.q_heads,
                k_heads: dims.k_heads,
                sequences: self.cu_seqlens.as_ref().map(ends).transpose()?,
                q: wanted(tensor(&self.q)?, "q")?,
                k: tensor(&self.k)?,
                q_out: wanted(tensor(&self.q_out)?, "q_out")?,
                k_out: tensor(&self.k_out)?,
            })
        };
        let layouts = || wanted(self.layouts.as_deref().map(read_segments), "layouts");
        let given = || -> Result<Option<CosSinView>, Wrong> {
            let (Some(cos), Some(sin)) = (&self.cos, &self.sin) else { return Ok(None) };
            let ([.., width], [batch, token, _]) = cos.exactly::<3>()?;
            let rotary = self.plan.as_ref().map_or(0, |plan| plan.rotary_dim);
            let full = width == 2 * (rotary / 2) && rotary > 0;
            let (dtype, stride) = (cos.dtype()?, [batch, token]);
            Ok(Some(CosSinView { dtype, cos: cos.offset, sin: sin.offset, stride, full }))
        };
        let positions = |v: &Option<View>, name| wanted(v.as_ref(), name).and_then(View::as_positions);
        match self.level {
            Level::Positions => Ok(Call::Positions {
                scheme: scheme()?,
                layouts: layouts()?,
                token_start: wanted(self.token_start, "token_start")?,
                token_count: wanted(self.token_count, "token_count")?,
                out: positions(&self.positions, "positions")?,
                next: positions(&self.next, "next")?,
            }),
            Level::Rotate => {
                let cache = |v: &View| {
                    let ([rows, width], [stride, _]) = v.exactly::<2>()?;
                    let dtype = v.dtype()?;
                    let sin = v.offset + dtype.size() * (width / 2);
                    Ok::<_, Wrong>((CosSinView { dtype, cos: v.offset, sin, stride: [0, stride], full: false }, rows))
                };
                Ok(Call::Rotate {
                    scheme: scheme()?,
                    plan: plan()?,
                    qk: qk()?,
                    positions: positions(&self.positions, "positions")?,
                    cos_sin: given()?,
                    cache: self.cos_sin_cache.as_ref().map(cache).transpose()?,
                })
            }
            Level::Fused => Ok(Call::Fused {
                scheme: scheme()?,
                plan: plan()?,
                qk: qk()?,
                layouts: layouts()?,
                token_start: wanted(self.token_start, "token_start")?,
            }),
            Level::Apply => Ok(Call::Apply { plan: plan()?, qk: qk()?, cos_sin: wanted(given()?, "cos and sin")? }),
        }
    }
}
