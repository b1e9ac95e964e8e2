//! What a run found. Serialised as it stands, it is the JSON verdict: no time, host, path or thread count in it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::backend::Manifest;
use crate::case::{Case, Consume, Level, pairing_name};
use crate::check::{Coverage, Failure, Gap, GradeTally, Group, Verdict};

use super::{Anchors, ContractInForce, ControlResult, Grade, Reached};

/// Exit codes of the program: documented, stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything that was judged holds.
    Conformant = 0,
    /// Something does not hold, or a case crashed or hung.
    Nonconformant = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// A spec, a parameter or a configuration is invalid or missing.
    Spec = 3,
    /// Nothing ran.
    NothingRan = 4,
    /// A control failed: the suite's own verdicts cannot be believed.
    ControlFailed = 5,
    /// The backend could not be started, or died in every case.
    NotStarted = 6,
    /// A defect of ropecheck.
    Internal = 70,
    /// Interrupted; the report is partial.
    Interrupted = 130,
}

/// The cases of one band.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BandResult {
    /// Cases that ran.
    pub cases: u64,
    /// Those in which it held.
    pub passed: u64,
    /// Those in which it did not.
    pub failed: u64,
    /// Those in which nothing could be concluded.
    pub not_judged: u64,
    /// Elements judged.
    pub elements: u64,
    /// Elements where an honest kernel may overflow.
    pub range_not_judged: u64,
    /// Elements whose angle is beyond what the contract claims anything for.
    pub beyond_angle_limit: u64,
    /// Largest error / bound.
    pub worst: f64,
    /// Where.
    pub worst_place: String,
    /// Pairs whose angle was observable, by the number of rotated pairs.
    #[serde(skip_serializing_if = "Coverage::is_empty")]
    pub observed: Coverage,
    /// Largest position judged, where the backend is given positions or finds them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_position: Option<i64>,
    /// Why nothing could be concluded, each reason once.
    pub reasons: Vec<String>,
    /// What else there is to say of cases in which it held, such as what could not be seen; each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What the cases say of the arithmetic.
    #[serde(skip)]
    pub grade: GradeTally,
}

/// A failing case.
#[derive(Debug, Clone, Serialize)]
pub struct FailureReport {
    /// Id of the case that failed first, stable under a seed.
    pub id: String,
    /// The shrunk case: what `replay` takes.
    pub case: String,
    /// One line.
    pub summary: String,
    /// More lines.
    pub details: Vec<String>,
    /// True if the backend died or hung.
    pub lost_backend: bool,
}

impl FailureReport {
    /// A report of `failure` on the shrunk `case`.
    #[must_use]
    pub fn new(id: String, case: &Case, failure: Failure) -> Self {
        FailureReport {
            id,
            case: case.to_string(),
            summary: failure.summary,
            details: failure.details,
            lost_backend: failure.lost_backend,
        }
    }
}

/// One check on one group.
#[derive(Debug, Clone, Serialize)]
pub struct CheckResult {
    /// Scheme and profile.
    pub scheme: String,
    /// Level.
    pub level: Level,
    /// Pairing.
    pub pairing: String,
    /// Storage type; `-` on level positions.
    pub dtype: String,
    /// Check id.
    pub check: String,
    /// By band.
    pub bands: BTreeMap<String, BandResult>,
    /// Failing cases; the first one is shrunk.
    pub failures: Vec<FailureReport>,
    /// Errors in what the suite was given (spec, parameters).
    pub broken: Vec<String>,
    /// Defects of ropecheck itself that showed here.
    pub internal: Vec<String>,
    /// What could not be covered.
    #[serde(serialize_with = "gaps")]
    pub gaps: Vec<Gap>,
    /// Why not all cases ran.
    pub stopped: Option<String>,
}

fn gaps<S: serde::Serializer>(gaps: &[Gap], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(gaps.iter().map(|g| format!("{}: {}", g.band, g.why)))
}

impl CheckResult {
    /// Nothing yet.
    #[must_use]
    pub fn new(group: &Group, check: &str) -> Self {
        let tensors = group.level != Level::Positions;
        let name = |text: &str| if tensors { text.to_owned() } else { "-".to_owned() };
        CheckResult {
            scheme: group.scheme.clone(),
            level: group.level,
            pairing: name(pairing_name(group.pairing)),
            dtype: name(group.dtype.name()),
            check: check.to_owned(),
            bands: BTreeMap::new(),
            failures: Vec::new(),
            broken: Vec::new(),
            internal: Vec::new(),
            gaps: Vec::new(),
            stopped: None,
        }
    }

    /// The same, as if its cases had not run.
    #[must_use]
    pub fn not_run(self, why: &str) -> Self {
        if self.bands.is_empty() && self.internal.is_empty() {
            // There were none, or it was never started.
            return self;
        }
        CheckResult {
            bands: BTreeMap::new(),
            failures: Vec::new(),
            broken: Vec::new(),
            internal: Vec::new(),
            stopped: Some(why.to_owned()),
            ..self
        }
    }

    /// The stable id of a case.
    #[must_use]
    pub fn case_id(&self, band: &str, number: usize) -> String {
        let CheckResult { scheme, level, pairing, dtype, check, .. } = self;
        format!("{scheme}/{level}/{pairing}/{check}/{dtype}/{band}/{number:04}")
    }

    /// Whether there is anything to report.
    #[must_use]
    pub fn has_content(&self) -> bool {
        !self.bands.is_empty() || !self.internal.is_empty() || !self.gaps.is_empty() || self.stopped.is_some()
    }

    /// Adds a case.
    pub fn count(&mut self, band: &str, verdict: &Verdict) {
        let entry = self.bands.entry(band.to_owned()).or_default();
        entry.cases += 1;
        match verdict {
            Verdict::Pass(measure) if measure.elements == 0 => {
                // Nothing failed because nothing was looked at.
                entry.not_judged += 1;
                entry.range_not_judged += measure.range_not_judged;
                entry.beyond_angle_limit += measure.beyond_angle_limit;
                let none = vec!["no element could be judged".to_owned()];
                for why in if measure.notes.is_empty() { &none } else { &measure.notes } {
                    if !entry.reasons.contains(why) {
                        entry.reasons.push(why.clone());
                    }
                }
            }
            Verdict::Pass(measure) => {
                entry.passed += 1;
                entry.elements += measure.elements;
                entry.range_not_judged += measure.range_not_judged;
                entry.observed.merge(&measure.observed);
                entry.grade.merge(&measure.grade);
                entry.largest_position = entry.largest_position.max(measure.largest);
                entry.beyond_angle_limit += measure.beyond_angle_limit;
                if measure.worst > entry.worst {
                    entry.worst = measure.worst;
                    entry.worst_place.clone_from(&measure.place);
                }
                for note in &measure.notes {
                    if !entry.notes.contains(note) {
                        entry.notes.push(note.clone());
                    }
                }
            }
            Verdict::Fail(_) => entry.failed += 1,
            Verdict::NotJudged(why) => {
                entry.not_judged += 1;
                if !entry.reasons.contains(why) {
                    entry.reasons.push(why.clone());
                }
            }
            Verdict::Broken(why) => {
                entry.not_judged += 1;
                if !self.broken.contains(why) {
                    self.broken.push(why.clone());
                }
            }
        }
    }

    /// Sums over the bands: cases, passed, failed.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u64) {
        self.bands.values().fold((0, 0, 0), |(c, p, f), b| (c + b.cases, p + b.passed, f + b.failed))
    }

    /// Largest error / bound over the bands.
    #[must_use]
    pub fn worst(&self) -> f64 {
        self.bands.values().map(|b| b.worst).fold(0.0, f64::max)
    }
}

/// What the suite supplied on a level, and therefore nobody judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotJudged {
    /// Level.
    pub level: Level,
    /// Such as `positions`, `axis map`, `frequencies`.
    pub parts: Vec<String>,
}

/// What is not judged on each level, because the suite supplies it.
#[must_use]
pub fn not_judged(manifest: &Manifest, levels: &[Level]) -> Vec<NotJudged> {
    let of = |consumes: &dyn Fn(Consume) -> bool| {
        let mut parts: Vec<&str> = Vec::new();
        let given = consumes(Consume::CosSin);
        let cached = consumes(Consume::CosSinCache);
        if given || consumes(Consume::Positions) {
            parts.push("positions");
        }
        if given || consumes(Consume::AxisOfPair) {
            parts.push("axis map");
        }
        if given || cached || consumes(Consume::InvFreq) {
            parts.push("frequencies");
        }
        if given || cached {
            parts.push("cos and sin");
        }
        parts.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    manifest
        .levels
        .iter()
        .filter(|(level, _)| levels.contains(level))
        .map(|(level, m)| NotJudged { level: *level, parts: of(&|c| m.consumes(c)) })
        .filter(|n| !n.parts.is_empty())
        .collect()
}

/// What a run found.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// Version of ropecheck.
    pub ropecheck: String,
    /// SHA-256 over all schemes, in name order.
    pub specs: String,
    /// Seed.
    pub seed: u64,
    /// Cases per check and band.
    pub cases: u32,
    /// The backend's name and version, from its manifest.
    pub backend: String,
    /// The device whose memory the calls used, for people: a verdict in JSON is about no machine.
    #[serde(skip)]
    pub device: Option<String>,
    /// True if the backend is ropecheck's own kernel.
    pub embedded: bool,
    /// What the backend says of itself.
    pub manifest: Manifest,
    /// What its outputs were held to, per level and storage type.
    pub contracts: Vec<ContractInForce>,
    /// What the user gave with `--contract`: a replay needs it again.
    pub contract_options: Vec<String>,
    /// Control kernels.
    pub controls: Vec<ControlResult>,
    /// What shares no code with ropecheck.
    pub anchors: Anchors,
    /// Statements of the specs about themselves: judged on the spec, not on the backend.
    pub spec_statements: SpecStatements,
    /// Check by check.
    pub results: Vec<CheckResult>,
    /// How far each level that knows positions was judged.
    pub reached: Vec<Reached>,
    /// The arithmetic that the backend turned out to have.
    pub grades: Vec<Grade>,
    /// What the suite supplied.
    pub not_judged: Vec<NotJudged>,
    /// Interrupted before the end.
    pub partial: bool,
    /// The verdict in a word.
    pub verdict: String,
    /// Exit code.
    pub exit_code: u8,
}

/// How the specs' own statements fared.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SpecStatements {
    /// Statements confirmed.
    pub confirmed: u64,
    /// Statements that are not true.
    pub refuted: Vec<String>,
}

impl RunReport {
    /// The exit code that the contents call for.
    #[must_use]
    pub fn exit(&self) -> ExitCode {
        let ran: u64 = self.results.iter().map(|r| r.totals().0).sum();
        let (passed, failed) =
            self.results.iter().map(CheckResult::totals).fold((0, 0), |(p, f), (_, a, b)| (p + a, f + b));
        let failures = || self.results.iter().flat_map(|r| &r.failures);
        let broken = self.results.iter().any(|r| !r.broken.is_empty()) || !self.spec_statements.refuted.is_empty();
        if self.results.iter().any(|r| !r.internal.is_empty()) {
            ExitCode::Internal
        } else if self.partial {
            ExitCode::Interrupted
        } else if broken || !self.anchors.mismatches.is_empty() {
            ExitCode::Spec
        } else if self.controls.iter().any(|c| !c.ok) {
            ExitCode::ControlFailed
        } else if ran > 0 && passed == 0 && failed > 0 && failures().all(|f| f.lost_backend) {
            ExitCode::NotStarted
        } else if failed > 0 {
            ExitCode::Nonconformant
        } else if passed == 0 {
            ExitCode::NothingRan
        } else {
            ExitCode::Conformant
        }
    }
}

/// SHA-256 over the texts of all schemes, in name order.
#[must_use]
pub fn digest(library: &crate::spec::Library) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for scheme in library.schemes() {
        hash.update(format!("{} {}\n", scheme.id(), scheme.sha256));
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 of the spec of one scheme; empty if there is no such scheme.
#[must_use]
pub fn digest_of(library: &crate::spec::Library, scheme: &str) -> String {
    library.get(scheme).map(|s| s.sha256.clone()).unwrap_or_default()
}
