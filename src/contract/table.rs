//! The classes and ways to frequencies that there are, and what the user declares in the place of backends.

use super::arithmetic::{AngleUnit, ClassRule, Contract, Rotation, Scaling};
use super::declaration::Declaration;
use super::frequency_rule::FrequencyRule;
use super::precision::Precision;
use crate::numeric::DType;
use crate::spec::suggest;

/// A contract of kernels that are of no class as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractExample {
    /// Such as `turns`.
    pub name: String,
    /// One line.
    pub doc: String,
    /// What such a kernel declares.
    pub declared: Declaration,
}

/// All classes and ways that `spec/contracts.yaml` declares, in its order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContractTable {
    /// Classes.
    pub classes: Vec<ClassRule>,
    /// Ways to frequencies.
    pub frequencies: Vec<FrequencyRule>,
    /// Worked examples of what else can be declared.
    pub examples: Vec<ContractExample>,
    /// What the user declares in the place of backends, for one storage type or for all.
    pub overrides: Vec<(Option<DType>, Declaration)>,
}

impl ContractTable {
    /// The contract of these two names.
    #[must_use]
    pub fn contract(&self, class: &str, frequencies: &str) -> Option<Contract> {
        let class = self.classes.iter().find(|rule| rule.name == class)?;
        let frequencies = self.frequencies.iter().find(|rule| rule.name == frequencies)?;
        Some(Contract::new(class.clone(), frequencies.clone()))
    }

    /// A class by name.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&ClassRule> {
        self.classes.iter().find(|rule| rule.name == name)
    }

    /// Declares `[DTYPE=]CLASS/FREQUENCIES[,KEY=VALUE...]` in the place of backends.
    ///
    /// # Errors
    /// What was expected; names that do not exist; a second declaration for the same type.
    pub fn declare(&mut self, text: &str) -> Result<(), String> {
        let end = text.find(',').unwrap_or(text.len());
        let (head, _) = text.split_at(end);
        let (dtype, text) = match head.find('=') {
            Some(at) => {
                let all = DType::STORAGE.map(|dtype| (dtype.name(), dtype));
                (Some(suggest::choose("dtype", &head[..at], &all)?), &text[at + 1..])
            }
            None => (None, text),
        };
        let declaration = Declaration::parse(text)?;
        declaration.resolve(self)?;
        if self.overrides.iter().any(|(other, _)| *other == dtype) {
            return Err(format!("a contract for {} is given twice", dtype.map_or("every dtype", DType::name)));
        }
        self.overrides.push((dtype, declaration));
        Ok(())
    }

    /// What is in force for a storage type: what the user declares for it, or for every type, or what the backend does.
    #[must_use]
    pub fn in_force<'a>(&'a self, dtype: DType, declared: Option<&'a Declaration>) -> Option<&'a Declaration> {
        let of = |wanted: Option<DType>| self.overrides.iter().find(move |(other, _)| *other == wanted);
        of(Some(dtype)).or_else(|| of(None)).map(|(_, declaration)| declaration).or(declared)
    }

    /// The overrides as they are given on a command line.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        let one = |(dtype, declaration): &(Option<DType>, Declaration)| {
            dtype.map_or_else(|| declaration.to_string(), |dtype| format!("{dtype}={declaration}"))
        };
        self.overrides.iter().map(one).collect()
    }
}

impl Declaration {
    /// The contract that this declares.
    ///
    /// # Errors
    /// Names that do not exist; a way to frequencies that calls a library without saying how exact it is.
    pub fn resolve(&self, table: &ContractTable) -> Result<Contract, String> {
        let classes = table.classes.iter().map(|rule| rule.name.as_str());
        let class = table.class(&self.class).ok_or_else(|| suggest::unknown("class", &self.class, classes))?;
        let mut ways = table.frequencies.iter();
        let names = ways.clone().map(|rule| rule.name.as_str());
        let frequencies = ways.find(|rule| rule.name == self.frequencies);
        let frequencies = frequencies.ok_or_else(|| suggest::unknown("frequencies", &self.frequencies, names))?;
        let mut contract = Contract::new(class.clone(), frequencies.clone());
        for (key, value) in self.settings.iter() {
            (key.set)(&mut contract, value);
        }
        if contract.frequencies.calls_library() && contract.frequencies.library_ulps == 0.0 {
            // Taken for exact it would make the bound too narrow.
            return Err(format!("frequencies {self} call a library function: library_ulps must be more than 0"));
        }
        does_apply(&contract.class)?;
        Ok(contract)
    }
}

/// Says which key means nothing beside the others.
fn does_apply(class: &ClassRule) -> Result<(), String> {
    let of_angles = [
        ("angle_unit", class.angle_unit != AngleUnit::Radians),
        ("angle_roundings", class.angle_roundings != 0.0),
        ("angle_error", class.angle_error != 0.0),
    ];
    if let Some((key, _)) = of_angles.iter().find(|(_, set)| *set && class.angles == Precision::Exact) {
        return Err(format!("{key} does not apply: with angles=exact no angle errs, whatever its unit"));
    }
    if class.rotation == Rotation::Shears && class.scales_factors() {
        let what = if class.scaling == Scaling::Table { "table" } else { "factors" };
        return Err(format!(
            "rotation=shears does not apply with scaling={what}: shears keep lengths, whatever their factors; did you mean \
             scaling=inputs or scaling=outputs?"
        ));
    }
    if class.scaling == Scaling::Table && class.table == Precision::Exact {
        return Err("scaling=table does not apply: with table=exact nothing is rounded before it is scaled".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::contracts;
    use crate::contract::{Fma, Precision, Settings};

    #[test]
    fn a_declaration_comes_back_from_its_text_and_is_resolved() {
        let table = contracts().expect("no mistakes");
        let text = "cached/pow,angles=f64,trig_ulps=1.5,trig_error=1e-7,flushes=true,fma=never,per_index.library=2";
        let declaration = Declaration::parse(text).expect("is one");
        assert_eq!(declaration.to_string(), text);
        let contract = declaration.resolve(&table).expect("exists");
        let mut expected = table.contract("cached", "pow").expect("exists");
        (expected.class.angles, expected.class.trig_ulps, expected.class.trig_error) = (Precision::F64, 1.5, 1e-7);
        (expected.class.flushes, expected.class.fma) = (true, Fma::Never);
        expected.frequencies.per_index.library = 2.0;
        assert_eq!(contract, expected);
        let json = serde_json::to_string(&Declaration::parse("fast/exp,angle_limit=4").expect("is one"));
        assert_eq!(json.expect("JSON"), r#"{"class":"fast","frequencies":"exp","angle_limit":4.0}"#);
        // All parts of a contract, given again, are that contract.
        let all = Declaration { settings: Settings::of(&contract), ..Declaration::new("ideal", "table") };
        let again = Declaration::parse(&all.to_string()).expect("comes back").resolve(&table).expect("exists");
        assert_eq!(Settings::of(&again), Settings::of(&contract));
    }

    #[test]
    fn mistakes_are_named() {
        let table = contracts().expect("no mistakes");
        for (text, message) in [
            ("fused", "expected CLASS/FREQUENCIES such as fused/table, found \"fused\""),
            ("fused/", "expected CLASS/FREQUENCIES"),
            ("fused/table,trig_ulps", "expected KEY=VALUE such as trig_ulps=1, found \"trig_ulps\""),
            ("fused/table,trig_ulp=1", "unknown key \"trig_ulp\"; did you mean \"trig_ulps\"?"),
            ("fused/table,trig_ulps=-1", "trig_ulps: expected a number from 0 to 65536, found -1"),
            ("fused/table,trig_ulps=inf", "trig_ulps: expected a number from 0 to 65536, found inf"),
            ("fused/table,trig_ulps=NaN", "trig_ulps: expected a number from 0 to 65536, found NaN"),
            ("fused/table,trig_ulps=few", "trig_ulps: expected a number from 0 to 65536, found \"few\""),
            ("fused/table,trig_error=0.5", "trig_error: expected a number from 0 to 0.01, found 0.5"),
            ("fused/table,angle_limit=1e13", "angle_limit: expected a number from 0 to 1e12, found 10000000000000"),
            ("fused/table,flushes=yes", "flushes: expected true or false, found \"yes\""),
            (
                "fused/table,angles=exat",
                "angles: unknown value \"exat\", expected one of exact, f64, f32; did you mean \"exact\"?",
            ),
            ("fused/table,table=f8", "table: unknown value \"f8\", expected one of exact, f32, f16, bf16, storage"),
            ("fused/table,angle_unit=degrees", "expected one of radians, half-turns, turns"),
            ("fused/table,arithmetic=f64", "arithmetic: unknown value \"f64\", expected one of exact, f32, storage"),
            (
                "fused/table,rotation=two-products",
                "unknown value \"two-products\", expected one of four-products, three-products",
            ),
            ("fused/table,fma=never,fma=always", "fma is given twice"),
        ] {
            let error = Declaration::parse(text).expect_err(text);
            assert!(error.contains(message), "{error}");
        }
        for (text, message) in [
            ("ideal/table,angle_unit=turns", "angle_unit does not apply: with angles=exact no angle errs"),
            ("fused/table,angles=exact,angle_error=1e-7", "angle_error does not apply"),
            ("ideal/table,angle_roundings=1", "angle_roundings does not apply"),
            ("ideal/table,scaling=table", "scaling=table does not apply: with table=exact nothing is rounded before"),
            ("fused/table,rotation=shears", "rotation=shears does not apply with scaling=factors: shears keep lengths"),
            ("fused/table,scaling=table,rotation=shears", "did you mean scaling=inputs or scaling=outputs?"),
            ("fussed/table", "unknown class \"fussed\", expected one of ideal, fused"),
            ("fussed/table", "did you mean \"fused\"?"),
            ("fused/tables", "did you mean \"table\"?"),
            ("fused/table,library=1", "library_ulps must be more than 0"),
            ("fused/table,logarithm=e", "library_ulps must be more than 0"),
        ] {
            let error = Declaration::parse(text).and_then(|d| d.resolve(&table)).expect_err(text);
            assert!(error.contains(message), "{error}");
        }
        let mut table = table;
        for (text, message) in [
            ("f8=fused/table", "unknown dtype \"f8\", expected one of f32, f16, bf16"),
            ("i32=fused/table", "unknown dtype \"i32\""),
            ("bf16=fused", "expected CLASS/FREQUENCIES"),
            ("bf16=fused/nothing", "unknown frequencies \"nothing\""),
        ] {
            let error = table.declare(text).expect_err(text);
            assert!(error.contains(message), "{error}");
        }
        assert_eq!(table.overrides, []);
    }

    #[test]
    fn what_a_user_declares_comes_before_what_a_backend_does() {
        let mut table = contracts().expect("no mistakes");
        let own = Declaration::new("eager", "exp");
        let in_force = |table: &ContractTable, dtype| table.in_force(dtype, Some(&own)).map(ToString::to_string);
        assert_eq!(in_force(&table, DType::F16).as_deref(), Some("eager/exp"));
        table.declare("fused/pow,trig_ulps=1").expect("is one");
        table.declare("bf16=cached/table").expect("is one");
        assert_eq!(table.options(), ["fused/pow,trig_ulps=1", "bf16=cached/table"]);
        assert_eq!(in_force(&table, DType::F16).as_deref(), Some("fused/pow,trig_ulps=1"));
        assert_eq!(in_force(&table, DType::BF16).as_deref(), Some("cached/table"));
        let twice = [table.declare("bf16=fused/table"), table.declare("fused/table")];
        assert_eq!(twice[0], Err("a contract for bf16 is given twice".to_owned()));
        assert_eq!(twice[1], Err("a contract for every dtype is given twice".to_owned()));
    }
}
