//! A backend that is right but for calls in a region.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Region;
use super::places::{Had, read};
use crate::backend::{Answer, Backend, Manifest, StartError};
use crate::case::call::Call;
use crate::case::octave;
use crate::numeric::DType;
use crate::spec::Library;

/// Passes calls on to a backend, and spoils what it answers in a region: of tensors every rotated channel becomes NaN,
/// positions are one too large; where the region is about tokens, those of its tokens.
pub struct Spoiled<'a> {
    inner: Box<dyn Backend + 'a>,
    region: Option<Arc<Region>>,
    library: &'a Library,
    /// Bytes of the arena of the next call.
    bytes: usize,
    /// The arena after a call that was spoiled.
    spoiled: Option<Vec<u8>>,
}

impl<'a> Spoiled<'a> {
    /// Of a backend that is right everywhere.
    #[must_use]
    pub fn new(inner: Box<dyn Backend + 'a>, library: &'a Library) -> Spoiled<'a> {
        Spoiled { inner, region: None, library, bytes: 0, spoiled: None }
    }

    /// Says where it is wrong from now on; `None`: nowhere.
    pub fn set(&mut self, region: Option<Arc<Region>>) {
        self.region = region;
    }
}

/// Writes a position.
fn put(memory: &mut [u8], dtype: DType, at: usize, value: f64) {
    let Some(bytes) = memory.get_mut(at..at + dtype.size()) else { return };
    match dtype {
        DType::I32 => bytes.copy_from_slice(&(value as i32).to_le_bytes()),
        DType::I64 => bytes.copy_from_slice(&(value as i64).to_le_bytes()),
        DType::F64 => bytes.copy_from_slice(&value.to_le_bytes()),
        _ => bytes.copy_from_slice(&(value as f32).to_le_bytes()),
    }
}

impl Region {
    /// Which tokens of a call are in it, by row and token; `None`: none.
    fn tokens(&self, call: &Call, had: &Had) -> Option<Vec<Vec<bool>>> {
        if !self.holds(&had.dimensions(call)) {
            return None;
        }
        let places = &had.places;
        let rows = places.first().map_or(0, Vec::len);
        if !self.is_about_tokens() {
            return Some(Vec::new());
        }
        // Tokens in the same octaves are in it or not together.
        let mut known: BTreeMap<Vec<i64>, bool> = BTreeMap::new();
        let mut one = |row: usize, token: usize| {
            let here: Vec<f64> = places.iter().map(|axis| axis[row][token]).collect();
            let octaves = here.iter().map(|position| octave(*position)).collect();
            *known.entry(octaves).or_insert_with(|| self.holds(&had.with_token(call, &here)))
        };
        let tokens = |row: usize| 0..places[0][row].len();
        Some((0..rows).map(|row| tokens(row).map(|token| one(row, token)).collect()).collect())
    }
}

impl Backend for Spoiled<'_> {
    fn manifest(&self) -> &Manifest {
        self.inner.manifest()
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        (self.bytes, self.spoiled) = (bytes, None);
        self.inner.arena(bytes)
    }

    fn call(&mut self, call: &Call) -> Answer {
        self.spoiled = None;
        let had = Had::of(call, self.inner.memory(), self.library);
        let answer = self.inner.call(call);
        let (Some(region), Answer::Ok) = (self.region.clone(), &answer) else { return answer };
        let Some(tokens) = region.tokens(call, &had) else { return answer };
        let hit = |row: usize, token: usize| tokens.get(row).is_none_or(|tokens| tokens.get(token) == Some(&true));
        let mut memory = self.inner.memory().get(..self.bytes).unwrap_or_default().to_vec();
        if let Call::Positions { scheme, layouts, token_count, out, .. } = call {
            let found = read(&memory, out, [scheme.axes.len(), layouts.len(), *token_count]);
            for (axis, rows) in found.iter().enumerate() {
                for (row, tokens) in rows.iter().enumerate() {
                    for (token, position) in tokens.iter().enumerate().filter(|(token, _)| hit(row, *token)) {
                        put(&mut memory, out.dtype, out.at(axis, row, token), position + 1.0);
                    }
                }
            }
        }
        if let (Some(qk), Some(plan)) = (call.qk(), call.plan()) {
            for view in [Some(qk.q_out), qk.k_out].into_iter().flatten() {
                let rows: Vec<_> = view.rows().map(|((row, token, head), _)| (row, token, head)).collect();
                for (row, token, head) in rows.into_iter().filter(|(row, token, _)| hit(*row, *token)) {
                    for channel in plan.rotary_offset..plan.rotary_offset + plan.rotary_dim {
                        let at = view.at(row, token, head, channel);
                        if let Some(bytes) = memory.get_mut(at..at + view.dtype.size()) {
                            // All bits set are a NaN in every type.
                            bytes.fill(0xff);
                        }
                    }
                }
            }
        }
        self.spoiled = Some(memory);
        answer
    }

    fn memory(&self) -> &[u8] {
        self.spoiled.as_deref().unwrap_or_else(|| self.inner.memory())
    }
}
