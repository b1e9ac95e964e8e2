//! Formulas on random trees: the value is that of an arithmetic that shares no code with `numeric`, however the formula is written.

use std::cmp::Ordering;

use dashu_int::IBig;
use proptest::prelude::*;

use crate::common::laws;
use ropecheck::numeric::Number;
use ropecheck::spec::expr::{Env, EvalError, Expr, Fold, Name, NameId, Names, Type};

const FILE: &str = "tests/regressions/evaluator_laws.txt";

/// A fraction of two integers of any size, never reduced: sign and size of both may be anything, but the denominator is not 0.
#[derive(Debug, Clone)]
struct Big(IBig, IBig);

impl Big {
    fn of(value: &Number) -> Big {
        let (n, d) = value.as_ratio().expect("an exact number");
        Big(n.into(), d.into())
    }

    fn add(&self, o: &Big) -> Big {
        Big(&self.0 * &o.1 + &o.0 * &self.1, &self.1 * &o.1)
    }

    fn negated(&self) -> Big {
        Big(-self.0.clone(), self.1.clone())
    }

    fn mul(&self, o: &Big) -> Big {
        Big(&self.0 * &o.0, &self.1 * &o.1)
    }

    fn div(&self, o: &Big) -> Option<Big> {
        (o.0 != IBig::ZERO).then(|| Big(&self.0 * &o.1, &self.1 * &o.0))
    }

    /// With a denominator above 0.
    fn upright(&self) -> (IBig, IBig) {
        if self.1 < IBig::ZERO { (-self.0.clone(), -self.1.clone()) } else { (self.0.clone(), self.1.clone()) }
    }

    fn floor(&self) -> Big {
        let (n, d) = self.upright();
        let (quotient, rest) = (&n / &d, &n % &d);
        // Division drops the fraction; below 0 that is upwards.
        Big(if rest < IBig::ZERO { quotient - IBig::ONE } else { quotient }, IBig::ONE)
    }

    fn cmp(&self, o: &Big) -> Ordering {
        let ((a, b), (c, d)) = (self.upright(), o.upright());
        (a * d).cmp(&(c * b))
    }

    fn is(&self, value: &Number) -> bool {
        self.cmp(&Big::of(value)).is_eq()
    }
}

/// A formula as a tree.
#[derive(Debug, Clone)]
enum Tree {
    Literal(u32, u32),
    Name(usize),
    Negate(Box<Tree>),
    Binary(char, Box<Tree>, Box<Tree>),
    Square(Box<Tree>),
    Floor(Box<Tree>),
    Ceil(Box<Tree>),
    Abs(Box<Tree>),
    Least(Box<Tree>, Box<Tree>),
    Choice(&'static str, Box<[Tree; 4]>),
}

const NAMES: [(&str, Name); 3] = [("p", Name::P), ("n", Name::N), ("axis.t", Name::Axis(0))];

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        (0u32..30, 0u32..4).prop_map(|(n, places)| Tree::Literal(n, places)),
        (0usize..3).prop_map(Tree::Name)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(Tree::Negate),
            (prop::sample::select(vec!['+', '-', '*', '/', '%']), boxed.clone(), boxed.clone())
                .prop_map(|(op, a, b)| Tree::Binary(op, a, b)),
            boxed.clone().prop_map(Tree::Square),
            boxed.clone().prop_map(Tree::Floor),
            boxed.clone().prop_map(Tree::Ceil),
            boxed.clone().prop_map(Tree::Abs),
            (boxed.clone(), boxed).prop_map(|(a, b)| Tree::Least(a, b)),
            (prop::sample::select(vec!["<", "<=", "==", "!=", ">", ">="]), prop::array::uniform4(inner))
                .prop_map(|(op, parts)| Tree::Choice(op, Box::new(parts))),
        ]
    })
}

impl Tree {
    /// How tightly the outermost operator binds.
    fn binding(&self) -> u8 {
        match self {
            Tree::Binary('+' | '-', ..) => 1,
            Tree::Binary(..) => 2,
            Tree::Negate(_) => 3,
            Tree::Square(_) => 4,
            _ => 5,
        }
    }

    /// As text, with as few parentheses as the table of docs/spec.md needs, or with all of them.
    fn text(&self, all: bool) -> String {
        let part = |tree: &Tree, least: u8| {
            let text = tree.text(all);
            if all || tree.binding() < least { format!("({text})") } else { text }
        };
        match self {
            Tree::Literal(n, 0) => n.to_string(),
            Tree::Literal(n, 1) => format!("{n}.25"),
            Tree::Literal(n, 2) => format!("{n}e2"),
            Tree::Literal(n, _) => format!("{n}.5e-1"),
            Tree::Name(at) => NAMES[*at].0.to_owned(),
            Tree::Negate(a) => format!("-{}", part(a, 3)),
            // Left to right: a right side of the same strength needs parentheses.
            Tree::Binary(op @ ('+' | '-'), a, b) => format!("{} {op} {}", part(a, 1), part(b, 2)),
            Tree::Binary(op, a, b) => format!("{}{op}{}", part(a, 2), part(b, 3)),
            Tree::Square(a) => format!("{}^2", part(a, 5)),
            Tree::Floor(a) => format!("floor({})", a.text(all)),
            Tree::Ceil(a) => format!("ceil({})", a.text(all)),
            Tree::Abs(a) => format!("abs({})", a.text(all)),
            Tree::Least(a, b) => format!("min({}, {})", a.text(all), b.text(all)),
            Tree::Choice(op, parts) => {
                let [a, b, c, d] = &**parts;
                format!("if({} {op} {}, {}, {})", part(a, 1), part(b, 1), c.text(all), d.text(all))
            }
        }
    }

    fn value(&self, names: &[Big; 3]) -> Option<Big> {
        let one = |n: u32| Big(n.into(), IBig::ONE);
        Some(match self {
            Tree::Literal(n, 0) => one(*n),
            Tree::Literal(n, 1) => Big((4 * n + 1).into(), 4.into()),
            Tree::Literal(n, 2) => one(100 * n),
            Tree::Literal(n, _) => Big((10 * n + 5).into(), 100.into()),
            Tree::Name(at) => names[*at].clone(),
            Tree::Negate(a) => a.value(names)?.negated(),
            Tree::Binary(op, a, b) => {
                let (a, b) = (a.value(names)?, b.value(names)?);
                match op {
                    '+' => a.add(&b),
                    '-' => a.add(&b.negated()),
                    '*' => a.mul(&b),
                    '/' => a.div(&b)?,
                    _ => a.add(&b.mul(&a.div(&b)?.floor()).negated()),
                }
            }
            Tree::Square(a) => {
                let a = a.value(names)?;
                a.mul(&a)
            }
            Tree::Floor(a) => a.value(names)?.floor(),
            Tree::Ceil(a) => a.value(names)?.negated().floor().negated(),
            Tree::Abs(a) => {
                let a = a.value(names)?;
                if a.cmp(&one(0)).is_lt() { a.negated() } else { a }
            }
            Tree::Least(a, b) => {
                let (a, b) = (a.value(names)?, b.value(names)?);
                if b.cmp(&a).is_lt() { b } else { a }
            }
            Tree::Choice(op, parts) => {
                let [a, b, c, d] = &**parts;
                let order = a.value(names)?.cmp(&b.value(names)?);
                let holds = match *op {
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    "==" => order.is_eq(),
                    "!=" => order.is_ne(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                };
                if holds { c.value(names)? } else { d.value(names)? }
            }
        })
    }
}

struct Values([Number; 3]);

impl Env for Values {
    fn value(&self, name: NameId) -> Result<Number, EvalError> {
        let at = NAMES.iter().position(|(_, other)| *other == name).ok_or(EvalError::NoValue(name))?;
        Ok(self.0[at].clone())
    }

    fn over_cells(&self, _: Fold, _: &Expr) -> Result<Number, EvalError> {
        Err(EvalError::NoCells)
    }
}

fn fraction() -> impl Strategy<Value = Number> {
    (-40i128..40, prop::sample::select(vec![1i128, 2, 3, 4, 10]))
        .prop_map(|(n, d)| Number::ratio(n, d).expect("a fraction"))
}

/// Numbers up to the ends of what fits.
fn any_number() -> impl Strategy<Value = Number> {
    let wide = (any::<i128>(), any::<i128>(), 0u32..127, 0u32..127);
    let far = wide.prop_filter_map("a fraction", |(n, d, by, down)| Number::ratio(n >> by, (d >> down).max(1)).ok());
    let ends = prop::sample::select(vec![
        i128::MAX,
        -i128::MAX,
        i128::MAX - 1,
        1 << 126,
        1,
        0,
        -1,
        i64::MAX.into(),
        i64::MIN.into(),
    ]);
    let end = (ends, 0i128..4).prop_filter_map("a fraction", |(n, less)| Number::ratio(n, i128::MAX - less).ok());
    prop_oneof![fraction(), far, end]
}

fn parse(text: &str) -> Result<Expr, TestCaseError> {
    let names = Names::new("a law").with_all(NAMES);
    Expr::parse(text, &names, Type::Number).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))
}

proptest! {
    #![proptest_config(laws(4000, FILE))]

    #[test]
    fn a_formula_is_worth_what_its_tree_is_worth(tree in trees(), names in prop::array::uniform3(fraction())) {
        let (few, all) = (tree.text(false), tree.text(true));
        let truth = tree.value(&[Big::of(&names[0]), Big::of(&names[1]), Big::of(&names[2])]);
        let values = Values(names);
        for text in [few, all] {
            let expr = match parse(&text) {
                Ok(expr) => expr,
                // What has only literals is worked out at once; a division by zero in it is an error of the formula.
                Err(error) if text.contains(['/', '%']) && error.to_string().contains("no value") => continue,
                Err(error) => return Err(error),
            };
            prop_assert_eq!(expr.text(), &text);
            prop_assert!(!expr.is_real());
            match (expr.number(&values), &truth) {
                (Ok(value), Some(truth)) => prop_assert!(truth.is(&value), "{} is {}, not {:?}", text, value, truth),
                // Too large for a fraction of two i128, or nothing to divide by: said, and never a wrong number.
                (Err(EvalError::Number { .. }), _) => {}
                (Ok(value), None) => prop_assert!(false, "{} is {} and divides by zero", text, value),
                (Err(error), _) => prop_assert!(false, "{}: {}", text, error),
            }
        }
    }

    #[test]
    fn sums_and_products_can_be_grouped_as_one_likes(a in any_number(), b in any_number(), c in any_number()) {
        let both = |x: Result<Number, _>, y: Result<Number, ropecheck::numeric::NumberError>| match (x, y) {
            (Ok(x), Ok(y)) => x == y,
            // What does not fit on one way may fit on the other.
            _ => true,
        };
        prop_assert!(both(a.add(&b).and_then(|s| s.add(&c)), b.add(&c).and_then(|s| a.add(&s))));
        prop_assert!(both(a.mul(&b).and_then(|s| s.mul(&c)), b.mul(&c).and_then(|s| a.mul(&s))));
        let spread = a.mul(&b).and_then(|ab| ab.add(&a.mul(&c)?));
        prop_assert!(both(b.add(&c).and_then(|s| a.mul(&s)), spread));
        prop_assert!(both(a.add(&b), b.add(&a)) && both(a.mul(&b), b.mul(&a)));
        prop_assert!(both(a.sub(&b), a.add(&b.neg())) && both(Ok(a.neg().neg()), Ok(a)));
    }

    #[test]
    fn arithmetic_at_the_ends_is_right_or_refused(a in any_number(), b in any_number()) {
        let (x, y) = (Big::of(&a), Big::of(&b));
        for (got, want) in [
            (a.add(&b), Some(x.add(&y))),
            (a.sub(&b), Some(x.add(&y.negated()))),
            (a.mul(&b), Some(x.mul(&y))),
            (a.div(&b), x.div(&y)),
            (a.floor(), Some(x.floor())),
            (a.ceil(), Some(x.negated().floor().negated())),
        ] {
            match (got, want) {
                (Ok(got), Some(want)) => prop_assert!(want.is(&got), "{} and {}: {}", a, b, got),
                (Ok(got), None) => prop_assert!(false, "{} / {} is {}", a, b, got),
                (Err(_), _) => {}
            }
        }
        prop_assert_eq!(a.cmp(&b), x.cmp(&y), "{} and {}", a, b);
        if let Ok(rest) = a.rem(&b) {
            // Floor division: the rest lies between 0 and the divisor, and has its sign.
            let inside = if b.is_negative() { rest <= Number::ZERO && rest > b } else { rest >= Number::ZERO && rest < b };
            prop_assert!(inside, "{} % {} is {}", a, b, rest);
        }
    }

    #[test]
    fn numbers_come_back_from_their_text(a in any_number()) {
        let text = a.to_string();
        let back = Number::parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(back, a);
    }
}
