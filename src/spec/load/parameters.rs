//! `parameters:` and the `base` of `frequencies:`.

use crate::spec::diagnostic::{Sink, SpecError};
use crate::spec::expr::{Name, Names, Type};
use crate::spec::fields::{Fields, is_identifier};
use crate::spec::model::Parameter;
use crate::spec::yaml::{Key, Node, Value};

use super::formula::formula;
use super::offer::{KnownNames, is_reserved};

/// Reads every parameter; `base` comes first.
pub(super) fn load(
    base: Option<(&Key, &Node)>,
    own: Option<&Node>,
    axes: &[String],
    sink: &mut Sink,
) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = Vec::new();
    let own = own.and_then(|node| sink.take(node.map("`parameters`"))).unwrap_or(&[]);
    let entries = base.into_iter().chain(own.iter().map(|(key, node)| (key, node)));
    for (key, node) in entries {
        if let Err(error) = check_name(key, &parameters, axes) {
            sink.push(error);
            continue;
        }
        if let Some(parameter) = sink.take(one(key, node, &parameters)) {
            sink.take(check_default(&parameter, node));
            parameters.push(parameter);
        }
    }
    parameters
}

/// What name resolution needs to know of the parameters.
pub(super) fn known(parameters: &[Parameter]) -> Vec<KnownNames> {
    let known = |one: &Parameter| KnownNames {
        name: one.name.clone(),
        needs_plan: one.needs_plan,
        needs_length: one.needs_length,
    };
    parameters.iter().map(known).collect()
}

fn check_name(key: &Key, earlier: &[Parameter], axes: &[String]) -> Result<(), SpecError> {
    let name = key.text.as_str();
    let fail = |message: String| Err(SpecError::new(&key.location, message));
    if !is_identifier(name) {
        return fail(format!("expected a parameter name (letters, digits and `_`), found `{name}`"));
    }
    if is_reserved(name) {
        return fail(format!("a parameter cannot be called `{name}`: formulas use that name for something else"));
    }
    if axes.iter().any(|axis| axis == name) {
        return fail(format!("a parameter cannot be called `{name}`: an axis is called so"));
    }
    if earlier.iter().any(|other| other.name == name) {
        return fail(format!("there are two parameters `{name}`: `base` is declared under `frequencies`"));
    }
    Ok(())
}

fn one(key: &Key, node: &Node, earlier: &[Parameter]) -> Result<Parameter, SpecError> {
    let mut names = Names::new(format!("the default of `{}`", key.text)).with_all([
        ("R", Name::R),
        ("d", Name::D),
        ("head_dim", Name::HeadDim),
        ("length", Name::Length),
    ]);
    for (at, other) in earlier.iter().enumerate() {
        names.add(&other.name, Name::Param(at));
    }
    let mut parameter = Parameter {
        name: key.text.clone(),
        default: formula(default_of(node), &names, Type::Number)?,
        min: None,
        max: None,
        integer: false,
        doc: String::new(),
        needs_plan: false,
        needs_length: false,
    };
    if let Value::Map(_) = node.value {
        let mut sink = Sink::default();
        let mut fields = Fields::new(node, "a parameter")?;
        fields.required("default")?;
        parameter.min = fields.optional("min").map(|node| node.number("`min`")).transpose()?;
        parameter.max = fields.optional("max").map(|node| node.number("`max`")).transpose()?;
        parameter.integer =
            fields.optional("integer").map(|node| node.truth("`integer`")).transpose()?.unwrap_or(false);
        parameter.doc = fields.text("doc", &mut sink);
        fields.finish(&mut sink);
        if let Some(error) = sink.first() {
            return Err(error);
        }
    }
    parameter.needs_plan = parameter.default.names().iter().any(|name| match name {
        Name::R | Name::D | Name::HeadDim | Name::Length => true,
        Name::Param(at) => earlier.get(*at).is_some_and(|other| other.needs_plan),
        _ => false,
    });
    parameter.needs_length = parameter.default.names().iter().any(|name| match name {
        Name::Length => true,
        Name::Param(at) => earlier.get(*at).is_some_and(|other| other.needs_length),
        _ => false,
    });
    Ok(parameter)
}

/// The node of the default: the value itself, or `default` of a map.
fn default_of(node: &Node) -> &Node {
    node.get("default").unwrap_or(node)
}

/// A default that is a plain number must keep the parameter's own limits.
fn check_default(parameter: &Parameter, node: &Node) -> Result<(), SpecError> {
    let Some(value) = parameter.default.constant() else { return Ok(()) };
    parameter.check(value).map_err(|wrong| default_of(node).error(format!("`{}` {wrong}", parameter.name)))
}
