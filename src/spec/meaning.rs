//! What a scheme means, as a hash: comments, key order and the way a formula is written do not change it, and a changed
//! formula, parameter or axis map does. It says whether a case is still the case that it was.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::expr::{Expr, Name};
use super::model::{
    AxisMap, Claim, Invariant, PairNumbers, PairRun, Parameter, PerPair, Scheme, Stated, Step, VisualRule,
};
use crate::numeric::Number;

impl Scheme {
    /// The scheme's positions, axis map and frequencies as one text. What it states of itself is no part of it, nor are
    /// words for people.
    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |head: &str, what: &dyn Fn(&mut String)| {
            let _ = write!(text, "{head}");
            what(&mut text);
            text.push('\n');
        };
        line("axes", &|out| self.axes.iter().for_each(|axis| word(out, axis)));
        line("running", &|out| word(out, &format!("{:?} {:?}", self.running, self.pairing)));
        let mut parameters: Vec<&Parameter> = self.parameters.iter().collect();
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
        for one in parameters {
            line("parameter", &|out| {
                word(out, &one.name);
                self.formula(&[], out, &one.default);
                let limit = |limit: &Option<Number>| limit.as_ref().map_or_else(|| "-".into(), Number::to_string);
                word(out, &format!("{} {} {}", limit(&one.min), limit(&one.max), one.integer));
            });
        }
        line("text", &|out| {
            self.text.axes.iter().for_each(|formula| self.formula(&[], out, formula));
            self.step(&[], out, &self.text.step);
        });
        for (head, rule) in [("image", self.image.as_ref()), ("video", Some(&self.video))] {
            line(head, &|out| rule.map_or((), |rule| self.visual(out, rule)));
        }
        line("rotary", &|out| {
            [&self.rotary_dim, &self.rotary_offset].iter().for_each(|formula| self.formula(&[], out, formula));
        });
        match &self.axis_map {
            AxisMap::Shared(runs) => line("map", &|out| self.runs(out, runs)),
            AxisMap::PerHead(groups) => groups.iter().for_each(|group| {
                line("map of heads", &|out| {
                    self.rest_or(out, group.heads.as_ref());
                    self.runs(out, &group.runs);
                });
            }),
        }
        line("pairs", &|out| word(out, &format!("{:?}", self.pairs)));
        let mut per_pair: Vec<&PerPair> = self.per_pair.iter().collect();
        per_pair.sort_by(|a, b| a.name.cmp(&b.name));
        for one in per_pair {
            line("per pair", &|out| {
                word(out, &one.name);
                match &one.numbers {
                    PairNumbers::List(numbers) => numbers.iter().for_each(|number| word(out, &number.to_string())),
                    PairNumbers::Formula(formula) => self.formula(&[], out, formula),
                }
            });
        }
        line("frequencies", &|out| {
            self.inv_freq.iter().chain([&self.attention_scaling]).for_each(|formula| self.formula(&[], out, formula));
        });
        text
    }

    /// A formula with names as the file has them. `lets`: names of the intermediate values that it may use.
    fn formula(&self, lets: &[&str], out: &mut String, formula: &Expr) {
        let name = |name: Name| {
            match name {
                Name::Param(index) => self.parameters.get(index).map(|one| format!("parameter.{}", one.name)),
                Name::PerPair(index) => self.per_pair.get(index).map(|one| format!("per-pair.{}", one.name)),
                Name::Let(index) => lets.get(index).map(|one| format!("let.{one}")),
                _ => None,
            }
            .unwrap_or_else(|| format!("{name:?}"))
        };
        out.push(' ');
        formula.meaning(&name, out);
    }

    fn rest_or(&self, out: &mut String, count: Option<&Expr>) {
        match count {
            Some(count) => self.formula(&[], out, count),
            None => word(out, "rest"),
        }
    }

    fn runs(&self, out: &mut String, runs: &[PairRun]) {
        for run in runs {
            self.rest_or(out, run.pairs.as_ref());
            word(out, &format!("{:?}", run.cycle));
        }
    }

    fn step(&self, lets: &[&str], out: &mut String, step: &Step) {
        let (head, formulas) = match step {
            Step::Advance(formulas) => ("advance", formulas),
            Step::Next(formulas) => ("next", formulas),
        };
        word(out, head);
        formulas.iter().for_each(|formula| self.formula(lets, out, formula));
    }

    fn visual(&self, out: &mut String, rule: &VisualRule) {
        let names: Vec<&str> = rule.lets.iter().map(|one| one.name.as_str()).collect();
        let mut lets: Vec<_> = rule.lets.iter().collect();
        lets.sort_by(|a, b| a.name.cmp(&b.name));
        for one in lets {
            word(out, &one.name);
            self.formula(&names, out, &one.formula);
        }
        word(out, "axes");
        rule.axes.iter().for_each(|formula| self.formula(&names, out, formula));
        self.step(&names, out, &rule.step);
    }

    /// What the scheme states of itself, as one text.
    pub(super) fn statement(&self, one: &Invariant) -> String {
        let mut text = format!("{} {:?}", one.id, one.scope);
        word(&mut text, "when");
        one.when.iter().for_each(|formula| self.formula(&[], &mut text, formula));
        for (name, value) in &one.with {
            word(&mut text, &format!("{name}={value}"));
        }
        one.length.iter().for_each(|length| word(&mut text, &format!("length={length}")));
        match &one.claim {
            Claim::Holds(formula) => self.formula(&[], &mut text, formula),
            Claim::Equals(other) => word(&mut text, &format!("equals {other}")),
        }
        match &one.verdict {
            Stated::Holds => word(&mut text, "holds"),
            Stated::Fails { .. } => word(&mut text, "fails"),
        }
        text
    }

    /// SHA-256 of what the scheme means, in hex: [`Scheme::meaning`] of one that was just read.
    pub(super) fn hashed(&self) -> String {
        hex(&Sha256::digest(self.text()))
    }
}

fn word(out: &mut String, word: &str) {
    out.push(' ');
    out.push_str(word);
}

/// Bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
