//! Layouts and scheme parameters of cases, as far as a manifest offers them (keys `layouts` and
//! `parameters`).

use super::generator::Generator;
use super::heads::HeadPreset;
use crate::backend::Manifest;
use crate::backend::layout_limits::LayoutLimits;
use crate::case::{Case, Level, PositionSource};
use crate::numeric::Number;
use crate::positions::{Layout, Segment};
use crate::rotation::{HeadShape, PlanCache};
use crate::spec::Parameters;
use crate::spec::model::Scheme;

/// Name and value of scheme parameters.
type Values = [(String, Number)];

/// What a manifest says of the layouts of a level's calls; `None` where they have none, and layouts are only
/// where positions come from.
pub(super) fn layout_limits(manifest: &Manifest, level: Level) -> Option<&LayoutLimits> {
    matches!(level, Level::Positions | Level::Fused).then_some(&manifest.layouts)
}

/// Why layouts are not offered on a level; `None` if they are.
pub(crate) fn layouts_refused(manifest: &Manifest, level: Level, layouts: &[Layout]) -> Option<String> {
    let limits = layout_limits(manifest, level)?;
    layouts.iter().find_map(|layout| limits.refusal(layout))
}

/// The layout, or text of as many tokens where it is not offered.
///
/// # Errors
/// Why neither is.
pub(crate) fn offered_or_text(manifest: &Manifest, level: Level, layout: Layout) -> Result<Layout, String> {
    let refused = |layout: &Layout| layouts_refused(manifest, level, std::slice::from_ref(layout));
    let Some(why) = refused(&layout) else { return Ok(layout) };
    let text = u32::try_from(layout.tokens()).ok().and_then(|n| Layout::new(vec![Segment::Text(n)]).ok());
    text.filter(|text| refused(text).is_none()).ok_or(why)
}

/// Why values of scheme parameters are not offered, with the heads of the call where it has some; `None` if
/// they are.
pub(crate) fn parameters_refused(
    manifest: &Manifest,
    scheme: &Scheme,
    plans: &PlanCache,
    given: &Values,
    heads: Option<HeadShape>,
) -> Option<String> {
    let offers = manifest.parameters.as_ref()?;
    // All that is known of a parameter: some defaults follow from the heads alone.
    let value = |given: &Values, name: &str| -> Option<Number> {
        let parameters = Parameters::resolve(scheme, given).ok()?;
        let known = parameters.get(scheme, name).cloned();
        known.or_else(|| plans.plan(scheme, &parameters, heads?).ok()?.parameter(name).cloned())
    };
    // Of the base the key bases speaks.
    let mut named = scheme.parameters.iter().map(|parameter| &parameter.name).filter(|name| *name != "base");
    named.find_map(|name| {
        let here = value(given, name)?;
        let offered = match offers.iter().find(|offer| offer.name == *name) {
            Some(offer) => offer.values.allow(&here),
            None if given.iter().all(|(other, _)| other != name) => true,
            None => {
                let others: Vec<_> = given.iter().filter(|(other, _)| other != name).cloned().collect();
                value(&others, name) == Some(here.clone())
            }
        };
        (!offered).then(|| format!("{name} = {here}, which the manifest's parameters do not offer"))
    })
}

impl Generator<'_> {
    /// What the manifest says of the layouts of this level's calls.
    pub(super) fn layout_limits(&self) -> Option<&LayoutLimits> {
        layout_limits(self.manifest, self.group.level)
    }

    /// The layout, or the nearest one that is offered.
    ///
    /// # Errors
    /// Why the layout is not offered, if nothing of it is.
    pub(super) fn adapted(&self, layout: &Layout) -> Result<Layout, String> {
        match self.layout_limits().and_then(|limits| Some((limits, limits.refusal(layout)?))) {
            Some((limits, why)) => limits.adapted(layout).ok_or(why),
            None => Ok(layout.clone()),
        }
    }

    /// The case on layouts that are offered.
    ///
    /// # Errors
    /// Why they are not, if there are none like them.
    pub(super) fn inside(&self, mut case: Case) -> Result<Case, String> {
        let refused = |case: &Case| layouts_refused(self.manifest, self.group.level, &case.layouts);
        let (Some(limits), Some(why)) = (self.layout_limits(), refused(&case)) else { return Ok(case) };
        let one = |layout: &Layout| if layout.tokens() == 0 { Some(Layout::default()) } else { limits.adapted(layout) };
        let Some(mut rows) = case.layouts.iter().map(one).collect::<Option<Vec<_>>>() else { return Err(why) };
        if !case.packed {
            // Rows of a batch have as many tokens.
            let most = rows.iter().map(Layout::tokens).max().unwrap_or(0);
            let filled: Option<Vec<_>> = rows.iter().map(|row| limits.filled(row, most)).collect();
            let Some(filled) = filled else { return Err(why) };
            rows = filled;
            case.window = case.window.map(|(start, count)| {
                let start = start.min(most.saturating_sub(1));
                (start, count.min(most - start))
            });
        }
        case.layouts = rows;
        Ok(case)
    }

    /// Parameters of every case: those of the user, and those whose default is not offered.
    pub(super) fn own_parameters(&self) -> Vec<(String, Number)> {
        let mut own = self.parameters.to_vec();
        for offer in self.manifest.parameters.iter().flatten() {
            let Some(parameter) = self.scheme.parameters.iter().find(|parameter| parameter.name == offer.name) else {
                continue;
            };
            let given = own.iter().any(|(name, _)| *name == offer.name);
            let default = Parameters::resolve(self.scheme, &own).ok();
            let default = default.as_ref().and_then(|all| all.get(self.scheme, &offer.name));
            if !given && default.is_some_and(|default| !offer.values.allow(default)) {
                own.extend(offer.values.tried(parameter).first().map(|value| (offer.name.clone(), value.clone())));
            }
        }
        own
    }

    /// Gives a case other values of the parameters that the manifest offers values of: `turn` walks through
    /// all of them, the default among them. A value that leaves the manifest's limits is not taken.
    pub(super) fn vary_parameters(&self, case: &mut Case, turn: usize) {
        let mut turn = turn;
        for offer in self.manifest.parameters.iter().flatten().filter(|_| self.group.level != Level::Apply) {
            let parameter = self.scheme.parameters.iter().find(|parameter| parameter.name == offer.name);
            let by_user = self.parameters.iter().any(|(name, _)| *name == offer.name);
            let Some(parameter) = parameter.filter(|_| !by_user) else { continue };
            let values = offer.values.tried(parameter);
            let at = turn % (values.len() + 1);
            turn /= values.len() + 1;
            // As it is: by default, or as a model has it.
            let Some(value) = at.checked_sub(1).and_then(|at| values.get(at)) else { continue };
            let before = case.parameters.clone();
            case.parameters.retain(|(name, _)| *name != offer.name);
            case.parameters.push((offer.name.clone(), value.clone()));
            if !self.takes(case) {
                case.parameters = before;
            }
        }
    }

    /// Whether the positions and the plan of a case lie inside the manifest with its own parameters.
    fn takes(&self, case: &Case) -> bool {
        let heads = HeadPreset {
            q_heads: case.q_heads,
            k_heads: case.k_heads,
            head_dim: case.head_dim,
            rotary: case.rotary,
            parameters: case.parameters.clone(),
        };
        let planned = self.group.level == Level::Positions || self.plan_fits(&heads);
        let Ok(parameters) = Parameters::resolve(self.scheme, &case.parameters) else { return false };
        let dtype = (self.group.level == Level::Positions).then_some(case.position_dtype);
        let placed = |layout: &Layout| match case.place {
            PositionSource::Layout { .. } if self.layout_limits().is_some() => {
                let (start, count) = case.window.unwrap_or((0, layout.tokens()));
                self.places_with(&parameters, layout, start..start.saturating_add(count), dtype)
            }
            PositionSource::Layout { shift } => {
                let (least, most) = self.limits();
                let inside = |(low, high): (i64, i64)| low + shift >= least && high + shift <= most;
                self.extent(case, layout).is_some_and(inside)
            }
            _ => true,
        };
        planned && case.layouts.iter().all(placed)
    }
}
