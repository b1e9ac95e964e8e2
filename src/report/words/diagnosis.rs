//! What explains failures, in words.

use crate::run::{Diagnosis, Explanation, Resemblance, ValueOrigin};

/// Most reports of a defect that are named.
const REPORTS: usize = 3;

/// Lines about a finding, each with the word that stands before it.
pub(in crate::report) fn diagnosis(diagnosis: &Diagnosis) -> Vec<(&'static str, String)> {
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    lines.extend(diagnosis.values.as_ref().map(|values| ("value", value(values))));
    let Some(best) = diagnosis.explanations.first() else { return lines };
    let ids = |one: &Explanation| one.faults.iter().map(|fault| fault.id.as_str()).collect::<Vec<_>>().join(" with ");
    let says: Vec<&str> = best.faults.iter().map(|fault| fault.says.trim_end_matches('.')).collect();
    let of = diagnosis.failures.len();
    let shown = match (best.reproduces, of) {
        (_, 1) => "its case".to_owned(),
        (all, of) if all == of => format!("all {of} cases that were tried"),
        (some, of) => format!("{some} of {of} cases that were tried"),
    };
    let how = if best.exact { " bit by bit" } else { "" };
    lines.push(("likely", format!("{} ({}: a kernel with it shows {shown}{how})", says.join("; and "), ids(best))));
    let mut look: Vec<&str> = best.faults.iter().map(|fault| fault.look.as_str()).collect();
    look.dedup();
    let bugs: Vec<&str> = best.faults.iter().flat_map(|fault| &fault.bugs).map(String::as_str).collect();
    let more = if bugs.len() > REPORTS { format!(" and {} more", bugs.len() - REPORTS) } else { String::new() };
    let bugs = bugs.iter().take(REPORTS).copied().collect::<Vec<_>>().join(", ");
    lines.push(("look", format!("{}; seen in {bugs}{more}", look.join("; "))));
    let others = |equal: bool| {
        let others = diagnosis.explanations[1..].iter().filter(|other| (other.rank == best.rank) == equal);
        others.map(ids).collect::<Vec<_>>().join(", ")
    };
    let (equal, others) = (others(true), others(false));
    let also = match (equal.is_empty(), others.is_empty()) {
        (true, true) => return lines,
        (false, true) => format!("{equal} in the same way"),
        (true, false) => format!("less likely {others}"),
        (false, false) => format!("{equal} in the same way; less likely {others}"),
    };
    lines.push(("or", also));
    lines
}

fn value(values: &Resemblance) -> String {
    let of = |what: &str, further: Option<isize>| match further {
        Some(1) => format!("the right output of the next {what}"),
        Some(-1) => format!("the right output of the {what} before"),
        Some(by) => format!("the right output of the {what} {by} further on"),
        None => format!("the right output of {what} 0"),
    };
    let is = match values.origin {
        ValueOrigin::Unwritten => "what memory held before the call: never written".to_owned(),
        ValueOrigin::Zero => "0".to_owned(),
        ValueOrigin::Input => "the input at the same place, not turned".to_owned(),
        ValueOrigin::EarlierCall => "what an earlier call of the same shape wrote there".to_owned(),
        ValueOrigin::OtherRow { further } => of("row", further),
        ValueOrigin::OtherToken { further } => of("token", further),
        ValueOrigin::OtherHead { further } => of("head", further),
        ValueOrigin::Negative => "the right output with the other sign".to_owned(),
        ValueOrigin::Narrower { dtype } => format!("a number of {dtype}, to which right ones are not rounded"),
    };
    let all = if values.wrong == 1 { "the wrong element is" } else { "each wrong element is" };
    format!("{all} {is} ({} of {} elements are wrong)", values.wrong, values.of)
}
