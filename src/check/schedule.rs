//! The cases of a check in one group, and how a check makes them.

use super::generator::Generator;
use super::heads::HeadPreset;
use crate::case::{Case, Level};
use crate::numeric::Rng;
use crate::positions::Layout;

/// The band of cases that are about no band of positions.
pub const NO_BAND: &str = "-";

/// A case with the part of the input space that it stands for.
#[derive(Debug, Clone)]
pub struct Planned {
    /// A position band such as `0..255`, or `-` for no band.
    pub band: String,
    /// The case.
    pub case: Case,
}

/// A part of the input space that a check would cover and cannot here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Which part.
    pub band: String,
    /// Why not.
    pub why: String,
}

/// The cases of one check in one group, and what they leave out.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// In the order in which they run.
    pub cases: Vec<Planned>,
    /// What is left out, and why.
    pub gaps: Vec<Gap>,
}

impl Schedule {
    /// No case, and why.
    #[must_use]
    pub fn nothing(why: impl Into<String>) -> Schedule {
        Schedule { cases: Vec::new(), gaps: vec![Gap { band: NO_BAND.into(), why: why.into() }] }
    }
}

/// Makes the schedule of one check in one group: heads from the generator, a random stream of the check's own.
pub struct Scheduler<'g> {
    /// What cases are made from.
    pub generator: &'g Generator<'g>,
    /// The check's random stream.
    pub rng: Rng,
    id: &'g str,
    heads: Vec<HeadPreset>,
    small: Round,
    wide: Round,
    begins_wide: bool,
    schedule: Schedule,
}

/// Heads that go round.
struct Round {
    heads: Vec<HeadPreset>,
    at: usize,
}

impl Round {
    fn next(&mut self) -> Option<HeadPreset> {
        let heads = self.heads.get(self.at.checked_rem(self.heads.len())?).cloned();
        self.at += 1;
        heads
    }
}

impl<'g> Scheduler<'g> {
    /// For the check of this id.
    #[must_use]
    pub fn new(generator: &'g Generator<'g>, id: &'g str) -> Self {
        // Level positions has no heads; a case must name some.
        let [heads, small, wide] = match generator.group.level {
            Level::Positions => [0; 3].map(|_| vec![HeadPreset::NONE]),
            _ => [generator.heads(), generator.small_heads(), generator.wide_heads()],
        };
        // Groups and seeds begin with different wide heads, so that all meet in some group.
        let mut places = generator.rng(id).fork(0x68_65_61_64_73);
        let small = Round { heads: small, at: 0 };
        let wide = Round { heads: wide, at: usize::try_from(places.below(1 << 16)).unwrap_or(0) };
        let (begins_wide, rng) = (places.one_in(2), generator.rng(id));
        Scheduler { generator, rng, id, heads, small, wide, begins_wide, schedule: Schedule::default() }
    }

    /// With such heads alone of which a part is rotated, where there are any.
    #[must_use]
    pub fn partial(mut self) -> Self {
        for heads in [&mut self.heads, &mut self.small.heads, &mut self.wide.heads] {
            if heads.iter().any(|h| h.rotary.is_some()) {
                heads.retain(|h| h.rotary.is_some());
            }
        }
        self
    }

    /// The next heads with few channels in all; no heads where none fit.
    pub fn small(&mut self) -> Option<HeadPreset> {
        self.small.next().or_else(|| self.wide.next())
    }

    /// The next group of wide heads; no heads where none fit.
    pub fn wide(&mut self) -> Option<HeadPreset> {
        self.wide.next().or_else(|| self.small.next())
    }

    /// Heads that fit the manifest and the scheme, the smallest first; a placeholder on level positions.
    #[must_use]
    pub fn heads(&self) -> Vec<HeadPreset> {
        self.heads.clone()
    }

    /// The smallest heads, and the last ones whose parameters are not the scheme's defaults (without any, the last): few of
    /// these where the manifest allows it. The last ones are those of models.
    #[must_use]
    pub fn smallest_and_last(&self) -> Vec<HeadPreset> {
        let Some((first, others)) = self.heads.split_first() else { return Vec::new() };
        let last = others.iter().rfind(|heads| self.changes_parameters(heads)).or(others.last());
        std::iter::once(first.clone()).chain(last.map(|heads| self.few(heads.clone()))).collect()
    }

    /// Whether a parameter has another value than the scheme's default.
    fn changes_parameters(&self, heads: &HeadPreset) -> bool {
        let parameters = &self.generator.scheme.parameters;
        let default = |name: &str| parameters.iter().find(|p| p.name == name).and_then(|p| p.default.constant());
        heads.parameters.iter().any(|(name, value)| default(name).is_some_and(|default| default != value))
    }

    /// The smallest heads, those of a model, and wide ones of which a part is rotated.
    pub fn probed(&mut self) -> Vec<HeadPreset> {
        let partial = (0..self.wide.heads.len()).filter_map(|_| self.wide.next()).find(|h| h.rotary.is_some());
        let mut probed = self.smallest_and_last();
        let partial = partial.map(|heads| self.few(heads)).filter(|heads| !probed.contains(heads));
        probed.extend(partial);
        probed
    }

    /// Two query heads and one key head of this kind, where they fit.
    fn few(&self, heads: HeadPreset) -> HeadPreset {
        let few = HeadPreset { q_heads: 2, k_heads: heads.k_heads.min(1), ..heads.clone() };
        if self.generator.fits(&few) { few } else { heads }
    }

    /// The next wide heads in every second turn, the next small ones in the others: turn 0 is either, by group and seed.
    pub fn turn(&mut self, turn: usize) -> Option<HeadPreset> {
        if turn.is_multiple_of(2) == self.begins_wide { self.wide() } else { self.small() }
    }

    /// Whether this group is one of so many, for cases that take long; each one is where the manifest makes fewer groups.
    pub fn one_group_in(&mut self, most: u64) -> bool {
        let g = self.generator;
        let schemes = g.library.all().filter(|scheme| g.level.takes(g.library, scheme)).count();
        let groups = schemes * g.manifest.dtypes.len() * g.manifest.pairings.len();
        self.rng.below(most) == 0 || (groups as u64) < most
    }

    /// A case with the next seed of the check's stream.
    pub fn case(&mut self, layouts: Vec<Layout>, heads: &HeadPreset) -> Case {
        let seed = self.rng.next_u64();
        self.generator.case(self.id, layouts, heads, seed)
    }

    /// Plans a case, on layouts that the manifest offers; where there are none like its own, says so.
    pub fn plan(&mut self, band: impl Into<String>, case: Case) {
        let band = band.into();
        match self.generator.inside(case) {
            Ok(case) => self.schedule.cases.push(Planned { band, case }),
            Err(why) => self.gap(&band, why),
        }
    }

    /// Plans a case of these layouts and heads, changed by `change`, in no band.
    pub fn add(&mut self, layouts: Vec<Layout>, heads: &HeadPreset, change: impl FnOnce(&mut Case)) {
        let mut case = self.case(layouts, heads);
        change(&mut case);
        self.plan(NO_BAND, case);
    }

    /// Plans a case for each layout in turn, on heads that go round; nothing where no heads fit.
    pub fn each_layout(&mut self, texts: &[&str], mut change: impl FnMut(&mut Case)) {
        let heads = self.heads();
        for (layout, preset) in layouts(texts).into_iter().zip(heads.iter().cycle()) {
            self.add(vec![layout], preset, &mut change);
        }
    }

    /// Plans a case for each layout that the manifest has tokens and positions for, on the smallest heads.
    pub fn each_offered(&mut self, texts: &[&str]) {
        let Some(heads) = self.heads().into_iter().next() else { return };
        let generator = self.generator;
        let adapted = layouts(texts).into_iter().filter_map(|layout| generator.adapted(&layout).ok());
        for layout in adapted.filter(|layout| generator.offers(layout)) {
            self.add(vec![layout], &heads, |_| {});
        }
    }

    /// Says that a band is left out, and why.
    pub fn gap(&mut self, band: &str, why: impl Into<String>) {
        let gap = Gap { band: band.into(), why: why.into() };
        if !self.schedule.gaps.contains(&gap) {
            self.schedule.gaps.push(gap);
        }
    }

    /// The schedule. Where no case was planned, and no gap says why, it is said why no heads fit.
    #[must_use]
    pub fn finish(mut self) -> Schedule {
        if self.schedule.cases.is_empty() && self.schedule.gaps.is_empty() && self.heads.is_empty() {
            let why = self.generator.why_no_heads();
            self.gap(NO_BAND, why);
        }
        self.schedule
    }
}

/// Layouts from their text.
#[must_use]
pub fn layouts(texts: &[&str]) -> Vec<Layout> {
    texts.iter().filter_map(|text| Layout::parse(text).ok()).collect()
}
