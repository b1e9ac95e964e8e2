//! What a self test found.

use serde::Serialize;

use crate::check::Failure;
use crate::numeric::DType;
use crate::run::exit_code::ExitCode;

/// What to try.
#[derive(Debug, Clone)]
pub struct SelfTestOptions {
    /// Storage types.
    pub dtypes: Vec<DType>,
    /// Checks; empty: all.
    pub checks: Vec<String>,
    /// Cases per check and band.
    pub cases: u32,
    /// Seed.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
    /// Whether honest kernels get the covering calls that a run makes.
    pub cover: bool,
}

/// How soon a check killed a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kill {
    /// Check or invariant.
    pub check: String,
    /// Cases of this check that ran until one failed, that one included.
    pub cases: u64,
}

/// One fault in one storage type.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DtypeResult {
    /// Storage type.
    pub dtype: String,
    /// The checks that killed it, in the order of the catalogue.
    pub kills: Vec<Kill>,
    /// Checks that ran and did not.
    pub spared: Vec<String>,
    /// Why it did not run.
    pub not_run: Option<String>,
    /// The first check that failed, and how.
    pub first: Option<(String, Failure)>,
}

/// One fault.
#[derive(Debug, Clone, Serialize)]
pub struct FaultResult {
    /// Id.
    pub id: String,
    /// Kind of mistake.
    pub class: String,
    /// What goes wrong.
    pub doc: String,
    /// Where it happened.
    pub bugs: Vec<String>,
    /// Why it does not exist in every storage type.
    pub why: String,
    /// The checks that must kill it.
    pub must: Vec<String>,
    /// The proof that it is no defect.
    pub equal: Option<String>,
    /// By storage type.
    pub outcomes: Vec<DtypeResult>,
}

impl FaultResult {
    /// Checks that killed it in every storage type that it exists in.
    #[must_use]
    pub fn killers(&self) -> Vec<&str> {
        let Some(first) = self.outcomes.first() else { return Vec::new() };
        let everywhere = |check: &str| self.outcomes.iter().all(|o| o.kills.iter().any(|k| k.check == check));
        first.kills.iter().map(|k| k.check.as_str()).filter(|check| everywhere(check)).collect()
    }

    /// What is not as it must be; empty if all is well.
    #[must_use]
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut all = Vec::new();
        for outcome in &self.outcomes {
            let (fault, dtype) = (self.id.clone(), outcome.dtype.clone());
            if let Some(why) = outcome.not_run.clone() {
                all.push(Complaint::NotRun { fault, dtype, why });
                continue;
            }
            match &self.equal {
                Some(_) => all.extend(outcome.kills.iter().map(|kill| Complaint::NoDefect {
                    fault: fault.clone(),
                    dtype: dtype.clone(),
                    check: kill.check.clone(),
                    failure: outcome.first.as_ref().map(|(_, failure)| Box::new(failure.clone())),
                })),
                None if outcome.kills.is_empty() => all.push(Complaint::Survives { fault, dtype }),
                None => {
                    let lost = self.must.iter().filter(|must| !outcome.kills.iter().any(|kill| kill.check == **must));
                    all.extend(lost.map(|check| Complaint::NotKilledBy {
                        fault: fault.clone(),
                        dtype: dtype.clone(),
                        check: check.clone(),
                    }));
                }
            }
        }
        if self.equal.is_none() && self.must.is_empty() {
            all.push(Complaint::NoMust { fault: self.id.clone() });
        }
        all
    }
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Complaint {
    /// A fault could not be tried.
    NotRun {
        /// Id of the fault.
        fault: String,
        /// Storage type.
        dtype: String,
        /// Why not.
        why: String,
    },
    /// A check fails a kernel that is proved to be right.
    NoDefect {
        /// Id of the fault that is none.
        fault: String,
        /// Storage type.
        dtype: String,
        /// The check that fails.
        check: String,
        /// The first failure.
        failure: Option<Box<Failure>>,
    },
    /// No check kills a fault.
    Survives {
        /// Id of the fault.
        fault: String,
        /// Storage type.
        dtype: String,
    },
    /// A check that must kill a fault no longer does.
    NotKilledBy {
        /// Id of the fault.
        fault: String,
        /// Storage type.
        dtype: String,
        /// The check.
        check: String,
    },
    /// A fault names no check that must kill it.
    NoMust {
        /// Id of the fault.
        fault: String,
    },
    /// An honest kernel is rejected.
    HonestRejected {
        /// The kernel.
        kernel: String,
        /// Storage type.
        dtype: String,
        /// Seed.
        seed: u64,
        /// What was held against it.
        rejection: Rejection,
    },
    /// Nothing was judged of an honest kernel.
    NothingJudged {
        /// The kernel.
        kernel: String,
        /// Storage type.
        dtype: String,
    },
}

/// What was held against an honest kernel.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Rejection {
    /// A check failed.
    Check {
        /// Which.
        check: String,
        /// The failure.
        failure: Box<Failure>,
    },
    /// It could not be run.
    NotRun {
        /// Why not.
        why: String,
    },
}

/// An honest kernel on one seed.
#[derive(Debug, Clone, Serialize)]
pub struct HonestResult {
    /// Which kernel.
    pub kernel: String,
    /// Storage type.
    pub dtype: String,
    /// Seed.
    pub seed: u64,
    /// Cases that passed.
    pub passed: u64,
    /// What was held against it.
    pub rejected: Vec<Rejection>,
}

/// What a self test found.
#[derive(Debug, Clone, Serialize)]
pub struct SelfTest {
    /// Version of ropecheck.
    pub ropecheck: String,
    /// Cases per check and band.
    pub cases: u32,
    /// Seed of the faults.
    pub seed: u64,
    /// Fault by fault.
    pub faults: Vec<FaultResult>,
    /// Honest kernels.
    pub honest: Vec<HonestResult>,
    /// What is not as it must be.
    pub complaints: Vec<Complaint>,
}

impl SelfTest {
    /// A report of these results.
    #[must_use]
    pub fn new(options: &SelfTestOptions, faults: Vec<FaultResult>, honest: Vec<HonestResult>) -> Self {
        let mut complaints: Vec<Complaint> = faults.iter().flat_map(FaultResult::complaints).collect();
        for result in &honest {
            let (kernel, dtype, seed) = (&result.kernel, &result.dtype, result.seed);
            complaints.extend(result.rejected.iter().map(|rejection| Complaint::HonestRejected {
                kernel: kernel.clone(),
                dtype: dtype.clone(),
                seed,
                rejection: rejection.clone(),
            }));
            if result.passed == 0 && result.rejected.is_empty() {
                complaints.push(Complaint::NothingJudged { kernel: kernel.clone(), dtype: dtype.clone() });
            }
        }
        let ropecheck = env!("CARGO_PKG_VERSION").to_owned();
        SelfTest { ropecheck, cases: options.cases, seed: options.seed, faults, honest, complaints }
    }

    /// The exit code that the contents call for.
    #[must_use]
    pub fn exit(&self) -> ExitCode {
        if self.faults.is_empty() && self.honest.is_empty() {
            ExitCode::NothingRan
        } else if self.complaints.is_empty() {
            ExitCode::Conformant
        } else {
            ExitCode::ControlFailed
        }
    }
}
