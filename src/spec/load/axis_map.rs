//! `axis_map:` and `pairs:`. Every form becomes runs of consecutive pairs whose axes repeat.

use std::sync::Arc;

use crate::numeric::Number;
use crate::spec::diagnostic::{Sink, SpecError};
use crate::spec::expr::{Expr, Names, Type};
use crate::spec::fields::Fields;
use crate::spec::model::{AxisMap, HeadGroup, PairLimits, PairRun};
use crate::spec::yaml::{Node, Value};

use super::formula::number;
use super::offer::OfferContext;

/// Most runs of a map, and most groups of heads: each is tried at every width.
const MAX_PARTS: usize = 256;
const FORMS: [&str; 5] = ["cycle", "blocks", "sections", "list", "runs"];

/// Reads `axis_map`.
pub(super) fn load(node: &Node, context: &OfferContext<'_>, sink: &mut Sink) -> Option<AxisMap> {
    let Some(groups) = node.get("per_head") else {
        return sink.take(runs(node, context, "`axis_map`")).map(AxisMap::Shared);
    };
    let mut fields = sink.take(Fields::new(node, "`axis_map`"))?;
    fields.optional("per_head");
    fields.finish(sink);
    let items = sink.take(parts(groups, "groups of heads"))?;
    let groups: Vec<Option<HeadGroup>> = items.iter().map(|item| sink.take(group(item, context))).collect();
    let groups: Vec<HeadGroup> = groups.into_iter().collect::<Option<_>>()?;
    if groups.iter().filter(|group| group.heads.is_none()).count() > 1 {
        sink.push(node.error("only one group of heads can be the rest"));
        return None;
    }
    Some(AxisMap::PerHead(groups))
}

/// The elements of a list of parts.
fn parts<'a>(node: &'a Node, what: &str) -> Result<&'a [Node], SpecError> {
    let items = node.list(what)?;
    match items.get(MAX_PARTS) {
        Some(item) => Err(item.error(format!("an axis map may have {MAX_PARTS} {what}, this one has more"))),
        None => Ok(items),
    }
}

fn group(node: &Node, context: &OfferContext<'_>) -> Result<HeadGroup, SpecError> {
    let place = "a group of heads";
    let heads = Fields::new(node, place)?.required("heads")?;
    let heads = count(heads, &context.heads())?;
    Ok(HeadGroup { heads, runs: runs(node, context, place)? })
}

/// `rest`, or a formula.
fn count(node: &Node, names: &Names) -> Result<Option<Expr>, SpecError> {
    if node.text("a number of pairs, or `rest`")? == "rest" {
        return Ok(None);
    }
    number(node, names).map(Some)
}

fn runs(node: &Node, context: &OfferContext<'_>, place: &str) -> Result<Vec<PairRun>, SpecError> {
    if let Value::Scalar { .. } = node.value {
        return Ok(vec![PairRun { pairs: None, cycle: [axis(node, context)?].into() }]);
    }
    let names = context.plan("`axis_map`");
    let mut sink = Sink::default();
    let mut fields = Fields::new(node, place)?;
    if place != "`axis_map`" {
        fields.optional("heads");
    }
    let found: Vec<_> = FORMS.iter().filter_map(|form| fields.entry(form)).collect();
    if place == "`axis_map`" {
        fields.optional("per_head");
    } else if let (Some(one), true) = (fields.optional("axis"), found.is_empty()) {
        fields.finish(&mut sink);
        return sink.first().map_or(Ok(()), Err).and_then(|()| runs(one, context, place));
    }
    let head = fields.head();
    fields.finish(&mut sink);
    if let Some(error) = sink.first() {
        return Err(error);
    }
    let (key, form) = match found[..] {
        [one] => one,
        [] => return Err(SpecError::new(&head, format!("{place} needs one of {}", FORMS.join(" ")))),
        [_, (second, _), ..] => {
            return Err(SpecError::new(&second.location, format!("{place} can have one form, found another")));
        }
    };
    match key.text.as_str() {
        "cycle" => Ok(vec![PairRun { pairs: None, cycle: axes(form, context)? }]),
        "list" => {
            let cycle = axes(form, context)?;
            let pairs = formula(&cycle.len().to_string(), &names, form)?;
            Ok(vec![PairRun { pairs: Some(pairs), cycle }])
        }
        "blocks" => {
            let axes = axes(form, context)?;
            let equal = formula(&format!("floor(R/{})", axes.len()), &names, form)?;
            let run = |(at, axis): (usize, &Option<usize>)| PairRun {
                // The first takes what is left over.
                pairs: if at == 0 { None } else { Some(equal.clone()) },
                cycle: [*axis].into(),
            };
            Ok(axes.iter().enumerate().map(run).collect())
        }
        "sections" => {
            let entries = form.map("sections")?;
            let mut runs = Vec::with_capacity(entries.len());
            for (key, node) in entries {
                let axis = axis_named(&key.text, context).map_err(|error| at(error, &key.location))?;
                runs.push(PairRun { pairs: count(node, &names)?, cycle: [axis].into() });
            }
            one_rest(runs, form)
        }
        _ => {
            let items = parts(form, "runs")?;
            let runs: Result<Vec<PairRun>, SpecError> = items.iter().map(|item| run(item, context, &names)).collect();
            one_rest(runs?, form)
        }
    }
}

fn run(node: &Node, context: &OfferContext<'_>, names: &Names) -> Result<PairRun, SpecError> {
    let mut sink = Sink::default();
    let mut fields = Fields::new(node, "a run")?;
    let pairs = fields.required("pairs")?;
    let (cycle, one) = (fields.optional("cycle"), fields.optional("axis"));
    let missing = fields.missing("cycle").note("or `axis`, for a run on one axis");
    fields.finish(&mut sink);
    if let Some(error) = sink.first() {
        return Err(error);
    }
    let cycle = match (cycle, one) {
        (Some(node), None) => axes(node, context)?,
        (None, Some(node)) => [axis(node, context)?].into(),
        (None, None) => return Err(missing),
        (Some(_), Some(node)) => return Err(node.error("a run has a `cycle` or an `axis`, found both")),
    };
    Ok(PairRun { pairs: count(pairs, names)?, cycle })
}

fn one_rest(runs: Vec<PairRun>, node: &Node) -> Result<Vec<PairRun>, SpecError> {
    if runs.is_empty() {
        return Err(node.error("expected at least one run, found none"));
    }
    if runs.iter().filter(|run| run.pairs.is_none()).count() > 1 {
        return Err(node.error("only one run can be the rest"));
    }
    Ok(runs)
}

fn formula(text: &str, names: &Names, node: &Node) -> Result<Expr, SpecError> {
    Expr::parse(text, names, Type::Number).map_err(|error| node.error(error.message))
}

fn axes(node: &Node, context: &OfferContext<'_>) -> Result<Arc<[Option<usize>]>, SpecError> {
    let items = node.list("axes")?;
    if items.is_empty() {
        return Err(node.error("expected at least one axis, found none"));
    }
    items.iter().map(|item| axis(item, context)).collect()
}

fn axis(node: &Node, context: &OfferContext<'_>) -> Result<Option<usize>, SpecError> {
    axis_named(node.text("an axis")?, context).map_err(|error| at(error, &node.location))
}

fn at(error: SpecError, location: &crate::spec::diagnostic::Location) -> SpecError {
    SpecError { location: location.clone(), ..error }
}

/// Index of an axis, `None` for `none`. The error has no place yet.
fn axis_named(name: &str, context: &OfferContext<'_>) -> Result<Option<usize>, SpecError> {
    if name == "none" {
        return Ok(None);
    }
    context.axis(name).map(Some).ok_or_else(|| {
        SpecError::file("", format!("there is no axis `{name}`"))
            .suggest(name, context.axes.iter().map(String::as_str))
            .note(format!("axes: {} (or none)", context.axes.join(" ")))
    })
}

/// Reads `pairs`; a list of axes fixes the number of pairs by itself.
pub(super) fn limits(node: Option<&Node>, map: Option<&AxisMap>, sink: &mut Sink) -> PairLimits {
    let mut limits = PairLimits { min: 1, max: None, multiple_of: 1 };
    if let Some(AxisMap::Shared(runs)) = map
        && let [PairRun { pairs: Some(pairs), cycle }] = &runs[..]
        && pairs.constant().and_then(Number::to_i64) == i64::try_from(cycle.len()).ok()
    {
        limits = PairLimits { min: cycle.len(), max: Some(cycle.len()), multiple_of: 1 };
    }
    let Some(mut fields) = node.and_then(|node| sink.take(Fields::new(node, "`pairs`"))) else { return limits };
    let mut positive = |node: Option<&Node>, what: &str| {
        let node = node?;
        let value = sink.take(node.count(what))?;
        if value == 0 {
            sink.push(node.error(format!("expected {what} from 1, found 0")));
        }
        (value > 0).then_some(value)
    };
    limits.min = positive(fields.optional("min"), "`min`").unwrap_or(limits.min);
    limits.max = positive(fields.optional("max"), "`max`").or(limits.max);
    limits.multiple_of = positive(fields.optional("multiple_of"), "`multiple_of`").unwrap_or(1);
    fields.finish(sink);
    limits
}
