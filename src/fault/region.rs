//! Where a fault shows: a formula over the dimensions of a call.

use crate::case::{CallDimensions, Dimension};
use crate::check::cover::Class;
use crate::spec::expr::{Expr, ExprError, Name, Names, Type};

/// A set of calls, as a formula over their dimensions.
#[derive(Debug, Clone)]
pub struct Region {
    formula: Expr,
    uses: Vec<Dimension>,
}

/// Slots of words begin here; those of dimensions are their places.
const WORDS: usize = 1000;

/// A word of a dimension as a formula has it: identifiers have no `-` and begin with a letter.
fn identifier(word: &str) -> Option<String> {
    word.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| word.replace('-', "_"))
}

impl Region {
    /// The names of formulas: every dimension, and the words of its values.
    fn names() -> Names {
        let mut names = Names::new("where");
        for (slot, dimension) in Dimension::ALL.into_iter().enumerate() {
            names = names.with(dimension.name(), Name::Slot(slot));
        }
        for (word, value) in Dimension::ALL.into_iter().flat_map(|d| d.words().iter().zip(0..)) {
            // Dimensions of one kind share their words.
            names.add(identifier(word).unwrap_or_default(), Name::Slot(WORDS + value));
        }
        names
    }

    /// Reads a formula such as `q_heads == 32 && alias == in`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Region, ExprError> {
        let formula = Expr::parse(text, &Region::names(), Type::Boolean)?;
        let uses = Dimension::ALL.into_iter().enumerate();
        let uses = uses.filter(|(slot, _)| formula.uses(Name::Slot(*slot))).map(|(_, dimension)| dimension).collect();
        Ok(Region { formula, uses })
    }

    /// The calls that have all of these classes.
    #[must_use]
    pub fn of(classes: &[Class]) -> Option<Region> {
        let one = |Class { dimension, low, high }: &Class| {
            let name = dimension.name();
            if low == high { format!("{name} == {low}") } else { format!("{low} <= {name} && {name} <= {high}") }
        };
        Region::parse(&classes.iter().map(one).collect::<Vec<_>>().join(" && ")).ok()
    }

    /// The formula.
    #[must_use]
    pub fn text(&self) -> &str {
        self.formula.text()
    }

    /// Whether it depends on where single tokens are.
    #[must_use]
    pub fn is_about_tokens(&self) -> bool {
        self.uses.iter().any(|dimension| dimension.of_one_thing(Dimension::Position0))
    }

    /// Whether it holds of a call: for some of its tokens, of its grids, of its texts.
    #[must_use]
    pub fn holds(&self, call: &CallDimensions) -> bool {
        let alone: Vec<(Dimension, i64)> = call.iter().collect();
        let things: Vec<Vec<(Dimension, i64)>> = call.together().map(Iterator::collect).collect();
        let of_thing = |thing: Dimension| -> Vec<Vec<(Dimension, i64)>> {
            if !self.uses.iter().any(|dimension| dimension.of_one_thing(thing)) {
                return vec![Vec::new()];
            }
            let all = things.iter().filter(|values| values.iter().any(|(dimension, _)| dimension.of_one_thing(thing)));
            all.cloned().collect()
        };
        let (tokens, grids) = (of_thing(Dimension::Position0), of_thing(Dimension::Frames));
        tokens.iter().flat_map(|token| grids.iter().map(move |grid| (token, grid))).any(|(token, grid)| {
            let known: Vec<(Dimension, i64)> = token.iter().chain(grid).copied().collect();
            let rest: Vec<Dimension> =
                self.uses.iter().copied().filter(|d| known.iter().all(|(other, _)| other != d)).collect();
            self.some(known, &rest, &alone)
        })
    }

    /// Whether some values of the remaining dimensions make it hold.
    fn some(&self, known: Vec<(Dimension, i64)>, rest: &[Dimension], all: &[(Dimension, i64)]) -> bool {
        let Some((first, rest)) = rest.split_first() else { return self.is_true(&known) };
        let values = all.iter().filter(|(dimension, _)| dimension == first);
        values.clone().any(|value| self.some([known.clone(), vec![*value]].concat(), rest, all))
    }

    fn is_true(&self, known: &[(Dimension, i64)]) -> bool {
        let value = |name| match name {
            Name::Slot(word) if word >= WORDS => (word - WORDS) as f64,
            Name::Slot(slot) => Dimension::ALL
                .get(slot)
                .and_then(|dimension| known.iter().find(|(other, _)| other == dimension))
                .map_or(f64::NAN, |(_, value)| *value as f64),
            _ => f64::NAN,
        };
        self.formula.float(&value) == 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::positions::Layout;

    #[test]
    fn a_formula_holds_of_what_one_token_or_one_grid_has() {
        let layout = Layout::parse("text:5 video:4x3x7 text:2 image:9x2").unwrap();
        let call = CallDimensions::of_layouts(&[layout]);
        let holds = |text: &str| Region::parse(text).unwrap().holds(&call);
        assert!(holds("T == 4 && H == 3") && holds("T == 1 && W == 2") && holds("T == 4 && text == 5"));
        // Of two grids.
        assert!(!holds("T == 4 && W == 2") && !holds("H == 9 && W == 7"));
        assert!(holds("segments == 4 && neighbours == text_image") && !holds("neighbours == image_text"));
        assert!(holds("text > 3 || T > 100") && !holds("text > 5"));
    }

    #[test]
    fn classes_are_formulas() {
        let class = |dimension, low, high| Class { dimension, low, high };
        let region = Region::of(&[class(Dimension::Text, 3, 5), class(Dimension::Frames, 4, 4)]).unwrap();
        let holds = |layout: &str| region.holds(&CallDimensions::of_layouts(&[Layout::parse(layout).unwrap()]));
        assert!(holds("text:5 video:4x1x1") && !holds("text:6 video:4x1x1") && !holds("text:5 video:3x1x1"));
        let region = Region::of(&[class(Dimension::Position1, -12, -12), class(Dimension::Dtype, 2, 2)]).unwrap();
        assert!(region.is_about_tokens());
    }

    #[test]
    fn a_mistake_is_said() {
        let error = Region::parse("q_head == 3").unwrap_err();
        assert_eq!(error.suggestion.as_deref(), Some("q_heads"));
        assert!(Region::parse("q_heads + 1").is_err());
    }
}
