//! Reads `spec/faults/*.yaml`.

use std::sync::Arc;

use super::walk::{NAMES, OwnPairing};
use super::{EmulationChanges, Fault, IndexFault, Injection, Region, SourceEdits};
use crate::backend::emulated::Action;
use crate::case::Level;
use crate::numeric::DType;
use crate::spec::diagnostic::{Sink, SourceFile};
use crate::spec::expr::{self, Expr, Type};
use crate::spec::fields::{Fields, is_kebab};
use crate::spec::library::embedded_files;
use crate::spec::model::Pairing;
use crate::spec::yaml::{self, Key, Node};
use crate::spec::{SpecError, SpecErrors};

/// The built-in faults, file by file.
///
/// # Errors
/// Every mistake in `spec/faults`; a program that passes its tests has none.
pub fn catalogue() -> Result<Vec<Fault>, SpecErrors> {
    let mut all: Vec<Fault> = Vec::new();
    for file in embedded_files("faults") {
        for fault in read(&file)? {
            if all.iter().any(|other| other.id == fault.id) {
                return Err(SpecError::file(file.name.clone(), format!("there are two faults `{}`", fault.id)).into());
            }
            all.push(fault);
        }
    }
    Ok(all)
}

/// Reads one file of faults.
///
/// # Errors
/// Every mistake in it.
pub fn read(file: &Arc<SourceFile>) -> Result<Vec<Fault>, SpecErrors> {
    let root = yaml::parse(file)?;
    let mut sink = Sink::default();
    let mut fields = Fields::new(&root, "a file of faults")?;
    let class = fields.required_text("class", &mut sink);
    fields.required_text("about", &mut sink);
    let levels = sink.take(fields.required("levels").and_then(levels)).unwrap_or_default();
    let entries = sink.take(fields.required("faults").and_then(|node| node.map("faults"))).unwrap_or_default();
    fields.finish(&mut sink);
    let mut faults = Vec::with_capacity(entries.len());
    for (key, node) in entries {
        faults.extend(fault(key, node, &class, &levels, &mut sink));
    }
    sink.finish(Some(faults))
}

fn fault(key: &Key, node: &Node, class: &str, levels_of_file: &[Level], sink: &mut Sink) -> Option<Fault> {
    if !is_kebab(&key.text) {
        let message = format!("expected a name of lower-case letters, digits and `-`, found `{}`", key.text);
        sink.push(SpecError::new(&key.location, message));
    }
    let mut fields = sink.take(Fields::new(node, "a fault"))?;
    fields.set_head(key.location.clone());
    let doc = fields.required_text("doc", sink);
    let look = fields.required_text("look", sink);
    let bugs = sink.take(fields.required("bugs").and_then(|node| node.texts("a bug")));
    let schemes = sink.take(fields.required("schemes").and_then(|node| node.texts("a scheme")));
    let levels = fields.optional("levels").map_or(Ok(levels_of_file.to_vec()), levels);
    let levels = sink.take(levels);
    let contract = fields.optional("contract").map_or(Ok("fused/table"), |node| node.text("a contract"));
    let contract = sink.take(contract).unwrap_or_default().to_owned();
    let pairing = fields.optional("pairing").and_then(|node| sink.take(node.one_of("pairing", &Pairing::NAMES)));
    let dtypes = fields.optional("dtypes").map(dtypes).transpose();
    let dtypes = sink.take(dtypes)?;
    let why = fields.text("why", sink);
    if dtypes.is_some() && why.is_empty() {
        sink.push(fields.missing("why").note("a fault that does not exist in every dtype says why"));
    }
    let kills = fields.optional("kills").map_or(Ok(Vec::new()), |node| node.texts("a check"));
    let kills = sink.take(kills);
    let equal = fields.optional("equal").map(|node| node.text("a proof").map(str::to_owned)).transpose();
    let equal = sink.take(equal)?;
    let region = region(&mut fields, sink);
    let injection = injection(&mut fields, region.is_some(), sink);
    fields.finish(sink);
    Some(Fault {
        id: key.text.clone(),
        class: class.to_owned(),
        doc,
        look,
        bugs: bugs?,
        schemes: schemes?,
        levels: levels?,
        contract,
        pairing,
        dtypes: dtypes.unwrap_or_else(|| DType::STORAGE.to_vec()),
        why,
        kills: kills?,
        equal,
        region,
        injection: injection?,
    })
}

fn injection(fields: &mut Fields<'_>, in_region: bool, sink: &mut Sink) -> Option<Injection> {
    let scheme = fields.optional("scheme").cloned();
    let arithmetic = fields.optional("arithmetic").map_or(Ok(Vec::new()), words);
    let arithmetic = sink.take(arithmetic)?;
    let walk = fields.optional("walk").map(|node| walk(node, sink));
    let state = fields.optional("state").map_or(Ok(Vec::new()), words);
    let state = sink.take(state)?;
    let source = fields.optional("c").map(|node| edits(node, sink));
    let emulated = scheme.is_some() || !arithmetic.is_empty() || walk.is_some() || !state.is_empty();
    match source {
        Some(_) if emulated => {
            sink.push(fields.missing("c").note("a fault is either emulated or an edit of a C source"));
            None
        }
        Some(_) if in_region => {
            sink.push(fields.missing("where").note("an edit of a C source has its own condition"));
            None
        }
        Some(source) => Some(Injection::Source(source?)),
        None if emulated => {
            let walk = match walk {
                Some(walk) => Some(Arc::new(walk?)),
                None => None,
            };
            Some(Injection::Emulated(Box::new(EmulationChanges { scheme, arithmetic, walk, state })))
        }
        None => {
            let error =
                SpecError::new(&fields.head(), "a fault needs one of the keys scheme, arithmetic, walk, state, c");
            sink.push(error);
            None
        }
    }
}

/// The formula of `where`.
fn region(fields: &mut Fields<'_>, sink: &mut Sink) -> Option<Region> {
    let node = fields.optional("where")?;
    let text = sink.take(node.text("a formula"))?;
    let parsed = Region::parse(text).map_err(|error| SpecError {
        suggestion: error.suggestion,
        ..SpecError::new(&node.locate(error.span), error.message)
    });
    sink.take(parsed)
}

/// A map of words to words.
fn words(node: &Node) -> Result<Vec<(String, String)>, SpecError> {
    let entries = node.map("keys and values")?;
    entries.iter().map(|(key, node)| Ok((key.text.clone(), node.text("a value")?.to_owned()))).collect()
}

fn walk(node: &Node, sink: &mut Sink) -> Option<IndexFault> {
    let mut fields = sink.take(Fields::new(node, "a walk"))?;
    let names = expr::Names::new("a walk")
        .with_all(NAMES.iter().enumerate().map(|(slot, name)| (*name, expr::Name::Slot(slot))));
    let mut formula = |fields: &mut Fields<'_>, key: &'static str, ty: Type| -> Option<Expr> {
        let node = fields.optional(key)?;
        let text = sink.take(node.text("a formula"))?;
        let parsed = Expr::parse(text, &names, ty).map_err(|error| SpecError {
            suggestion: error.suggestion,
            ..SpecError::new(&node.locate(error.span), error.message)
        });
        sink.take(parsed)
    };
    const N: Type = Type::Number;
    let mut walk = IndexFault {
        row: formula(&mut fields, "row", N),
        token: formula(&mut fields, "token", N),
        axis: formula(&mut fields, "axis", N),
        axis_pair: formula(&mut fields, "axis_pair", N),
        pair: formula(&mut fields, "pair", N),
        offset: formula(&mut fields, "offset", N),
        from_row: formula(&mut fields, "from_row", N),
        from_token: formula(&mut fields, "from_token", N),
        from_head: formula(&mut fields, "from_head", N),
        from_side: formula(&mut fields, "from_side", N),
        skip: formula(&mut fields, "skip", Type::Boolean),
        copy: formula(&mut fields, "copy", Type::Boolean),
        zero: formula(&mut fields, "zero", Type::Boolean),
        cos: formula(&mut fields, "cos", N),
        sin: formula(&mut fields, "sin", N),
        pairing: None,
        whole_head: false,
        tail: None,
    };
    const OWN: [(&str, OwnPairing); 3] = [
        ("half", OwnPairing::Always(Pairing::Half)),
        ("adjacent", OwnPairing::Always(Pairing::Adjacent)),
        ("other", OwnPairing::Other),
    ];
    const TAILS: [(&str, Action); 2] = [("zero", Action::Zero), ("skip", Action::Skip)];
    const WIDTHS: [(&str, bool); 1] = [("head", true)];
    walk.pairing = fields.optional("pairing").and_then(|node| sink.take(node.one_of("pairing", &OWN)));
    walk.tail = fields.optional("tail").and_then(|node| sink.take(node.one_of("tail", &TAILS)));
    walk.whole_head =
        fields.optional("width").and_then(|node| sink.take(node.one_of("width", &WIDTHS))).unwrap_or_default();
    fields.finish(sink);
    Some(walk)
}

fn edits(node: &Node, sink: &mut Sink) -> Option<SourceEdits> {
    let mut fields = sink.take(Fields::new(node, "an edited source"))?;
    let file = fields.optional("file").map_or(Ok("kernels/c/rope.c"), |node| node.text("a file"));
    let file = sink.take(file);
    let flags = fields.optional("flags").map_or(Ok(Vec::new()), |node| node.texts("a flag"));
    let flags = sink.take(flags);
    let one = |node: &Node, sink: &mut Sink| -> Option<(String, String)> {
        let mut fields = sink.take(Fields::new(node, "an edit"))?;
        let edit = (fields.required_text("replace", sink), fields.required_text("with", sink));
        fields.finish(sink);
        Some(edit)
    };
    let nodes = fields.optional("edits").map_or(Ok(&[][..]), |node| node.list("edits"));
    let nodes = sink.take(nodes)?;
    let edits: Vec<_> = nodes.iter().filter_map(|node| one(node, sink)).collect();
    fields.finish(sink);
    Some(SourceEdits { file: file?.to_owned(), edits, flags: flags? })
}

fn levels(node: &Node) -> Result<Vec<Level>, SpecError> {
    let all = Level::ALL.map(|level| (level.name(), level));
    node.list("levels")?.iter().map(|node| node.one_of("level", &all)).collect()
}

fn dtypes(node: &Node) -> Result<Vec<DType>, SpecError> {
    let all = DType::STORAGE.map(|dtype| (dtype.name(), dtype));
    node.list("dtypes")?.iter().map(|node| node.one_of("dtype", &all)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_reads() {
        let all = catalogue().unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        assert!(all.len() >= 90, "{}", all.len());
        for fault in &all {
            assert!(!fault.bugs.is_empty() && !fault.schemes.is_empty() && !fault.look.is_empty(), "{}", fault.id);
        }
    }

    #[test]
    fn mistakes_are_refused_where_they_stand() {
        let head = "class: c\nabout: a\nlevels: [rotate]\nfaults:\n  one:\n    doc: d\n    look: l\n    bugs: [b]\n    schemes: [rope]\n";
        for (rest, message) in [
            ("", "needs one of the keys scheme, arithmetic"),
            ("    walk: {row: \"q + 1\"}\n", "there is no `q` in a walk"),
            ("    walk: {rows: \"0\"}\n", "a walk has no key `rows` (did you mean `row`?)"),
            ("    walk: {skip: \"h\"}\n", "expected"),
            ("    arithmetic: {angles: bf16}\n    dtypes: [f32]\n", "a fault needs the key `why`"),
            (
                "    arithmetic: {angles: bf16}\n    dtypes: [f8]\n",
                "unknown dtype \"f8\", expected one of f32, f16, bf16",
            ),
            ("    arithmetic: {angles: bf16}\n    c: {edits: []}\n", "needs the key `c`"),
        ] {
            let file = SourceFile { name: "faults.yaml".into(), text: format!("{head}{rest}") };
            let error = read(&Arc::new(file)).expect_err(rest).to_string();
            assert!(error.contains(message), "{rest}: {error}");
        }
    }
}
