//! The backend under test, together with everything a check needs to call it and to know the truth.

use crate::backend::manifest::is_beside;
use crate::backend::{Answer, Backend, Doing, Hang};
use crate::case::call::{QkView, TensorView};
use crate::case::{
    Alias, BesideDtype, Case, Consume, Data, Level, PrepareError, Prepared, Tensor, Truth, fill, prepare,
};
use crate::contract::{Contract, ContractTable};
use crate::numeric::Rng;
use crate::rotation::PlanCache;
use crate::spec::Library;
use crate::spec::model::Scheme;

use super::cost::{Room, spent};
use super::failure::{Cause, Failure, MemoryAccess, Status, Stop};
use super::offers::{layouts_refused, parameters_refused};

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
    /// Whether what judged calls had is recorded.
    pub records: bool,
    /// Largest error / bound that is known already: only above it are errors measured exactly.
    pub worst: f64,
}

/// What went in and came out, as values.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// Queries that went in.
    pub q: Tensor,
    /// Keys that went in.
    pub k: Tensor,
    /// Queries that came out.
    pub q_out: Tensor,
    /// Keys that came out.
    pub k_out: Tensor,
}

impl From<PrepareError> for Stop {
    fn from(error: PrepareError) -> Stop {
        match error {
            PrepareError::NotApplicable(why) => Stop::not_judged(why),
            PrepareError::Wrong(why) => Stop::broken(why),
        }
    }
}

impl<'a> Harness<'a> {
    /// The scheme of a case.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn scheme(&self, case: &Case) -> Result<&'a Scheme, Stop> {
        self.library.get(&case.scheme).map(|s| &**s).map_err(|e| Stop::broken(e.to_string()))
    }

    /// The contract that the backend declares for a case, or the user in its place.
    ///
    /// # Errors
    /// If the manifest names none, or one that does not exist.
    pub fn contract(&self, case: &Case) -> Result<Contract, Stop> {
        let level = self.backend.manifest().level(case.level);
        let declared = level.and_then(|l| l.contract(case.dtype));
        let name = self.contracts.in_force(case.dtype, declared);
        let name = name.ok_or_else(|| Stop::broken(format!("no contract for {} {}", case.level, case.dtype.name())))?;
        name.resolve(self.contracts).map_err(Stop::broken)
    }

    /// Makes a case concrete for this backend.
    ///
    /// # Errors
    /// As [`prepare`]; what is outside of the manifest's limits is not judged.
    pub fn prepare(&self, case: &Case) -> Result<Prepared, Stop> {
        let prepared = self.prepare_anywhere(case)?;
        spent(Room::Prepare, || self.inside_limits(case, &prepared))?;
        Ok(prepared)
    }

    /// Makes a case concrete for positions beyond what the manifest allows, which only a check of that very
    /// thing asks for.
    ///
    /// # Errors
    /// As [`prepare`]; heads and frequencies that the manifest does not offer are not judged.
    pub fn prepare_anywhere(&self, case: &Case) -> Result<Prepared, Stop> {
        spent(Room::Prepare, || self.made_concrete(case))
    }

    fn made_concrete(&self, case: &Case) -> Result<Prepared, Stop> {
        let scheme = self.scheme(case)?;
        let level = self.backend.manifest().level(case.level);
        let level = level.ok_or_else(|| Stop::broken(format!("the backend has no level {}", case.level)))?;
        let manifest = self.backend.manifest();
        let alignment = usize::try_from(manifest.alignment).unwrap_or(1);
        if let Some(why) = layouts_refused(manifest, case.level, &case.layouts) {
            return Err(Stop::not_judged(why));
        }
        let prepared = prepare(case, scheme, self.plans, &level.consumes, alignment)?;
        let shape = prepared.truth.as_ref().map(|truth| truth.plan.shape);
        let refused = parameters_refused(manifest, scheme, self.plans, &case.parameters, shape);
        if let Some(why) = refused.filter(|_| case.level != Level::Apply) {
            return Err(Stop::not_judged(why));
        }
        let offset = |truth: &Truth| u32::try_from(truth.rotary_offset).unwrap_or(u32::MAX);
        let refused = prepared
            .truth
            .as_ref()
            .and_then(|truth| manifest.refuses(case.level, scheme, &truth.plan, (case.head_dim, offset(truth))))
            .map(|refusal| refusal.to_string());
        let given = prepared.truth.as_ref().is_some_and(|truth| truth.given.is_some());
        let offers = |list: &[BesideDtype], one| is_beside(list, one, case.dtype);
        let beside = offers(&manifest.table_dtypes, case.table_dtype);
        let half = !level.consumes(Consume::CosSin) || manifest.table_widths.contains(&case.table_width);
        let refused = refused.or_else(|| {
            let offered = !given || half && beside;
            (!offered).then(|| "tables of a type or width that the manifest does not offer".to_owned())
        });
        let types = (case.k_heads == 0 || offers(&manifest.k_dtypes, case.k_dtype))
            && (case.alias == Alias::In || offers(&manifest.output_dtypes, case.output_dtype));
        let refused = refused.or_else(|| {
            let offered = case.level == Level::Positions || types;
            (!offered).then(|| "keys or outputs of a type that the manifest does not offer".to_owned())
        });
        refused.map_or(Ok(prepared), |why| Err(Stop::not_judged(why)))
    }

    /// Positions outside of what the manifest allows are never sent, nor asked for; nor are more tokens or
    /// larger distances of elements than it allows.
    fn inside_limits(&self, case: &Case, prepared: &Prepared) -> Result<(), Stop> {
        let manifest = self.backend.manifest();
        if i64::try_from(case.tokens()).is_ok_and(|tokens| tokens > manifest.max_tokens) {
            return Err(Stop::not_judged(format!(
                "more tokens than the manifest's max_tokens, {}",
                manifest.max_tokens
            )));
        }
        let longest = prepared.call.qk().into_iter().flat_map(QkView::tensors).map(TensorView::span).max();
        if longest.is_some_and(|span| i64::try_from(span).is_ok_and(|span| span > manifest.max_offset)) {
            let most = manifest.max_offset;
            return Err(Stop::not_judged(format!("elements further apart than the manifest's max_offset, {most}")));
        }
        let (least, most) = (manifest.min_position as f64, manifest.max_position as f64);
        let test = |position: f64| {
            // Without the position, so that a report has each reason once.
            if position < least {
                return Err(Stop::not_judged(format!("positions below the manifest's min_position, {least}")));
            }
            if position > most {
                return Err(Stop::not_judged(format!("positions above the manifest's max_position, {most}")));
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
        let kind = |dtype| (case.data, dtype, case.pairing);
        spent(Room::Memory, || {
            let q = fill(kind(qk.q.dtype), qk.q.shape, truth, 0, rng.fork(1));
            let k = match &qk.k {
                Some(k) => fill(kind(k.dtype), k.shape, truth, qk.q_heads, rng.fork(2)),
                None => Tensor::default(),
            };
            (q, k)
        })
    }

    /// Runs a prepared case on given inputs.
    ///
    /// # Errors
    /// The failing verdict if the backend did not answer OK.
    pub fn run(&mut self, prepared: &Prepared, q: Tensor, k: Tensor) -> Result<Outputs, Stop> {
        self.call(prepared, &q, &k)?;
        let (q_out, k_out) = spent(Room::Memory, || prepared.read(self.backend.memory()));
        Ok(Outputs { q, k, q_out, k_out })
    }

    /// Calls the backend; its memory then holds the answer.
    ///
    /// # Errors
    /// The failing verdict if the backend did not answer OK.
    pub fn call(&mut self, prepared: &Prepared, q: &Tensor, k: &Tensor) -> Result<(), Stop> {
        match self.answer(prepared, q, k)? {
            Answer::Ok => Ok(()),
            outcome => Err(self.failed(prepared, &outcome)),
        }
    }

    /// Calls the backend, and gives its answer whatever it is. A hang, and a death that may come from
    /// outside, are tried again in a fresh process before they count.
    ///
    /// # Errors
    /// If there is no memory for the call.
    pub fn answer(&mut self, prepared: &Prepared, q: &Tensor, k: &Tensor) -> Result<Answer, Stop> {
        let first = self.try_once(prepared, q, k)?;
        match &first {
            Answer::TimedOut(hang) => match (self.try_once(prepared, q, k)?, hang.doing) {
                (Answer::TimedOut(second), _) => Ok(Answer::TimedOut(Hang { again: Some(true), ..second })),
                // The machine was too busy to run it.
                (answer, Doing::Starved) => Ok(answer),
                _ => Ok(Answer::TimedOut(Hang { again: Some(false), ..*hang })),
            },
            Answer::Died(death) if death.may_come_from_outside() => self.try_once(prepared, q, k),
            _ => Ok(first),
        }
    }

    fn try_once(&mut self, prepared: &Prepared, q: &Tensor, k: &Tensor) -> Result<Answer, Stop> {
        let arena = if prepared.sparse {
            self.backend.sparse_arena(prepared.bytes)
        } else {
            self.backend.arena(prepared.bytes)
        };
        let arena = arena?;
        spent(Room::Memory, || prepared.write(arena, q, k));
        self.backend.guard(&prepared.guards);
        match spent(Room::Call, || self.backend.call(&prepared.call)) {
            Answer::NotMade(error) => Err(error.into()),
            answer => Ok(answer),
        }
    }

    /// The failure of an answer that is not OK: with the place in memory, if the backend died of touching
    /// one.
    #[must_use]
    pub fn failed(&self, prepared: &Prepared, answer: &Answer) -> Stop {
        let cause = match answer {
            Answer::Died(death) => {
                let access = self
                    .backend
                    .fault()
                    .and_then(|fault| Some(MemoryAccess { write: fault.write, at: prepared.place(fault.offset)? }));
                Cause::Crashed { death: death.clone(), access, nonsense: None }
            }
            Answer::TimedOut(Hang { limit, doing, again }) => {
                Cause::Hung { seconds: limit.as_secs_f64(), doing: *doing, again: *again, nonsense: None }
            }
            Answer::NotMade(error) => return error.clone().into(),
            Answer::Unsupported(message) => Cause::Refused { status: Status::Unsupported, message: message.clone() },
            Answer::BadArgument(message) => Cause::Refused { status: Status::BadArgument, message: message.clone() },
            Answer::Internal(message) => Cause::BackendError { message: message.clone(), nonsense: None },
            Answer::Ok => return Stop::broken("an answer of OK is no failure"),
        };
        Stop::Failed(Failure::of_call(cause))
    }

    /// Prepares, fills, runs.
    ///
    /// # Errors
    /// Whatever stands in the way, as a verdict.
    pub fn execute(&mut self, case: &Case) -> Result<(Prepared, Outputs), Stop> {
        let prepared = self.prepare(case)?;
        let (q, k) = Self::inputs(case, &prepared);
        let outputs = self.run(&prepared, q, k)?;
        Ok((prepared, outputs))
    }

    /// The case with other contents.
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
