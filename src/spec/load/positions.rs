//! `positions:`, the formulas of text, images and videos.

use crate::spec::diagnostic::{Location, Sink, SpecError};
use crate::spec::expr::{self, Expr, Name, Names, Type};
use crate::spec::fields::{Fields, is_identifier};
use crate::spec::model::{Let, Running, Step, TextRule, Tier, VisualRule};
use crate::spec::yaml::{Key, Node};

use super::formula::{formula, number};
use super::offer::{KnownLet, OfferContext, is_reserved};

/// All position rules of a scheme.
pub(super) struct PositionRules {
    pub text: TextRule,
    pub image: Option<VisualRule>,
    pub video: VisualRule,
}

/// Reads `positions`. `head` is where a missing rule is reported if the scheme itself has no `positions`.
pub(super) fn load(node: &Node, context: &OfferContext<'_>, head: &Location, sink: &mut Sink) -> Option<PositionRules> {
    let mut fields = sink.take(Fields::new(node, "`positions`"))?;
    if node.location.file != head.file {
        fields.set_head(head.clone());
    }
    let text = sink.take(fields.required("text")).and_then(|node| text_rule(node, context, sink));
    let image = fields.optional("image").map(|node| visual_rule(node, context, "image", sink));
    let video = sink.take(fields.required("video")).and_then(|node| visual_rule(node, context, "video", sink));
    fields.finish(sink);
    let image = match image {
        None => None,
        Some(rule) => Some(rule?),
    };
    Some(PositionRules { text: text?, image, video: video? })
}

fn text_rule(node: &Node, context: &OfferContext<'_>, sink: &mut Sink) -> Option<TextRule> {
    let mut fields = sink.take(Fields::new(node, "`text`"))?;
    let axes = axis_formulas(&mut fields, context, |axis| context.text(axis), sink);
    let step = step(&mut fields, context, |axis| context.text_step(axis), sink);
    fields.finish(sink);
    Some(TextRule { axes: axes?, step: step? })
}

fn visual_rule(node: &Node, context: &OfferContext<'_>, place: &str, sink: &mut Sink) -> Option<VisualRule> {
    let place_quoted = format!("`{place}`");
    let mut fields = sink.take(Fields::new(node, &place_quoted))?;
    let before = sink.len();
    let lets = fields.optional("let").map_or(Vec::new(), |node| lets(node, context, place, sink));
    if sink.len() > before {
        // Formulas that use a broken `let` would only repeat the mistake.
        return None;
    }
    let known: Vec<KnownLet> = lets.iter().map(|one| KnownLet { name: one.name.clone(), tier: one.tier }).collect();
    let axes = axis_formulas(&mut fields, context, |axis| context.cell(axis, &known, place), sink);
    let step = step(&mut fields, context, |axis| context.visual_step(axis, &known, place), sink);
    fields.finish(sink);
    Some(VisualRule { lets, axes: axes?, step: step? })
}

/// One formula per axis: its own, or that of `every`.
fn axis_formulas<'a>(
    fields: &mut Fields<'a>,
    context: &OfferContext<'a>,
    names: impl Fn(Option<usize>) -> Names,
    sink: &mut Sink,
) -> Option<Vec<Expr>> {
    let every = fields.optional("every");
    let mut formulas = Vec::new();
    for (at, axis) in context.axes.iter().enumerate() {
        match fields.optional(axis).or(every) {
            Some(node) => formulas.extend(sink.take(number(node, &names(Some(at))))),
            None => sink.push(fields.missing(axis).note("give each axis a formula, or one to `every`")),
        }
    }
    (formulas.len() == context.axes.len()).then_some(formulas)
}

/// `advance` or `next`, one formula, or one per axis where each axis has its own running position.
fn step<'a>(
    fields: &mut Fields<'a>,
    context: &OfferContext<'a>,
    names: impl Fn(Option<usize>) -> Names,
    sink: &mut Sink,
) -> Option<Step> {
    let advance = fields.entry("advance");
    let next = fields.entry("next");
    let (node, advances) = match (advance, next) {
        (Some((_, node)), None) => (node, true),
        (None, Some((_, node))) => (node, false),
        (None, None) => {
            sink.push(fields.missing("advance").note("or `next`, the position that follows"));
            return None;
        }
        (Some(_), Some((key, _))) => {
            sink.push(SpecError::new(&key.location, "expected `advance` or `next`, found both"));
            return None;
        }
    };
    let formulas = match context.running {
        Running::Shared => vec![sink.take(number(node, &names(None)))?],
        Running::PerAxis if node.map("").is_err() => {
            let all = (0..context.axes.len()).map(|axis| number(node, &names(Some(axis))));
            sink.take(all.collect::<Result<Vec<_>, _>>())?
        }
        Running::PerAxis => {
            let mut fields = sink.take(Fields::new(node, "the advance"))?;
            let formulas = axis_formulas(&mut fields, context, names, sink);
            fields.finish(sink);
            formulas?
        }
    };
    Some(if advances { Step::Advance(formulas) } else { Step::Next(formulas) })
}

/// The lets of a rule, sorted so that each uses only earlier ones.
fn lets(node: &Node, context: &OfferContext<'_>, place: &str, sink: &mut Sink) -> Vec<Let> {
    let Some(entries) = sink.take(node.map("`let`")) else { return Vec::new() };
    for (key, node) in entries {
        sink.take(check_let_name(key, context));
        sink.take(node.text("a formula"));
    }
    let Some(order) = sink.take(sorted(entries)) else { return Vec::new() };
    let mut lets: Vec<Let> = Vec::new();
    let mut known: Vec<KnownLet> = Vec::new();
    for at in order {
        let (key, node) = &entries[at];
        let names = context.cell(None, &known, place);
        let Some(formula) = sink.take(formula(node, &names, Type::Number)) else { continue };
        let tier = tier(&formula, &lets);
        known.push(KnownLet { name: key.text.clone(), tier });
        lets.push(Let { name: key.text.clone(), formula, tier });
    }
    lets
}

fn check_let_name(key: &Key, context: &OfferContext<'_>) -> Result<(), SpecError> {
    let name = key.text.as_str();
    let taken = if !is_identifier(name) {
        return Err(SpecError::new(
            &key.location,
            format!("expected a name (letters, digits and `_`), found `{name}`"),
        ));
    } else if is_reserved(name) {
        "formulas use that name for something else"
    } else if context.parameters.iter().any(|parameter| parameter.name == name) {
        "a parameter is called so"
    } else if context.axis(name).is_some() {
        "an axis is called so"
    } else {
        return Ok(());
    };
    Err(SpecError::new(&key.location, format!("a `let` cannot be called `{name}`: {taken}")))
}

/// An order in which each let uses only earlier ones; as in the file where that is one.
fn sorted(entries: &[(Key, Node)]) -> Result<Vec<usize>, SpecError> {
    const NEW: u8 = 0;
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    fn visit(
        at: usize,
        entries: &[(Key, Node)],
        uses: &[Vec<usize>],
        state: &mut [u8],
        path: &mut Vec<usize>,
        order: &mut Vec<usize>,
    ) -> Result<(), SpecError> {
        if state[at] == DONE {
            return Ok(());
        }
        path.push(at);
        if state[at] == OPEN {
            let first = path.iter().position(|other| *other == at).unwrap_or(0);
            let names: Vec<&str> = path[first..].iter().map(|at| entries[*at].0.text.as_str()).collect();
            let key = &entries[at].0;
            return Err(SpecError::new(&key.location, format!("`{}` depends on itself", key.text))
                .note(format!("{} (each uses the one after it)", names.join(" -> "))));
        }
        state[at] = OPEN;
        for other in &uses[at] {
            visit(*other, entries, uses, state, path, order)?;
        }
        path.pop();
        state[at] = DONE;
        order.push(at);
        Ok(())
    }
    if entries.len() > 100 {
        return Err(SpecError::new(&entries[100].0.location, "a rule may have 100 lets, this one has more"));
    }
    let uses: Vec<Vec<usize>> = entries
        .iter()
        .map(|(_, node)| {
            let words = node.text("a formula").map(expr::words).unwrap_or_default();
            let find = |word: &&str| entries.iter().position(|(key, _)| key.text == *word);
            words.iter().filter_map(find).collect()
        })
        .collect();
    let mut state = vec![NEW; entries.len()];
    let mut order = Vec::with_capacity(entries.len());
    for at in 0..entries.len() {
        visit(at, entries, &uses, &mut state, &mut Vec::new(), &mut order)?;
    }
    Ok(order)
}

/// How often a let must be evaluated. What stands inside a fold over cells does not count.
fn tier(formula: &Expr, lets: &[Let]) -> Tier {
    let of = |name: &Name| match name {
        Name::CellH | Name::CellW | Name::K | Name::Token => Tier::Cell,
        Name::CellT => Tier::Frame,
        Name::Let(at) => lets.get(*at).map_or(Tier::Cell, |one| one.tier),
        _ => Tier::Segment,
    };
    formula.outer_names().iter().map(of).max().unwrap_or(Tier::Segment)
}
