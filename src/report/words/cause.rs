//! Causes in words.

use super::circumstance::output;
use super::element;
use super::law;
use super::number::number;
use super::place::{memory, place, token};
use crate::backend::FloatSetting;
use crate::backend::ForeignText;
use crate::case::Part;
use crate::check::failure::{
    Authority, BitsOf, Cause, EmptyOf, Fitting, Instant, Nonsense, OtherTurn, Place, PositionRelation, StatedAxis,
    Status, Surroundings, TrivialKernel, ValueState, WrongAxis,
};

/// Most runs of pairs that are shown.
const MOST_RUNS: usize = 8;

/// A summary and lines of evidence.
pub(super) fn lines(cause: &Cause, at: &Place) -> Vec<String> {
    let here = place(at);
    match cause {
        Cause::OutOfBound(error) => {
            let mut lines = element::lines(error);
            lines[0].insert_str(0, &format!("{here}: "));
            lines
        }
        Cause::NonFiniteLost { input, observed } => {
            let must = if input.0.is_nan() { "NaN" } else { "infinite or NaN" };
            let (holds, is) = (number(input.0, None), number(observed.value.0, None));
            vec![format!("{here}: the pair holds {holds}, so it must be {must}, and came back as {is}")]
        }
        Cause::NotPreserved { expected, observed } => {
            let never = if observed.state == ValueState::Poison { " (the poison: never written)" } else { "" };
            let (was, is) = (number(expected.0, None), number(observed.value.0, None));
            vec![format!("{here}: outside the rotary width, must stay {was}, came back as {is}{never}")]
        }
        Cause::StrayChannel(stray) => {
            let expected = match stray.partner {
                Some(partner) => format!("its partner is channel {partner}"),
                None => "it lies outside the rotary width and must pass through".to_owned(),
            };
            let (channel, reached, value) = (stray.channel, stray.reached, number(stray.value.0, None));
            let mut lines = vec![format!("a 1 on channel {channel} reaches channel {reached} ({value}); {expected}")];
            if let Some(found) = stray.found {
                let (found, asked) = (crate::case::pairing_name(found), crate::case::pairing_name(stray.asked));
                lines.push(format!(
                    "that is the partner under the other pairing: the kernel pairs {found}, {asked} was asked for"
                ));
            }
            lines
        }
        Cause::WrongTurn { channel, cos, sin, expected, opposite, element, at } => {
            let found = [cos, sin].map(|value| six(value.0));
            let says = expected.map(|value| six(value.0));
            let (back, must) = (found.join(", its partner as "), says.join(" and "));
            let mut lines = vec![format!("a 1 on channel {channel} comes back as {back}; the scheme says {must}")];
            let [cosine, sine] = [0, 1].map(|at| found[at] == says[at]);
            let what = match (cosine, sine) {
                _ if *opposite => Some("the sine has the wrong sign: the pair turns the other way"),
                (false, false) if found[0] == says[1] && found[1] == says[0] => Some("cosine and sine are exchanged"),
                (true, false) => Some("the cosine is right, and the sine is not"),
                (false, true) => Some("the sine is right, and the cosine is not"),
                _ => None,
            };
            lines.extend(what.map(str::to_owned));
            lines.extend(self::lines(element, at));
            lines
        }
        Cause::WrongAxis(wrong) => wrong_axis(wrong),
        Cause::WrongFrequency {
            expected,
            observed,
            shift,
            length,
            attention_scaling,
            wrong_pairs,
            of_pairs,
            base,
            over_head_dim,
        } => {
            let pair = at.pair.unwrap_or(0);
            let found = observed.map_or("at no one frequency".to_owned(), |f| format!("by {} per position", six(f.0)));
            let head = at.head.map(|head| format!(" in head {head}")).unwrap_or_default();
            let (of, right) = (length.map(|length| six(length.0)), six(attention_scaling.0));
            let summary = match of.filter(|of| *of != right) {
                _ if let Some(shift) = shift => {
                    format!("pair {pair} turns at positions off by {shift:+}, as fast as the scheme says")
                }
                // What differs comes first.
                Some(of) if observed.is_some_and(|f| six(f.0) == six(expected.0)) => {
                    format!("pair {pair} has length {of}, the scheme says {right}; it turns as the scheme says")
                }
                _ => format!("pair {pair} turns {found}, the scheme says {}", six(expected.0)),
            };
            let mut lines = vec![summary, format!("{} of {of_pairs} pairs are off{head}", wrong_pairs.len())];
            lines.extend(length.map(|length| {
                format!("length of pair {pair}: {}, attention_scaling is {}", six(length.0), six(attention_scaling.0))
            }));
            if *over_head_dim {
                let base = "the scheme's base with exponents 2i/head_dim, and not 2i/rotary_dim,";
                lines.push(format!("{base} explains {of_pairs} of {of_pairs} pairs"));
            } else {
                lines.extend(base.map(|base| format!("base {:.6e} explains {of_pairs} of {of_pairs} pairs", base.0)));
            }
            lines
        }
        Cause::TurnsWithoutAxis => {
            vec![format!("pair {} is on no axis and must not turn, but it does", at.pair.unwrap_or(0))]
        }
        Cause::NoFrequency { position, observed, expected } => vec![format!(
            "pair {} is ({}, {}) after (1, 0) at position {}, the scheme says ({}, {})",
            at.pair.unwrap_or(0),
            six(observed[0].0),
            six(observed[1].0),
            position.0,
            six(expected[0].0),
            six(expected[1].0)
        )],
        Cause::LawBroken { law, expected, observed, error, allowed } => {
            law::lines(law, at, [*expected, *observed, *error, *allowed])
        }
        Cause::BitsDiffer { than, elements } => bits(than, *elements, at),
        Cause::WrongPosition { against, expected, observed } => {
            let found = observed.as_deref().unwrap_or("nothing");
            let says = match against {
                Authority::Scheme => format!("the scheme says {expected}"),
                Authority::Golden => format!("the golden one is {expected}"),
            };
            vec![match token(at) {
                Some(token) => format!("{token}: position on axis {} is {found}, {says}", axis(at)),
                None => format!("text goes on at {found} on axis {}, {says}", axis(at)),
            }]
        }
        Cause::PositionsDisagree { relation, expected, observed } => {
            vec![disagree(relation, expected, observed, at)]
        }
        Cause::NoPosition { observed } => {
            let row = at.row.map(|row| format!("row {row}, ")).unwrap_or_default();
            let token = at.token.map_or("the text after the layout".to_owned(), |token| format!("token {token}"));
            let value = number(observed.0, None);
            vec![format!("{row}{token}, axis {}: {value} is no position (never written?)", axis(at))]
        }
        Cause::NoPositionFits { expected } => vec![
            format!(
                "{}: the pairs of axis {} fit no position near the scheme's, which is {expected}",
                token(at).unwrap_or(here),
                axis(at)
            ),
            "a wrong frequency, axis map, sign or pairing shows like this too: see the probes".to_owned(),
        ],
        Cause::InvariantBroken { statement, violation, layout, .. } => {
            vec![format!("{}: {violation}", statement.trim_end_matches('.')), format!("layout {layout}")]
        }
        Cause::Trivial { kernel } => vec![format!("the backend behaves as the control kernel {}", trivial(*kernel))],
        Cause::MemoryWritten { part, at } => {
            let what = match part {
                Part::Input => "an input was changed",
                Part::Gap => "a gap between elements was written",
                Part::Outside => "memory outside of every buffer was written",
            };
            vec![format!("{what}: {}", memory(at))]
        }
        Cause::NotWritten { at } => {
            vec![format!("never written: {}", memory(at)), "or computed from what lay there before".to_owned()]
        }
        Cause::EmptyCallWrote { without, at } => {
            let without = match without {
                EmptyOf::Tokens => "tokens",
                EmptyOf::Rows => "rows",
            };
            vec![format!("a call without {without} wrote {}", memory(at))]
        }
        Cause::DependsOnSurroundings { what } => {
            let what = match what {
                Surroundings::Positions => "positions",
                Surroundings::StableBits => "bits of the result, which the manifest calls stable,",
            };
            vec![format!("{what} depend on what lies outside of the buffers")]
        }
        Cause::NonsenseAccepted { nonsense } => {
            refusal(format!("{} is accepted: the call returned OK", self::nonsense(*nonsense)))
        }
        Cause::NonsenseWrote { nonsense, bytes, first } => refusal(format!(
            "{} is refused, but {bytes} bytes were written before that, first at {first}",
            self::nonsense(*nonsense)
        )),
        Cause::Refused { status, message } => {
            let status = match status {
                Status::Unsupported => "UNSUPPORTED",
                Status::BadArgument => "BAD_ARGUMENT",
            };
            vec![with(format!("returned {status} for a call inside its manifest"), message)]
        }
        Cause::BackendError { message, nonsense } => {
            meant_to_be_refused(with("returned INTERNAL".to_owned(), message), *nonsense)
        }
        Cause::Crashed { death, access, nonsense } => {
            let touched = access.as_ref().map(|access| {
                let did = match access.write {
                    Some(true) => "it wrote",
                    Some(false) => "it read",
                    None => "it touched",
                };
                format!("; {did} {}", memory(&access.at))
            });
            let died = format!("the backend died: {death}{}", touched.unwrap_or_default());
            meant_to_be_refused(died, *nonsense)
        }
        Cause::Hung { seconds, doing, again, nonsense } => {
            let limit = std::time::Duration::try_from_secs_f64(*seconds).unwrap_or_default();
            let tries = match again {
                Some(true) => " in two tries",
                Some(false) => "; asked again, it answered",
                None => "",
            };
            let hung = format!("the backend hung: no answer within {limit:?}{tries} ({doing})");
            meant_to_be_refused(hung, *nonsense)
        }
        Cause::EnvironmentChanged { by, settings, words } => environment(*by, settings, *words),
    }
}

fn with(what: String, message: &ForeignText) -> String {
    if message.is_empty() { what } else { format!("{what}: {message}") }
}

fn six(value: f64) -> String {
    if value.is_finite() { format!("{value:.6}") } else { number(value, None) }
}

fn axis(at: &Place) -> &str {
    at.axis.as_ref().and_then(|axis| axis.name.as_deref()).unwrap_or("?")
}

fn refusal(summary: String) -> Vec<String> {
    vec![
        summary,
        "the rest of the call is one that the manifest offers, and was answered with OK".to_owned(),
        "expected BAD_ARGUMENT or UNSUPPORTED, and untouched memory".to_owned(),
    ]
}

fn meant_to_be_refused(summary: String, nonsense: Option<Nonsense>) -> Vec<String> {
    match nonsense {
        Some(nonsense) => refusal(format!("{}: {summary}", self::nonsense(nonsense))),
        None => vec![summary],
    }
}

fn nonsense(nonsense: Nonsense) -> &'static str {
    match nonsense {
        Nonsense::OddRotaryDim => "an odd rotary_dim",
        Nonsense::WideRotaryDim => "a rotary_dim above head_dim",
        Nonsense::RotaryPastHead => "a rotary part that ends after the head",
        Nonsense::MissingAxis => "an axis that the call does not have",
        Nonsense::IntegerTensors => "q and k of type i32",
        Nonsense::TokensPastLayout => "tokens after the end of the layout",
    }
}

fn trivial(kernel: TrivialKernel) -> String {
    match kernel {
        TrivialKernel::Zero { side } => format!("zero: every element of {} is 0", output(side)),
        TrivialKernel::Echo => {
            "echo: every element still holds the poison from before the call, so nothing was written".into()
        }
        TrivialKernel::Nan => "NaN: every element was written, and is NaN".into(),
        TrivialKernel::Identity { side } => format!("identity: {} comes back as it was", super::place::side(side)),
        TrivialKernel::Stale => "stale: another input gives the same output".into(),
    }
}

/// A turn that fits a run of pairs, in words.
fn other_turn(turn: &OtherTurn<String>, run: &Fitting) -> String {
    let mut text = format!("with {}", turn.axis);
    if turn.further != 0 {
        let frequency = match run.first.checked_add_signed(turn.further) {
            Some(pair) if run.first == run.last => format!("pair {pair}"),
            _ => format!("the pair {} further {}", turn.further.abs(), if turn.further > 0 { "on" } else { "back" }),
        };
        text.push_str(&format!(" at the frequency of {frequency}"));
    }
    if turn.backwards {
        text.push_str(" backwards");
    }
    if turn.shift != 0 {
        text.push_str(&format!(" at positions off by {:+}", turn.shift));
    }
    if turn.length.0 != 1.0 {
        text.push_str(&format!(", and its length is {} times the right one", six(turn.length.0)));
    }
    text
}

fn wrong_axis(wrong: &WrongAxis) -> Vec<String> {
    let name = |axis: &StatedAxis| axis.clone().unwrap_or_else(|| "none".into());
    let found = |run: &Fitting| match (&run.fits[..], &run.found) {
        ([], Some(turn)) => other_turn(turn, run),
        ([], None) => "with no axis' position (wrong frequency, sign, pairing or position?)".to_owned(),
        ([None], _) => "not at all".to_owned(),
        (fits, _) => format!("with {}", fits.iter().map(name).collect::<Vec<_>>().join(" or ")),
    };
    let mut lines = Vec::new();
    if let Some(run) = wrong.runs.first() {
        lines.push(format!("pair {} turns {}, the scheme says {}", run.first, found(run), name(&run.stated)));
    }
    for run in wrong.runs.iter().take(MOST_RUNS) {
        let Fitting { first, last, stated, .. } = run;
        let pairs = if first == last { format!("pair {first}") } else { format!("pairs {first} to {last}") };
        lines.push(format!("{pairs}: turns {}, expected {}", found(run), name(stated)));
    }
    if wrong.runs.len() > MOST_RUNS {
        lines.push(format!("and {} more", wrong.runs.len() - MOST_RUNS));
    }
    lines.push(format!("seen on {} of {} pairs of head {}", wrong.wrong, wrong.of_pairs, wrong.head));
    lines
}

fn bits(than: &BitsOf, elements: Option<[usize; 2]>, at: &Place) -> Vec<String> {
    let stable = "the values are within their bounds; the manifest claims bit_stable".to_owned();
    let differ =
        elements.map_or("elements have other bits".to_owned(), |[n, of]| format!("{n} of {of} elements differ"));
    match than {
        BitsOf::FirstRun => vec![
            format!("{differ} from the first run of the same call"),
            "same bytes, same places; a race, or memory that was never written".to_owned(),
            "all values are within their bounds; bit_stable: false would declare this".to_owned(),
        ],
        BitsOf::FirstCall => vec![format!("{differ} from the first call"), stable],
        BitsOf::OutOfPlace => {
            vec!["other bits than out of place, though the manifest calls them stable".to_owned(), stable]
        }
        BitsOf::WholeSequence => {
            vec![format!("{}: other bits than when all tokens are asked for", place(at)), stable]
        }
        BitsOf::SequenceAlone => {
            vec![format!("{}: other bits than when its sequence is alone", place(at)), stable]
        }
        BitsOf::OtherContents => {
            vec![format!("{}: other bits than with other contents of the other rows", place(at)), stable]
        }
        BitsOf::EqualRow { at: other } => {
            vec![format!("{}: other bits than the equal row at {}", place(at), place(other)), stable]
        }
    }
}

fn disagree(relation: &PositionRelation, expected: &str, observed: &str, at: &Place) -> String {
    let row = at.row.map(|row| format!("row {row}")).into_iter();
    let token = at.token.map(|token| format!("token {token}")).into_iter();
    let named: Vec<String> = row.chain(token).collect();
    let here = if named.is_empty() { "next".to_owned() } else { named.join(", ") };
    let axis = axis(at);
    match relation {
        PositionRelation::StartShift { more } => format!(
            "{here}: {more} more text tokens in front move axis {axis} by {observed}, the scheme says {expected}"
        ),
        PositionRelation::Appended { number, goes_on } => format!(
            "{here}, number {number} of the appended ones, is at {observed} on axis {axis}; text was said to go on at \
             {goes_on}"
        ),
        PositionRelation::Chunk { start, end } => format!(
            "{here} on axis {axis}: {observed} when tokens {start}..{end} are asked for, {expected} when all are"
        ),
    }
}

fn environment(by: Instant, settings: &[FloatSetting], words: [u64; 2]) -> Vec<String> {
    let names: Vec<String> = settings.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    let mut lines = vec![match by {
        Instant::Load => format!("loading the library changes {names}"),
        Instant::Call => format!("the call changes {names} and does not put it back"),
    }];
    lines.push(format!("control word {:#06x} before, {:#06x} after", words[0], words[1]));
    if by == Instant::Load && settings.iter().all(|s| s.is_about_subnormals()) {
        lines.push("linking with -ffast-math does this; a contract that flushes would declare it".to_owned());
    }
    lines
}
