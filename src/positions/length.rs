//! The length of sequences that share a call, which frequencies may depend on.

use crate::numeric::{Dd, Number};
use crate::spec::Parameters;
use crate::spec::model::Scheme;

use super::evaluate::Evaluation;
use super::layout::{Layout, Segment};
use super::sequence::PositionError;

/// The largest position on any axis plus 1, over all of these layouts; at least 1. Of a run of text its first and last
/// tokens are looked at, of an image or a video all, or its corners if there are many.
///
/// # Errors
/// [`PositionError`] if a formula fails.
pub fn length_of(scheme: &Scheme, parameters: &Parameters, layouts: &[Layout]) -> Result<Number, PositionError> {
    let mut largest = Number::ZERO;
    for layout in layouts {
        for window in looked_at(layout) {
            let found = Evaluation::new(scheme, parameters, layout).window(window).run()?;
            for position in found.columns().iter().flat_map(|column| (0..column.len()).filter_map(|i| column.get(i))) {
                largest = if position > largest { position } else { largest };
            }
        }
    }
    Ok(largest.add(&Number::ONE).unwrap_or(largest))
}

/// The same of positions that were handed over.
#[must_use]
pub fn length_at<'a>(positions: impl Iterator<Item = &'a Dd>) -> Number {
    // What is handed over is a number of its type, so the first part is all of it.
    let largest = positions.map(|position| position.hi).filter(|p| p.is_finite()).fold(0.0, f64::max);
    let exact = Number::from_f64(largest).and_then(|largest| largest.add(&Number::ONE));
    exact.unwrap_or(Number::ONE)
}

/// Tokens that are looked at, as windows.
fn looked_at(layout: &Layout) -> Vec<std::ops::Range<u64>> {
    const MANY: u64 = 1 << 16;
    let mut windows = Vec::new();
    for (index, segment) in layout.segments().iter().enumerate() {
        let range = layout.token_range(index);
        let mut one = |token: u64| windows.push(range.start + token..range.start + token + 1);
        match (segment, segment.grid()) {
            (Segment::Text(n), _) => {
                one(0);
                one(u64::from(n.saturating_sub(1)));
            }
            (_, Some([t, h, w])) if range.end - range.start > MANY => {
                let last = [t, h, w].map(|size| u64::from(size.saturating_sub(1)));
                for corner in 0u64..8 {
                    let [ct, ch, cw] = [corner & 4, corner & 2, corner & 1].map(|bit| u64::from(bit > 0));
                    let row = (ct * last[0]) * u64::from(h) + ch * last[1];
                    one(row * u64::from(w) + cw * last[2]);
                }
            }
            _ => windows.push(range),
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Library;

    fn length(scheme: &str, layouts: &[&str]) -> String {
        let library = Library::embedded().unwrap_or_else(|errors| panic!("{errors}"));
        let scheme = library.get(scheme).expect("a scheme");
        let parameters = Parameters::defaults(scheme).expect("defaults");
        let layouts: Vec<Layout> = layouts.iter().map(|text| Layout::parse(text).expect("a layout")).collect();
        length_of(scheme, &parameters, &layouts).expect("a length").to_string()
    }

    #[test]
    fn the_length_is_the_largest_position_of_all_rows_plus_one() {
        assert_eq!(length("rope", &["text:7"]), "7");
        assert_eq!(length("rope", &["text:7", "text:2 video:2x2x3 text:1"]), "15");
        assert_eq!(length("rope", &["text:2147483647"]), "2147483647");
        // h reaches 2 + 4 and the text after it starts at 7.
        assert_eq!(length("m-rope", &["text:2 image:5x2"]), "7");
        assert_eq!(length("m-rope", &["text:2 image:5x2 text:1"]), "8");
        assert_eq!(length("m-rope", &["text:2 video:2x300x200"]), "302", "corners of many cells");
        // Every position is below 0, or there is none.
        assert_eq!(length("rope", &[]), "1");
        assert_eq!(length_at([Dd::from_f64(-3.0), Dd::from_f64(-9.0)].iter()).to_string(), "1");
        assert_eq!(length_at([Dd::from_f64(2.5), Dd::from_f64(1.0)].iter()).to_string(), "3.5");
    }
}
