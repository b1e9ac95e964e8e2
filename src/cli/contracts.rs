//! `list contracts`, and `explain` for a class, a way to frequencies, or a key of a contract.

use std::fmt::Write as _;

use crate::contract::Settings;
use crate::contract::{ClassRule, Contract, ContractTable, Frequency, FrequencyRule};
use crate::contract::{ContractKey, KEYS, ROTATION as ROTATIONS, Rotation, Scaling};
use crate::contract::{PairBound, Types};
use crate::numeric::{DType, Dd};

/// How a contract is declared, in one line each.
const DECLARED: &str = "declare it in the manifest, \"contract\": {\"class\": \"fused\", \"frequencies\": \"table\", \"trig_ulps\": 1},\n\
                        or in its place with --contract fused/table,trig_ulps=1 (docs/abi.md; derived in docs/numerics.md)";

/// Everything that a contract is made of.
pub(super) fn list(table: &ContractTable) -> String {
    let mut out = String::new();
    for class in &table.classes {
        let _ = writeln!(out, "class       {:15} {}", class.name, class.doc);
    }
    for way in &table.frequencies {
        let _ = writeln!(out, "frequencies {:15} {}", way.name, way.doc);
    }
    for key in &KEYS {
        let _ = writeln!(out, "key         {:23} {}; {}", key.name, key.doc, key.takes);
    }
    for example in &table.examples {
        let _ = writeln!(out, "example     {:15} {}", example.declared, example.doc);
    }
    let _ = writeln!(out, "{DECLARED}");
    out
}

/// Every name that `explain` knows here.
pub(super) fn names(table: &ContractTable) -> Vec<String> {
    let rules = table.classes.iter().map(|c| &c.name).chain(table.frequencies.iter().map(|f| &f.name));
    rules.cloned().chain(KEYS.iter().map(|key| key.name.to_owned())).collect()
}

/// What is called `id`, if anything is.
pub(super) fn explain(table: &ContractTable, id: &str) -> Option<String> {
    let class = table.classes.iter().find(|rule| rule.name == id);
    let way = table.frequencies.iter().find(|rule| rule.name == id);
    match (class, way) {
        (Some(class), _) => Some(of_class(table, class)),
        (None, Some(way)) => Some(of_way(table, way)),
        _ => KEYS.iter().find(|key| key.name == id).map(|key| of_key(table, key)),
    }
}

fn numbers(out: &mut String, contract: &Contract, of_class: bool) {
    for (key, value) in Settings::of(contract).iter().filter(|(key, _)| key.of_class == of_class) {
        let _ = writeln!(out, "{:23} {:9} {}", key.name, value.to_string(), key.doc);
    }
}

fn of_class(table: &ContractTable, class: &ClassRule) -> String {
    let mut out = format!("class {}\n{}\n\n", class.name, class.doc);
    let Some(contract) = table.contract(&class.name, "table") else { return out };
    numbers(&mut out, &contract, true);
    let _ = writeln!(out, "\nwhat it allows for a = 1, b = 0.5 in pair 2 of 64 at base 10,000 (frequencies `table`):");
    for position in [4u32, 1000, 100_000] {
        for dtype in DType::STORAGE {
            let _ =
                writeln!(out, "  position {position:6}, {:4}  {}", dtype.name(), allowance(&contract, dtype, position));
        }
    }
    let before = table.classes.iter().take_while(|other| other.name != class.name).last();
    if let Some(before) = before {
        let _ = writeln!(out, "\nclasses are listed strictest first; the one before it is {}", before.name);
    }
    let _ = writeln!(out, "\n{DECLARED}");
    out
}

/// What each way to rotate a pair allows.
fn of_rotations(out: &mut String, table: &ContractTable) {
    let _ =
        writeln!(out, "\nwhat fused and eager allow for a = 1, b = 0.5 in pair 2 of 64 at base 10,000, position 4:");
    for class in ["fused", "eager"] {
        for (name, rotation) in ROTATIONS {
            let Some(mut contract) = table.contract(class, "table") else { continue };
            contract.class.rotation = rotation;
            if rotation == Rotation::Shears {
                contract.class.scaling = Scaling::Outputs;
            }
            for dtype in [DType::F32, DType::BF16] {
                let allowed = allowance(&contract, dtype, 4);
                let _ = writeln!(out, "  {class} {name:14} {:4}  {allowed}", dtype.name());
            }
        }
    }
    let _ = writeln!(out, "steps: rounding sums of inputs and of factors, or the first shears; tangent: making it");
}

fn allowance(contract: &Contract, dtype: DType, position: u32) -> String {
    let frequency = Frequency::power(10_000f64.powf(-4.0 / 128.0), 10_000.0, 2, 128);
    let types = Types::new(contract, dtype);
    let steps = contract.steps(&frequency).unwrap_or(f64::INFINITY);
    let position = Dd::from_f64(f64::from(position));
    let pair = PairBound::new(contract, &types, steps, frequency.inv_freq, position, 1.0, true);
    if pair.beyond_limit {
        return "nothing is claimed: beyond the angle limit".to_owned();
    }
    let (y, z) = pair.turn.apply(1.0, 0.5);
    let allowance = pair.allowance(&types, false, (1.0, 0.5), y, z);
    let total = allowance.total();
    let parts = allowance.parts();
    let shown =
        parts.iter().filter(|(_, part)| *part > 1e-3 * total).map(|(term, part)| format!("{} {part:.1e}", term.name()));
    format!("{total:.1e} = {}", shown.collect::<Vec<_>>().join(" + "))
}

/// Pairs of a head of 128 that tell how a way's error grows.
const PAIRS: [u32; 8] = [0, 1, 2, 4, 8, 16, 32, 63];

fn of_way(table: &ContractTable, way: &FrequencyRule) -> String {
    let mut out = format!("frequencies {}\n{}\n\n", way.name, way.doc);
    let Some(contract) = table.contract("fused", &way.name) else { return out };
    numbers(&mut out, &contract, false);
    let pairs: String = PAIRS.iter().map(|pair| format!("{pair:>9}")).collect();
    let _ = writeln!(out, "\nf32 angles, head_dim 128, pair                  {pairs}");
    for (base, name) in [(1e4f64, "10,000"), (1e6, "1,000,000")] {
        let frequency = |i: u32| Frequency::power(base.powf(-2.0 * f64::from(i) / 128.0), base, i, 128);
        let row = |show: &dyn Fn(&Frequency) -> String| -> String {
            PAIRS.iter().map(|i| format!("{:>9}", show(&frequency(*i)))).collect()
        };
        let steps = row(&|f| contract.steps(f).map_or("-".to_owned(), |k| format!("{k:.1}")));
        let blind = row(&|f| contract.blind_from(f).map_or("-".to_owned(), |p| format!("{p:.1e}")));
        let _ = writeln!(out, "base {name:9}  frequency's error, units of 2^-24 {steps}");
        let _ = writeln!(out, "{:14}  blind from position               {blind}", "");
    }
    let _ = writeln!(out, "\nblind: the angle may be wrong by a radian, so only the length of the pair is judged");
    let _ =
        writeln!(out, "the bound has one unit more for position * frequency, and one for a position that is no f32");
    let _ = writeln!(out, "\n{DECLARED}");
    out
}

fn of_key(table: &ContractTable, key: &ContractKey) -> String {
    let mut out = format!("key {} of a contract\n{}; {}\n\n", key.name, key.doc, key.takes);
    let names: Vec<(String, Option<Contract>)> = if key.of_class {
        table.classes.iter().map(|c| (c.name.clone(), table.contract(&c.name, "table"))).collect()
    } else {
        table.frequencies.iter().map(|f| (f.name.clone(), table.contract("fused", &f.name))).collect()
    };
    for (name, contract) in names {
        let value = contract.and_then(|contract| Settings::of(&contract).get(key.name));
        let _ = writeln!(out, "{name:15} {}", value.map_or("none".to_owned(), |value| value.to_string()));
    }
    if key.name == "rotation" {
        of_rotations(&mut out, table);
    }
    let _ = writeln!(out, "\n{DECLARED}");
    out
}
