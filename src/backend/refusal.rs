//! Which heads a manifest offers, and why it offers no others.

use std::fmt;

use super::integers::Integers;
use super::manifest::Manifest;
use crate::case::{Consume, Level};
use crate::numeric::Number;
use crate::rotation::RotationPlan;
use crate::spec::model::Scheme;

/// What a manifest does not offer, in the order in which it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// A part of a head.
    Part,
    /// A factor on cosines and sines.
    Scaling,
    /// Tables that differ per head.
    PerHead,
    /// Another base.
    OtherBase,
    /// Frequencies that a base alone does not give.
    NoBase,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Part => {
                "a part of the head would be rotated that the manifest's partial_rotary, rotary_dims and \
                 rotary_offsets do not offer"
            }
            Refusal::Scaling => "the scheme scales attention, and the manifest's attention_scaling is false",
            Refusal::PerHead => "the scheme's axis map differs per head, and the manifest's per_head is false",
            Refusal::OtherBase => "the base is none of the manifest's bases",
            Refusal::NoBase => {
                "the level consumes base, and the scheme's frequencies are no powers of a base (a level that has them \
                 all the same names the scheme)"
            }
        })
    }
}

impl Manifest {
    /// Whether `rotary_dim` channels of a head of `head_dim` may be turned, from channel `rotary_offset` on.
    #[must_use]
    pub fn takes_part(&self, head_dim: u32, rotary_dim: u32, rotary_offset: u32) -> bool {
        let within = |offered: &Integers, value: u32| offered.allows(i64::from(value));
        rotary_dim == head_dim
            || self.partial_rotary
                && within(&self.rotary_dims, rotary_dim)
                && within(&self.rotary_offsets, rotary_offset)
    }

    /// The offered part of a head that is nearest to `width` channels from channel `offset` on; `None` if there is none.
    #[must_use]
    pub fn part_near(&self, head_dim: u32, width: u32, offset: u32) -> Option<(u32, u32)> {
        let near = |offered: &Integers, wish: u32, least: u32, most: u32| {
            let allowed = |n: &u32| n.is_multiple_of(least.max(1)) && offered.allows(i64::from(*n));
            (wish..=most).find(allowed).or_else(|| (least..=most.min(wish)).rev().find(allowed))
        };
        let width = near(&self.rotary_dims, width, 2, head_dim.checked_sub(1)?)?;
        let offset = near(&self.rotary_offsets, offset, 0, head_dim - width)?;
        self.takes_part(head_dim, width, offset).then_some((width, offset))
    }

    /// Whether a level is to find the frequencies of a scheme from the base alone: not where they are handed over, nor
    /// where the level names the scheme, whose formula it then knows.
    #[must_use]
    pub fn knows_a_base_alone(&self, level: Level, scheme: &Scheme) -> bool {
        self.level(level).is_some_and(|offer| offer.consumes(Consume::Base) && !offer.names(scheme))
            && !self.is_given_frequencies(level)
    }

    fn is_given_frequencies(&self, level: Level) -> bool {
        let given = [Consume::InvFreq, Consume::CosSin, Consume::CosSinCache];
        level == Level::Apply
            || self.level(level).is_some_and(|offer| given.into_iter().any(|what| offer.consumes(what)))
    }

    /// Why a level is not handed heads of `head_dim` channels that are turned as `plan` says, from channel `rotary_offset`
    /// on. `None` if it is.
    #[must_use]
    pub fn refuses(
        &self,
        level: Level,
        scheme: &Scheme,
        plan: &RotationPlan,
        (head_dim, rotary_offset): (u32, u32),
    ) -> Option<Refusal> {
        if !self.takes_part(head_dim, plan.rotary_dim, rotary_offset) {
            return Some(Refusal::Part);
        }
        if !self.attention_scaling && plan.attention_scaling != 1.0 {
            return Some(Refusal::Scaling);
        }
        if !self.per_head && plan.map_heads > 1 {
            return Some(Refusal::PerHead);
        }
        if self.is_given_frequencies(level) {
            return None;
        }
        // What makes its own frequencies makes them for some bases, whatever else the scheme does with its base.
        let base = plan.parameter("base");
        let is = |text: &String| Number::parse(text).ok().as_ref() == base;
        if base.is_some() && !self.bases.is_empty() && !self.bases.iter().any(is) {
            return Some(Refusal::OtherBase);
        }
        let consumed = self.level(level).is_some_and(|offer| offer.consumes(Consume::Base));
        let known = base.is_some() && !self.knows_a_base_alone(level, scheme);
        (consumed && plan.base.is_none() && !known).then_some(Refusal::NoBase)
    }
}
