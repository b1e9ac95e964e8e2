//! Heads that a backend can be handed: small ones of every kind, and those of real models.

use super::generator::Generator;
use super::heads::HeadPreset;
use crate::backend::manifest::Integers;
use crate::case::Level;
use crate::numeric::Number;

/// Most presets of one group.
const MOST_PRESETS: usize = 12;

/// Most of these that are heads of models.
const MOST_MODELS: usize = 2;

/// Query heads, key heads, rotated channels, and the head (its width, and where they begin) that they are part of.
type Shape = (u32, u32, u32, Option<(u32, u32)>);

/// Small ones first; odd head counts, one key head for all, groups, no keys at all; widths of real models and on both sides
/// of vector widths.
const SHAPES: [Shape; 10] = [
    (3, 1, 32, None),
    (2, 2, 64, Some((96, 16))),
    (5, 5, 48, None),
    (4, 2, 128, None),
    (1, 0, 80, None),
    (3, 3, 120, None),
    (7, 1, 16, Some((128, 8))),
    (2, 1, 192, None),
    (6, 2, 96, None),
    (1, 1, 256, None),
];

/// Groups of query heads that share a key head, on heads as wide as those of models: whole ones, and ones whose rotated
/// channels lie at the start, inside, at an odd channel and at the end.
const WIDE: [Shape; 8] = [
    (4, 2, 128, None),
    (6, 2, 32, Some((128, 7))),
    (4, 2, 64, Some((160, 16))),
    (4, 2, 256, None),
    (4, 2, 64, Some((192, 128))),
    (6, 2, 128, None),
    (4, 2, 96, Some((128, 0))),
    (4, 2, 128, Some((256, 65))),
];

/// Small groups of heads, and as many heads as models have.
const GROUPS: [Shape; 2] = [(6, 2, 32, None), (32, 8, 8, None)];

/// Most key heads that are looked for, where a shape's own are not offered.
const MOST_SHARED: u32 = 1 << 12;

/// Bases of real models.
const BASES: [i64; 5] = [10_000, 500_000, 1_000_000, 5_000_000, 10_000_000];

impl Generator<'_> {
    /// Head presets that this backend can be handed, small ones first: at most `MOST_PRESETS`, the same in every dtype,
    /// because a compiled kernel is built per shape.
    #[must_use]
    pub fn heads(&self) -> Vec<HeadPreset> {
        let preset = |q_heads, k_heads, head_dim, rotary| HeadPreset {
            q_heads,
            k_heads,
            head_dim,
            rotary,
            parameters: Vec::new(),
        };
        let mut found: Vec<HeadPreset> = Vec::new();
        let bases = self.scheme.parameters.iter().any(|p| p.name == "base");
        for (index, shape) in SHAPES.into_iter().enumerate() {
            if let Some(heads) = self.shaped(shape, if bases { index } else { 0 })
                && !found.contains(&heads)
            {
                found.push(heads);
            }
        }
        let mut models: Vec<(bool, HeadPreset)> = Vec::new();
        for model in self.library.models_met(&[self.scheme]) {
            let of_this = model.scheme == self.scheme.name || model.scheme == self.scheme.id();
            if of_this || self.group.level == Level::Apply || bases && model.head_dim == 128 {
                let known = |(name, _): &&(String, Number)| self.scheme.parameters.iter().any(|p| p.name == *name);
                let parameters = model.parameters.iter().filter(known).cloned().collect();
                let shape = preset(narrow(model.q_heads), narrow(model.k_heads), narrow(model.head_dim), None);
                let heads = HeadPreset { parameters, ..shape };
                match models.iter_mut().find(|(_, other)| *other == heads) {
                    Some((own, _)) => *own |= of_this,
                    None if self.fits(&heads) => models.push((of_this, heads)),
                    None => {}
                }
            }
        }
        // Those of the scheme's own models first.
        models.sort_by_key(|(of_this, _)| !of_this);
        let chosen: Vec<HeadPreset> = models.into_iter().take(MOST_MODELS).map(|(_, heads)| heads).collect();
        found.truncate(MOST_PRESETS - chosen.len());
        found.extend(chosen.into_iter().filter(|h| !found.contains(h)).collect::<Vec<_>>());
        if found.is_empty() {
            // Whatever the manifest allows, smallest first, with each base it knows.
            let m = self.manifest;
            let smallest = |i: &Integers, floor| i.at_least(floor).and_then(|v| u32::try_from(v).ok());
            let bases: Vec<Vec<(String, Number)>> = if bases && !m.bases.is_empty() {
                m.bases.iter().filter_map(|b| Some(vec![("base".to_owned(), Number::parse(b).ok()?)])).collect()
            } else {
                vec![Vec::new()]
            };
            for floor in [8, 16, 32, 64, 2] {
                let (Some(q), Some(dim)) = (smallest(&m.q_heads, 1), smallest(&m.head_dims, floor)) else { continue };
                let Some(k) = self.key_heads(q) else { continue };
                for parameters in &bases {
                    let heads = HeadPreset { parameters: parameters.clone(), ..preset(q, k, dim, None) };
                    if found.len() < 4 && !found.contains(&heads) && self.fits(&heads) {
                        found.push(heads);
                    }
                }
            }
        }
        if found.is_empty() {
            found.extend(self.every_kind(false).find(|heads| self.fits(heads)));
        }
        found
    }

    /// The two smallest of [`Self::heads`], and small groups.
    #[must_use]
    pub fn small_heads(&self) -> Vec<HeadPreset> {
        let groups = GROUPS.into_iter().filter_map(|shape| self.grouped(shape));
        distinct(self.heads().into_iter().take(2).chain(groups))
    }

    /// Groups of wide heads, as near as the manifest allows them; [`Self::heads`] where it allows none.
    #[must_use]
    pub fn wide_heads(&self) -> Vec<HeadPreset> {
        let wide = distinct(WIDE.into_iter().filter_map(|shape| self.grouped(shape)));
        if wide.is_empty() { self.heads() } else { wide }
    }

    /// Query heads that share key heads, on a head as near to a shape as the manifest allows it.
    fn grouped(&self, (q, k, width, inside): Shape) -> Option<HeadPreset> {
        let m = self.manifest;
        let near = |i: &Integers, size: u32| {
            let size = i64::from(size);
            i.at_least(size).or_else(|| (1..size).rev().find(|n| i.allows(*n))).and_then(|n| u32::try_from(n).ok())
        };
        let q_heads = near(&m.q_heads, q)?;
        let shares = |k: &u32| q_heads.is_multiple_of(*k) && m.k_heads.allows(i64::from(*k));
        let k_heads = [k].into_iter().chain(2..q_heads).find(shares).or_else(|| self.key_heads(q_heads))?;
        let (asked, offset) = inside.unwrap_or((width, 0));
        let head_dim = near(&m.head_dims, asked)?;
        let at_end = offset > 0 && offset + width == asked;
        let part = |width, offset| m.part_near(head_dim, width, offset).map(Some);
        let rotary = |width: u32| match inside {
            None => (width == head_dim).then_some(None),
            Some(_) if width >= head_dim => None,
            Some(_) if at_end => part(width, head_dim - width),
            Some(_) => part(width, offset.min(head_dim - width)),
        };
        let widths = [width, head_dim, 128, 64, 32, 16, 8, 4, 2].into_iter().filter_map(rotary);
        let bases = m.bases.iter().filter_map(|b| Number::parse(b).ok()).map(|base| vec![("base".to_owned(), base)]);
        let parameters: Vec<_> = std::iter::once(Vec::new()).chain(bases).collect();
        let mut all = widths.flat_map(|rotary| parameters.iter().map(move |given| (rotary, given.clone())));
        let heads = |(rotary, parameters)| HeadPreset { q_heads, k_heads, head_dim, rotary, parameters };
        all.find_map(|found| Some(heads(found)).filter(|heads| self.fits(heads)))
    }

    /// The fewest key heads that the manifest allows with so many query heads, of such as share them out where
    /// there are any.
    pub(super) fn key_heads(&self, q_heads: u32) -> Option<u32> {
        let allowed = |k: &u32| self.manifest.k_heads.allows(i64::from(*k));
        let shared = (1..=q_heads.min(MOST_SHARED)).filter(|k| q_heads.is_multiple_of(*k)).find(allowed);
        let any = || self.manifest.k_heads.at_least(1).and_then(|k| u32::try_from(k).ok());
        shared.or(Some(0).filter(allowed)).or_else(any)
    }

    /// One of [`SHAPES`] as near as the manifest allows it, with a base of a real model (the default one for `turn` 0).
    fn shaped(&self, (q, k, width, inside): Shape, turn: usize) -> Option<HeadPreset> {
        let m = self.manifest;
        let allowed = |i: &Integers, floor: u32| i.at_least(i64::from(floor)).and_then(|v| u32::try_from(v).ok());
        let q_heads = allowed(&m.q_heads, q)?;
        // Key heads share out the query heads.
        let shares = |k: &u32| *k == 0 || q_heads.is_multiple_of(*k);
        let others = (2..q_heads.min(MOST_SHARED)).chain([0]);
        let mut counts = [k, 1, q_heads].into_iter().chain(others).filter(shares);
        let k_heads = counts.find(|k| m.k_heads.allows(i64::from(*k)))?;
        let mut widths = vec![(width, None)];
        if let Some((head_dim, offset)) = inside
            && let Some(part) = m.part_near(head_dim, width, offset)
        {
            widths.insert(0, (head_dim, Some(part)));
        }
        if let Some(head_dim) = allowed(&m.head_dims, width + 1) {
            widths.extend(m.part_near(head_dim, width, 0).map(|part| (head_dim, Some(part))));
        }
        let mut bases: Vec<Vec<(String, Number)>> = Vec::new();
        let base = |value: Number| vec![("base".to_owned(), value)];
        if turn > 0 {
            bases.push(base(Number::from_i64(BASES[turn % BASES.len()])));
            bases.extend(m.bases.iter().filter_map(|b| Number::parse(b).ok()).map(base));
        }
        bases.push(Vec::new());
        for (head_dim, rotary) in widths {
            for parameters in &bases {
                let heads = HeadPreset { q_heads, k_heads, head_dim, rotary, parameters: parameters.clone() };
                if self.fits(&heads) {
                    return Some(heads);
                }
            }
        }
        None
    }
}

/// Each once, in the order in which they come first.
fn distinct(heads: impl Iterator<Item = HeadPreset>) -> Vec<HeadPreset> {
    heads.fold(Vec::new(), |mut found, heads| {
        if !found.contains(&heads) {
            found.push(heads);
        }
        found
    })
}

fn narrow(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
