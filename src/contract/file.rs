//! Reads `spec/contracts.yaml`.

use std::sync::Arc;

use crate::spec::diagnostic::{Sink, SourceFile};
use crate::spec::fields::{Fields, is_kebab};
use crate::spec::library::embedded_file;
use crate::spec::yaml::{self, Key, Node};
use crate::spec::{SpecError, SpecErrors};

use super::arithmetic::ClassRule;
use super::declaration::Declaration;
use super::frequency_rule::FrequencyRule;
use super::frequency_rule::LogBase;
use super::frequency_rule::Procedure;
use super::frequency_rule::Steps;
use super::keys;
use super::keys::ANGLE_UNIT;
use super::keys::ANGLES;
use super::keys::FMA;
use super::keys::KEPT;
use super::keys::ROTATION;
use super::keys::SCALING;
use super::keys::STORE;
use super::keys::TABLE;
use super::table::{ContractExample, ContractTable};

/// The built-in classes and ways to frequencies.
///
/// # Errors
/// Every mistake in `spec/contracts.yaml`; a program that passes its tests has none.
pub fn contracts() -> Result<ContractTable, SpecErrors> {
    read(&embedded_file("contracts.yaml")?)
}

/// Reads a file of contracts.
///
/// # Errors
/// Every mistake in it.
pub fn read(file: &Arc<SourceFile>) -> Result<ContractTable, SpecErrors> {
    let root = yaml::parse(file)?;
    let mut sink = Sink::default();
    let mut fields = Fields::new(&root, "a file of contracts")?;
    let classes = rules(fields.required("classes"), "classes", &mut sink, class);
    let frequencies = rules(fields.required("frequencies"), "ways to frequencies", &mut sink, frequency);
    let examples = rules(fields.required("examples"), "examples", &mut sink, example);
    fields.finish(&mut sink);
    let table = ContractTable { classes, frequencies, examples, overrides: Vec::new() };
    for example in &table.examples {
        if let Err(why) = example.declared.resolve(&table) {
            sink.push(root.error(format!("example {}: {why}", example.name)));
        }
    }
    sink.finish(Some(table))
}

/// The entries of a map from names to rules.
fn rules<T>(
    node: Result<&Node, SpecError>,
    what: &str,
    sink: &mut Sink,
    rule: impl Fn(&Key, &Node, &mut Sink) -> Option<T>,
) -> Vec<T> {
    let entries = sink.take(node.and_then(|node| node.map(what))).unwrap_or_default();
    let mut rules = Vec::with_capacity(entries.len());
    for (key, node) in entries {
        if !is_kebab(&key.text) {
            let message = format!("expected a name of lower-case letters, digits and `-`, found `{}`", key.text);
            sink.push(SpecError::new(&key.location, message));
        }
        rules.extend(rule(key, node, sink));
    }
    rules
}

fn example(key: &Key, node: &Node, sink: &mut Sink) -> Option<ContractExample> {
    let mut fields = sink.take(Fields::new(node, "an example"))?;
    fields.set_head(key.location.clone());
    let doc = fields.required_text("doc", sink);
    let text = fields.required_text("contract", sink);
    fields.finish(sink);
    let declared = sink.take(Declaration::parse(&text).map_err(|why| node.error(why)))?;
    Some(ContractExample { name: key.text.clone(), doc, declared })
}

fn class(key: &Key, node: &Node, sink: &mut Sink) -> Option<ClassRule> {
    let mut fields = sink.take(Fields::new(node, "a class"))?;
    fields.set_head(key.location.clone());
    let doc = fields.required_text("doc", sink);
    let angles = sink.take(fields.required("angles").and_then(|node| node.one_of("angles", &ANGLES)));
    let table = sink.take(fields.required("table").and_then(|node| node.one_of("table", &TABLE)));
    let arithmetic = sink.take(fields.required("arithmetic").and_then(|node| node.one_of("arithmetic", &KEPT)));
    let trig_ulps = sink.take(fields.required("trig_ulps").and_then(|node| amount(node, "trig_ulps")));
    let trig_error = optional(&mut fields, "trig_error", sink);
    let angle_limit = optional(&mut fields, "angle_limit", sink);
    let angle_unit = word(&mut fields, "angle_unit", &ANGLE_UNIT, sink);
    let angle_roundings = optional(&mut fields, "angle_roundings", sink);
    let angle_error = optional(&mut fields, "angle_error", sink);
    let trig_error_per_position = optional(&mut fields, "trig_error_per_position", sink);
    let position_roundings = optional(&mut fields, "position_roundings", sink);
    let flushes = fields.optional("flushes").map_or(Ok(false), |node| node.truth("flushes"));
    let flushes = sink.take(flushes);
    let rotation = word(&mut fields, "rotation", &ROTATION, sink);
    let fma = word(&mut fields, "fma", &FMA, sink);
    let store = word(&mut fields, "store", &STORE, sink);
    let scaling = word(&mut fields, "scaling", &SCALING, sink);
    let scaled = word(&mut fields, "scaling_type", &KEPT, sink);
    fields.finish(sink);
    Some(ClassRule {
        name: key.text.clone(),
        doc,
        angles: angles?,
        angle_unit: angle_unit.unwrap_or_default(),
        position_roundings: position_roundings.unwrap_or(1.0),
        angle_roundings: angle_roundings.unwrap_or(0.0),
        angle_error: angle_error.unwrap_or(0.0),
        table: table?,
        arithmetic: arithmetic?,
        trig_ulps: trig_ulps?,
        trig_error: trig_error.unwrap_or(0.0),
        trig_error_per_position: trig_error_per_position.unwrap_or(0.0),
        angle_limit,
        flushes: flushes?,
        rotation: rotation.unwrap_or_default(),
        fma: fma.unwrap_or_default(),
        store: store.unwrap_or_default(),
        scaling: scaling.unwrap_or_default(),
        scaled,
    })
}

/// The meaning of an optional word.
fn word<'a, T: Copy>(fields: &mut Fields<'a>, key: &'a str, words: &[(&str, T)], sink: &mut Sink) -> Option<T> {
    fields.optional(key).and_then(|node| sink.take(node.one_of(key, words)))
}

fn frequency(key: &Key, node: &Node, sink: &mut Sink) -> Option<FrequencyRule> {
    const LOGARITHMS: [(&str, LogBase); 2] = [("e", LogBase::Natural), ("2", LogBase::Two)];
    let mut fields = sink.take(Fields::new(node, "a way to frequencies"))?;
    fields.set_head(key.location.clone());
    let doc = fields.required_text("doc", sink);
    let procedure = sink.take(fields.required("procedure").and_then(|node| node.one_of("procedure", &Procedure::ALL)));
    let once = steps(&mut fields, sink);
    let per_index = fields.optional("per_index").and_then(|node| {
        let mut fields = sink.take(Fields::new(node, "`per_index`"))?;
        let steps = steps(&mut fields, sink);
        fields.finish(sink);
        Some(steps)
    });
    let per_index = per_index.unwrap_or_default();
    let logarithm = fields.optional("logarithm").and_then(|node| sink.take(node.one_of("logarithm", &LOGARITHMS)));
    let library_ulps = optional(&mut fields, "library_ulps", sink);
    if library_ulps.is_none() && (once.library + per_index.library > 0.0 || logarithm.is_some()) {
        // Taken for 0 it would make the bound too narrow.
        sink.push(fields.missing("library_ulps").note("it calls a library function"));
    }
    fields.finish(sink);
    let library_ulps = library_ulps.unwrap_or(0.0);
    Some(FrequencyRule { name: key.text.clone(), doc, once, per_index, library_ulps, logarithm, procedure: procedure? })
}

fn steps(fields: &mut Fields<'_>, sink: &mut Sink) -> Steps {
    let mut count = |key| optional(fields, key, sink).unwrap_or(0.0);
    Steps { roundings: count("roundings"), library: count("library"), exponent: count("exponent") }
}

fn optional(fields: &mut Fields<'_>, key: &'static str, sink: &mut Sink) -> Option<f64> {
    fields.optional(key).and_then(|node| sink.take(amount(node, key)))
}

/// A number from 0 to the most that this key takes, as the nearest f64.
fn amount(node: &Node, what: &str) -> Result<f64, SpecError> {
    let number = node.number(what)?;
    let value = number.to_f64();
    // Inside `per_index` the keys have the limits that they have outside.
    let takes = keys::key(what).map(|key| key.takes).map_err(|why| node.error(why))?;
    if takes.number(value).is_err() {
        return Err(node.error(format!("expected {what} ({takes}), found `{number}`")));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Fma, Precision, Scaling, Store};

    /// The built-in text with one part replaced.
    fn edited(old: &str, new: &str) -> Result<ContractTable, String> {
        let text = embedded_file("contracts.yaml").expect("built in").text.clone();
        assert!(text.contains(old), "{old}");
        let file = SourceFile { name: "contracts.yaml".to_owned(), text: text.replacen(old, new, 1) };
        read(&Arc::new(file)).map_err(|errors| errors.to_string())
    }

    #[test]
    fn the_built_in_file_says_what_its_classes_are() {
        let table = contracts().unwrap_or_else(|errors| panic!("{errors}"));
        let classes: Vec<&str> = table.classes.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(classes, ["ideal", "fused", "cached", "eager", "fast"]);
        let ways: Vec<&str> = table.frequencies.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(ways, ["table", "pow", "pow-reciprocal", "exp", "exp2", "scale", "recurrence"]);
        let procedures: Vec<Procedure> = table.frequencies.iter().map(|rule| rule.procedure).collect();
        assert_eq!(procedures, Procedure::ALL.map(|(_, procedure)| procedure));
        let fast = table.contract("fast", "exp2").expect("both are there");
        assert_eq!(
            (fast.class.angles, fast.class.table, fast.class.arithmetic),
            (Precision::F32, Precision::F32, Precision::F32)
        );
        assert_eq!((fast.class.trig_ulps, fast.class.trig_error), (2.0, 1e-6));
        assert_eq!((fast.class.angle_limit, fast.class.flushes), (Some(3.2), true));
        assert_eq!((fast.frequencies.logarithm, fast.frequencies.library_ulps), (Some(LogBase::Two), 1.0));
        assert_eq!(fast.frequencies.once, Steps { roundings: 0.0, library: 1.0, exponent: 1.0 });
        let eager = table.contract("eager", "scale").expect("both are there");
        assert_eq!(
            (eager.class.table, eager.class.arithmetic, eager.class.flushes),
            (Precision::Storage, Precision::Storage, false)
        );
        assert_eq!(eager.frequencies.per_index, Steps { roundings: 0.0, library: 1.0, exponent: 1.0 });
        assert_eq!(table.contract("eager", "nothing"), None);
    }

    #[test]
    fn a_number_in_the_text_is_the_number_in_the_contract() {
        let built_in = contracts().expect("no mistakes");
        let change = |old: &str, new: &str| edited(old, new).unwrap_or_else(|errors| panic!("{errors}"));
        let table = change("angle_limit: 3.2", "angle_limit: 6.4");
        assert_eq!(table.contract("fast", "pow").expect("is there").class.angle_limit, Some(6.4));
        let mut expected = built_in.clone();
        expected.classes[4].angle_limit = Some(6.4);
        assert_eq!(table, expected, "nothing else");
        let table = change("procedure: table\n    roundings: 1", "procedure: table\n    roundings: 1.5");
        let mut expected = built_in.clone();
        expected.frequencies[0].once.roundings = 1.5;
        assert_eq!(table, expected);
        let all = "    flushes: true\n    fma: never\n    store: toward-zero\n    scaling: outputs\n    scaling_type: storage\n";
        let table = change("    flushes: true\n", &format!("{all}    position_roundings: 2\n"));
        let mut expected = built_in.clone();
        let fast = &mut expected.classes[4];
        (fast.fma, fast.store, fast.scaling) = (Fma::Never, Store::TowardZero, Scaling::Outputs);
        (fast.scaled, fast.position_roundings) = (Some(Precision::Storage), 2.0);
        assert_eq!(table, expected);
        let table = change("{roundings: 1, library: 1, exponent: 1}", "{roundings: 1, library: 7}");
        let mut expected = built_in;
        expected.frequencies[6].per_index = Steps { roundings: 1.0, library: 7.0, exponent: 0.0 };
        assert_eq!(table, expected);
    }

    #[test]
    fn mistakes_are_refused_where_they_stand() {
        for (old, new, message) in [
            ("angle_limit:", "angel_limit:", "a class has no key `angel_limit` (did you mean `angle_limit`?)"),
            ("per_index: {library", "per_index: {libary", "`per_index` has no key `libary` (did you mean `library`?)"),
            ("classes:", "version: 2\nclasses:", "a file of contracts has no key `version`"),
            ("    trig_ulps: 0\n", "", "a class needs the key `trig_ulps`"),
            ("trig_ulps: 0", "trig_ulps: -1", "expected trig_ulps (a number from 0 to 65536), found `-1`"),
            ("trig_ulps: 0", "trig_ulps: few", "expected trig_ulps (a number), found `few`"),
            (
                "table: storage",
                "table: storge",
                "unknown table \"storge\", expected one of exact, f32, f16, bf16, storage; did you mean \"storage\"?",
            ),
            ("angles: exact", "angles: storage", "unknown angles \"storage\", expected one of exact, f64, f32"),
            (
                "flushes: true",
                "fma: neve",
                "unknown fma \"neve\", expected one of allowed, always, never; did you mean \"never\"?",
            ),
            ("flushes: true", "trig_err: 0", "a class has no key `trig_err` (did you mean `trig_error`?)"),
            ("logarithm: 2", "logarithm: 10", "unknown logarithm \"10\", expected one of e, 2"),
            ("procedure: scale", "procedure: scal", "did you mean \"scale\"?"),
            ("    procedure: table\n", "", "a way to frequencies needs the key `procedure`"),
            ("flushes: true", "flushes: maybe", "expected flushes (true or false), found `maybe`"),
            ("    library_ulps: 1\n", "", "a way to frequencies needs the key `library_ulps`"),
            (
                "contract: fused/table,angle_unit=turns\n",
                "contract: ideal/table,angle_unit=turns\n",
                "example turns: angle_unit does not apply",
            ),
            ("contract: fused/table,table=bf16", "contract: fused/table,table=b16", "did you mean \"bf16\"?"),
            ("\nexamples:", "\ncases:", "a file of contracts needs the key `examples`"),
            ("  ideal:", "  Ideal:", "expected a name of lower-case letters, digits and `-`, found `Ideal`"),
            ("frequencies:", "ways:", "a file of contracts needs the key `frequencies`"),
        ] {
            let error = edited(old, new).expect_err(message);
            assert!(error.contains(message), "{error}");
            assert!(error.starts_with("contracts.yaml:"), "{error}");
        }
    }
}
