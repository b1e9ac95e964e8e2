//! The backend under test, together with everything a check needs to call it and to know the truth.

use crate::backend::{Answer, Backend};
use crate::case::{Case, Data, Level, PrepareError, Prepared, Tensor, fill, prepare};
use crate::contract::{Contract, ContractTable};
use crate::numeric::Rng;
use crate::rotation::PlanCache;
use crate::spec::Library;
use crate::spec::model::Scheme;

use super::{Failure, Verdict};

/// A backend and what it is judged with.
pub struct Harness<'a> {
    /// The backend.
    pub backend: &'a mut dyn Backend,
    /// Every scheme.
    pub library: &'a Library,
    /// Rotation plans.
    pub plans: &'a PlanCache,
    /// Contracts by name.
    pub contracts: &'a ContractTable,
}

/// What went in and came out, as values.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// Inputs.
    pub q: Tensor,
    /// Inputs.
    pub k: Tensor,
    /// Outputs.
    pub q_out: Tensor,
    /// Outputs.
    pub k_out: Tensor,
}

/// Why there is no output to judge: becomes the verdict of the case.
#[derive(Debug)]
pub struct Halt(Box<Verdict>);

impl From<Halt> for Verdict {
    fn from(halt: Halt) -> Verdict {
        *halt.0
    }
}

impl Halt {
    /// Nothing could be concluded.
    pub fn not_judged(why: impl Into<String>) -> Halt {
        Halt(Box::new(Verdict::NotJudged(why.into())))
    }

    /// The case is wrong.
    pub fn broken(why: impl Into<String>) -> Halt {
        Halt(Box::new(Verdict::Broken(why.into())))
    }

    /// The backend failed.
    pub fn fail(failure: Box<Failure>) -> Halt {
        Halt(Box::new(Verdict::Fail(failure)))
    }
}

impl From<PrepareError> for Halt {
    fn from(error: PrepareError) -> Halt {
        match error {
            PrepareError::NotApplicable(why) => Halt::not_judged(why),
            PrepareError::Wrong(why) => Halt::broken(why),
        }
    }
}

impl<'a> Harness<'a> {
    /// The scheme of a case.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn scheme(&self, case: &Case) -> Result<&'a Scheme, Halt> {
        self.library.get(&case.scheme).map(|s| &**s).map_err(|e| Halt::broken(e.to_string()))
    }

    /// The contract that the backend declares for a case, or the user in its place.
    ///
    /// # Errors
    /// If the manifest names none, or one that does not exist.
    pub fn contract(&self, case: &Case) -> Result<Contract, Halt> {
        let level = self.backend.manifest().level(case.level);
        let declared = level.and_then(|l| l.contract(case.dtype));
        let name = self.contracts.in_force(case.dtype, declared);
        let name = name.ok_or_else(|| Halt::broken(format!("no contract for {} {}", case.level, case.dtype.name())))?;
        name.resolve(self.contracts).map_err(Halt::broken)
    }

    /// Makes a case concrete for this backend.
    ///
    /// # Errors
    /// As [`prepare`].
    pub fn prepare(&self, case: &Case) -> Result<Prepared, Halt> {
        let prepared = self.prepare_anywhere(case)?;
        self.inside_limits(case, &prepared)?;
        Ok(prepared)
    }

    /// The same for positions beyond what the manifest allows, which only a check of that very thing asks for.
    ///
    /// # Errors
    /// As [`prepare`].
    pub fn prepare_anywhere(&self, case: &Case) -> Result<Prepared, Halt> {
        let scheme = self.scheme(case)?;
        let level = self.backend.manifest().level(case.level);
        let level = level.ok_or_else(|| Halt::broken(format!("the backend has no level {}", case.level)))?;
        let alignment = usize::try_from(self.backend.manifest().alignment).unwrap_or(1);
        Ok(prepare(case, scheme, self.plans, &level.consumes, alignment)?)
    }

    /// Positions outside of what the manifest allows are never sent, nor asked for; nor are more tokens than it allows.
    fn inside_limits(&self, case: &Case, prepared: &Prepared) -> Result<(), Halt> {
        let manifest = self.backend.manifest();
        if i64::try_from(case.tokens()).is_ok_and(|tokens| tokens > manifest.max_tokens) {
            return Err(Halt::not_judged(format!(
                "more tokens than the manifest's max_tokens, {}",
                manifest.max_tokens
            )));
        }
        let (least, most) = (manifest.min_position as f64, manifest.max_position as f64);
        let test = |position: f64| {
            // Without the position, so that a report has each reason once.
            if position < least {
                return Err(Halt::not_judged(format!("positions below the manifest's min_position, {least}")));
            }
            if position > most {
                return Err(Halt::not_judged(format!("positions above the manifest's max_position, {most}")));
            }
            Ok(())
        };
        match (&prepared.truth, case.level) {
            // Only the suite sees positions there.
            (_, Level::Apply) => Ok(()),
            (Some(truth), _) => truth.positions.iter().flatten().flatten().try_for_each(|p| test(p.hi)),
            (None, _) => {
                for row in &prepared.positions {
                    for (axis, column) in row.columns().iter().enumerate() {
                        (0..column.len()).filter_map(|i| column.get(i)).try_for_each(|p| test(p.to_f64()))?;
                        row.next().on(axis).map_or(Ok(()), |p| test(p.to_f64()))?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Inputs of a case.
    #[must_use]
    pub fn inputs(case: &Case, prepared: &Prepared) -> (Tensor, Tensor) {
        let (Some(qk), Some(truth)) = (prepared.call.qk(), &prepared.truth) else {
            return (Tensor::default(), Tensor::default());
        };
        let rng = Rng::new(case.seed);
        let kind = (case.data, case.dtype, case.pairing);
        let q = fill(kind, qk.q.shape, truth, 0, rng.fork(1));
        let k = match &qk.k {
            Some(k) => fill(kind, k.shape, truth, qk.q_heads, rng.fork(2)),
            None => Tensor::default(),
        };
        (q, k)
    }

    /// Runs a prepared case on given inputs.
    ///
    /// # Errors
    /// The failing verdict if the backend did not answer OK.
    pub fn run(&mut self, prepared: &Prepared, q: Tensor, k: Tensor) -> Result<Outputs, Halt> {
        self.call(prepared, &q, &k)?;
        let (q_out, k_out) = prepared.read(self.backend.memory());
        Ok(Outputs { q, k, q_out, k_out })
    }

    /// Calls the backend; its memory then holds the answer.
    ///
    /// # Errors
    /// The failing verdict if the backend did not answer OK.
    pub fn call(&mut self, prepared: &Prepared, q: &Tensor, k: &Tensor) -> Result<(), Halt> {
        match self.answer(prepared, q, k)? {
            Answer::Ok => Ok(()),
            outcome => Err(self.failed(prepared, &outcome)),
        }
    }

    /// The same, whatever the answer is.
    ///
    /// # Errors
    /// If there is no memory for the call.
    pub fn answer(&mut self, prepared: &Prepared, q: &Tensor, k: &Tensor) -> Result<Answer, Halt> {
        let arena = if prepared.sparse {
            self.backend.sparse_arena(prepared.bytes)
        } else {
            self.backend.arena(prepared.bytes)
        };
        prepared.write(arena.map_err(|e| Halt::not_judged(e.to_string()))?, q, k);
        self.backend.guard(&prepared.guards);
        Ok(self.backend.call(&prepared.call))
    }

    /// The verdict for an answer that is not OK: with the place in memory, if the backend died of touching one.
    pub fn failed(&self, prepared: &Prepared, outcome: &Answer) -> Halt {
        let lost_backend = matches!(outcome, Answer::Died(_) | Answer::TimedOut(_));
        let mut failure = Failure { summary: outcome.to_string(), details: Vec::new(), lost_backend };
        let fault = self.backend.fault().filter(|_| lost_backend);
        if let Some((fault, place)) = fault.and_then(|f| Some((f, prepared.place(f.offset)?))) {
            let did = match fault.write {
                Some(true) => "it wrote",
                Some(false) => "it read",
                None => "it touched",
            };
            failure.summary = format!("{}; {did} {place}", failure.summary);
        }
        Halt::fail(Box::new(failure))
    }

    /// Prepares, fills, runs.
    ///
    /// # Errors
    /// Whatever stands in the way, as a verdict.
    pub fn execute(&mut self, case: &Case) -> Result<(Prepared, Outputs), Halt> {
        let prepared = self.prepare(case)?;
        let (q, k) = Self::inputs(case, &prepared);
        let outputs = self.run(&prepared, q, k)?;
        Ok((prepared, outputs))
    }

    /// The same case with other contents.
    #[must_use]
    pub fn with_data(case: &Case, data: Data) -> Case {
        Case { data, ..case.clone() }
    }

    /// Whether the level of a case takes its cosines and sines from the suite.
    #[must_use]
    pub fn trig_is_given(&self, level: Level) -> bool {
        use crate::case::Consume::{CosSin, CosSinCache};
        level == Level::Apply
            || self.backend.manifest().level(level).is_some_and(|l| l.consumes(CosSin) || l.consumes(CosSinCache))
    }
}
