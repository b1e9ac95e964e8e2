//! A case as files: its inputs as tensors, and the rest of its call in words.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::index::{VectorCase, VectorPlan, VectorSegment, VectorTensor, file_name};
use super::recorded::Recorded;
use crate::backend::{Call, Manifest};
use crate::case::call::{CosSinView, PlanView, QkView, SegmentRef};
use crate::case::tensor_file::{ElementType, Stored, TensorFile};
use crate::case::{Case, Consume, Level, Prepared, pairing_name};
use crate::check::{Harness, Stop};
use crate::numeric::DType;
use crate::run::context::Context;
use crate::run::digest::token;
use crate::run::snapshot::{MOST_ELEMENTS, bits, elements, position_bits};

/// Largest arena of an exported case.
const MOST_BYTES: usize = 64 << 20;

/// A case as it is exported.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedCase {
    /// Its entry in the index.
    pub entry: VectorCase,
    /// The bytes of the file with its inputs; empty if it has none.
    pub inputs: Vec<u8>,
}

/// Makes files of cases for a manifest. The same case gives the same bytes.
pub struct Exporter<'a> {
    /// What the kernel takes.
    pub manifest: &'a Manifest,
    /// What judges.
    pub context: &'a Context<'a>,
}

impl Exporter<'_> {
    /// The files of a case.
    ///
    /// # Errors
    /// Why it cannot be exported, or asked for at all.
    pub fn case(&self, number: usize, id: &str, case: &Case) -> Result<ExportedCase, String> {
        let scheme = self.context.library.get(&case.scheme).map_err(|e| e.to_string())?;
        if elements(case, scheme.axes.len()) > MOST_ELEMENTS {
            return Err(format!("more than {MOST_ELEMENTS} elements"));
        }
        if self.consumes(case.level, Consume::CosSinCache) {
            return Err("tables by position (cos_sin_cache) are not exported".to_owned());
        }
        let mut backend = Recorded::new(self.manifest, None);
        let harness = self.context.harness(&mut backend);
        let prepared = harness.prepare(case).map_err(|stop| match stop {
            Stop::NotJudged(why) | Stop::Broken(why) => why,
            _ => "it cannot be asked for".to_owned(),
        })?;
        if prepared.sparse || prepared.bytes > MOST_BYTES {
            return Err("its memory is too large for a file".to_owned());
        }
        let tensors = self.inputs(case, &prepared);
        let file = TensorFile { metadata: String::new(), tensors };
        let inputs = if file.tensors.is_empty() { Vec::new() } else { file.write().map_err(|e| e.to_string())? };
        let inputs_sha256 = Sha256::digest(&inputs).iter().map(|byte| format!("{byte:02x}")).collect();
        let (layouts, token_start) = match &prepared.call {
            Call::Positions { layouts, token_start, .. } | Call::Fused { layouts, token_start, .. } => {
                (layouts.iter().map(|row| row.iter().map(segment).collect()).collect(), *token_start)
            }
            Call::Rotate { .. } | Call::Apply { .. } => (Vec::new(), 0),
        };
        let parameters = match &prepared.call {
            Call::Positions { scheme, .. } | Call::Rotate { scheme, .. } | Call::Fused { scheme, .. } => {
                scheme.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.value)).collect()
            }
            Call::Apply { .. } => BTreeMap::new(),
        };
        let entry = VectorCase {
            file: file_name(number),
            id: id.to_owned(),
            case: token(self.context.library, case),
            inputs_sha256,
            level: case.level.name().to_owned(),
            scheme: scheme.name.clone(),
            profile: scheme.profile.clone(),
            axes: scheme.axes.clone(),
            parameters,
            plan: prepared.call.plan().map(|plan| self.plan(case, plan, &prepared)),
            layouts,
            token_start,
            outputs: outputs(&prepared.call),
        };
        Ok(ExportedCase { entry, inputs })
    }

    fn consumes(&self, level: Level, what: Consume) -> bool {
        self.manifest.level(level).is_some_and(|level| level.consumes(what))
    }

    /// What the call is handed, by name.
    fn inputs(&self, case: &Case, prepared: &Prepared) -> BTreeMap<String, Stored> {
        let (q, k) = Harness::inputs(case, prepared);
        let mut memory = vec![0; prepared.bytes];
        prepared.write(&mut memory, &q, &k);
        let mut all = BTreeMap::new();
        let (Some(plan), Some(qk)) = (prepared.call.plan(), prepared.call.qk()) else { return all };
        let mut put = |name: &str, stored: Stored| _ = all.insert(name.to_owned(), stored);
        put("q", bits(&memory, &qk.q));
        if let Some(k) = &qk.k {
            put("k", bits(&memory, k));
        }
        if let Some((at, sequences)) = qk.sequences {
            put("cu_seqlens", table(&memory, at, 8 * (sequences + 1), DType::I64, vec![sequences + 1]));
        }
        if self.consumes(case.level, Consume::AxisOfPair) {
            put("axis_of_pair", pairs(&memory, plan, qk, ElementType::U8));
        }
        if self.consumes(case.level, Consume::InvFreq) {
            put("inv_freq", pairs(&memory, plan, qk, ElementType::Number(DType::F64)));
        }
        let cos_sin = match &prepared.call {
            Call::Rotate { scheme, positions, cos_sin, .. } => {
                if self.consumes(case.level, Consume::Positions) {
                    let shape = [scheme.axes.len(), qk.batch, qk.tokens];
                    put("positions", position_bits(&memory, positions, shape));
                }
                cos_sin.as_ref()
            }
            Call::Apply { cos_sin, .. } => Some(cos_sin),
            Call::Positions { .. } | Call::Fused { .. } => None,
        };
        if let Some(view) = cos_sin.filter(|_| self.consumes(case.level, Consume::CosSin)) {
            put("cos", angles(&memory, plan, qk, view, view.cos));
            put("sin", angles(&memory, plan, qk, view, view.sin));
        }
        all
    }

    fn plan(&self, case: &Case, plan: &PlanView, prepared: &Prepared) -> VectorPlan {
        let given = prepared.truth.as_ref().and_then(|truth| truth.plan.sections.clone());
        VectorPlan {
            pairing: pairing_name(plan.pairing).to_owned(),
            head_dim: plan.head_dim,
            rotary_dim: plan.rotary_dim,
            rotary_offset: plan.rotary_offset,
            direction: plan.direction,
            attention_scaling: plan.attention_scaling,
            base: Some(plan.base).filter(|base| !base.is_nan()),
            sections: given.filter(|_| self.consumes(case.level, Consume::Sections)),
            interleaved: plan.interleaved,
        }
    }
}

fn table(memory: &[u8], at: usize, bytes: usize, dtype: DType, shape: Vec<usize>) -> Stored {
    Stored { kind: ElementType::Number(dtype), shape, bytes: memory[at..at + bytes].to_vec() }
}

/// A table of the plan: [pairs], or [heads, pairs] where it differs per head.
fn pairs(memory: &[u8], plan: &PlanView, qk: &QkView, kind: ElementType) -> Stored {
    let view = if kind == ElementType::U8 { plan.axis_of_pair } else { plan.inv_freq };
    let (pairs, size) = (plan.rotary_dim / 2, kind.size());
    let rows = if view.head_stride == 0 { 1 } else { qk.q_heads + qk.k_heads };
    let mut bytes = Vec::with_capacity(rows * pairs * size);
    for row in 0..rows {
        let at = view.offset + size * row * view.head_stride;
        bytes.extend_from_slice(&memory[at..at + size * pairs]);
    }
    Stored { kind, shape: if rows == 1 { vec![pairs] } else { vec![rows, pairs] }, bytes }
}

/// Cosines or sines: [batch, tokens, pairs], or twice as many where they are there for every channel.
fn angles(memory: &[u8], plan: &PlanView, qk: &QkView, view: &CosSinView, start: usize) -> Stored {
    let (size, width) = (view.dtype.size(), if view.full { plan.rotary_dim } else { plan.rotary_dim / 2 });
    let mut bytes = Vec::with_capacity(qk.batch * qk.tokens * width * size);
    for (b, t) in (0..qk.batch).flat_map(|b| (0..qk.tokens).map(move |t| (b, t))) {
        let at = start + size * (b * view.stride[0] + t * view.stride[1]);
        bytes.extend_from_slice(&memory[at..at + size * width]);
    }
    Stored { kind: ElementType::Number(view.dtype), shape: vec![qk.batch, qk.tokens, width], bytes }
}

fn segment(segment: &SegmentRef) -> VectorSegment {
    let kind = ["text", "image", "video"].get(usize::try_from(segment.kind).unwrap_or(0)).unwrap_or(&"text");
    VectorSegment { kind: (*kind).to_owned(), grid: segment.grid, tokens: segment.tokens, seconds: segment.seconds }
}

/// What a call gives back, by name.
fn outputs(call: &Call) -> BTreeMap<String, VectorTensor> {
    let mut all = BTreeMap::new();
    let mut put = |name: &str, dtype: DType, shape: &[usize]| {
        let dtype = ElementType::Number(dtype).name().to_owned();
        all.insert(name.to_owned(), VectorTensor { dtype, shape: shape.to_vec() });
    };
    if let Some(qk) = call.qk() {
        put("q", qk.q_out.dtype, &qk.q_out.shape);
        if let Some(k) = &qk.k_out {
            put("k", k.dtype, &k.shape);
        }
    }
    if let Call::Positions { scheme, layouts, token_count, out, next, .. } = call {
        put("positions", out.dtype, &[scheme.axes.len(), layouts.len(), *token_count]);
        put("next", next.dtype, &[scheme.axes.len(), layouts.len(), 1]);
    }
    all
}
