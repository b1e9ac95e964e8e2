//! Statements of a scheme are judged on positions that came from somewhere else, and a wrong one is found at its place.

use ropecheck::numeric::Number;
use ropecheck::positions::{Column, Layout, Next, PositionError, Positions, positions};
use ropecheck::property::{Checker, Outcome};
use ropecheck::spec::Library;
use ropecheck::spec::Parameters;
use ropecheck::spec::model::{Scheme, Stated};

fn library() -> Library {
    Library::embedded().unwrap_or_else(|errors| panic!("{errors}"))
}

/// The scheme's own positions with one changed by one, handed over as a backend would.
fn measured(scheme: &Scheme, layout: &Layout, token: usize, axis: usize) -> Positions {
    let parameters = Parameters::defaults(scheme).expect("defaults");
    let own = positions(scheme, &parameters, layout).expect("positions");
    let mut columns: Vec<Column> = own.columns().to_vec();
    let changed = columns[axis]
        .to_numbers()
        .into_iter()
        .enumerate()
        .map(|(at, value)| if at == token { value.add(&Number::ONE).expect("small") } else { value });
    columns[axis] = changed.collect();
    let next = (0..scheme.axes.len()).map(|axis| own.next().on(axis).expect("an axis").clone()).collect();
    Positions::measured(scheme, &parameters, layout, columns, Some(next)).expect("the same shape")
}

fn violated(library: &Library, name: &str, layout: &str, token: usize, axis: usize) -> Vec<(String, String)> {
    let scheme = library.get(name).expect("a scheme");
    let layout = Layout::parse(layout).expect("a layout");
    let parameters = Parameters::defaults(scheme).expect("defaults");
    let positions = measured(scheme, &layout, token, axis);
    let checker = Checker::new(library);
    let stated = scheme.invariants.iter().filter(|one| matches!(one.verdict, Stated::Holds) && one.with.is_empty());
    let outcomes = stated.map(|one| (one, checker.check(scheme, one, &parameters, &positions).expect("an outcome")));
    outcomes
        .filter_map(|(one, outcome)| match outcome {
            Outcome::Violated(violation) => Some((one.id.clone(), violation.place.to_string())),
            _ => None,
        })
        .collect()
}

#[test]
fn one_wrong_position_violates_what_speaks_of_it_and_nothing_else() {
    let library = library();
    let place = |text: &str| text.to_owned();
    // Token 5 is the cell (0, 1, 0) of the video.
    let found = violated(&library, "vrope", "text:3 video:2x2x2 text:2", 5, 0);
    let cell = "segment 1 (video:2x2x2), token 5, cell (t, h, w) = (0, 1, 0)";
    let frame = "segment 1 (video:2x2x2), frame 0";
    assert!(found.contains(&("symmetric-cancellation".to_owned(), place(cell))), "{found:?}");
    assert!(found.contains(&("unbiased".to_owned(), place(frame))), "{found:?}");
    assert!(!found.iter().any(|(id, _)| id == "non-negative" || id == "text-equals-1d"), "{found:?}");
    // A text token after the video: the boundary sees the first one.
    let found = violated(&library, "vrope", "text:3 video:2x2x2 text:2", 11, 2);
    let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["continuous-boundary", "text-equals-1d"]);
    assert_eq!(found[0].1, "segment 1 (video:2x2x2), axis v_pos");
    assert_eq!(found[1].1, "segment 2 (text:2), token 11, axis u_pos");
}

#[test]
fn an_unchanged_copy_violates_nothing() {
    let library = library();
    let layout = Layout::parse("text:3 video:2x3x2 image:2x2 text:2 video:1x4x3").expect("a layout");
    let checker = Checker::new(&library);
    for scheme in library.schemes() {
        let parameters = Parameters::defaults(scheme).expect("defaults");
        let own = positions(scheme, &parameters, &layout).expect("positions");
        let next = (0..scheme.axes.len()).map(|axis| own.next().on(axis).expect("an axis").clone()).collect();
        let copy = Positions::measured(scheme, &parameters, &layout, own.columns().to_vec(), Some(next));
        let copy = copy.expect("the same shape");
        for one in scheme.invariants.iter().filter(|one| one.with.is_empty() && one.length.is_none()) {
            let of = |positions| {
                let outcome = checker.check(scheme, one, &parameters, positions);
                matches!(outcome.expect("an outcome"), Outcome::Violated(_))
            };
            if matches!(one.verdict, Stated::Holds) {
                assert!(!of(&copy), "{} {}", scheme.id(), one.id);
            }
            // Without the position of text after the first video, which stands before an image, less can be judged.
            assert!(of(&own) || !of(&copy), "{} {}", scheme.id(), one.id);
        }
    }
}

#[test]
fn a_collision_names_its_tokens() {
    let library = library();
    let scheme = library.get("rope-share").expect("a scheme");
    let stated = scheme.invariants.iter().find(|one| one.id == "no-collision").expect("stated");
    let parameters = Parameters::defaults(scheme).expect("defaults");
    let layout = Layout::parse("text:2 video:2x1x2").expect("a layout");
    let outcome = Checker::new(&library).evaluate(scheme, stated, &parameters, &layout).expect("an outcome");
    let Outcome::Violated(violation) = outcome else { panic!("{outcome:?}") };
    let expected = "the whole sequence: `collisions == 0` is false with collisions = 2; tokens 2 and 3 are both at (2)";
    assert_eq!(violation.to_string(), expected);
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let library = library();
    let scheme = library.get("m-rope").expect("a scheme");
    let parameters = Parameters::defaults(scheme).expect("defaults");
    let layout = Layout::parse("text:2").expect("a layout");
    let column: Column = [0, 1].into_iter().map(Number::from_i64).collect();
    let short: Column = std::iter::once(Number::ZERO).collect();
    let with = |columns, next| Positions::measured(scheme, &parameters, &layout, columns, next);
    assert!(with(vec![column.clone(); 3], None).is_ok());
    assert!(matches!(with(vec![column.clone(); 2], None), Err(PositionError::Shape { .. })));
    assert!(matches!(with(vec![column.clone(), column.clone(), short], None), Err(PositionError::Shape { .. })));
    assert!(matches!(with(vec![column.clone(); 3], Some(vec![Number::ZERO])), Err(PositionError::Shape { .. })));
    // m-rope has one running position; a backend whose axes go on apart from each other is taken as it is.
    let next = |values: [i64; 3]| {
        let positions =
            with(vec![column.clone(); 3], Some(values.map(Number::from_i64).to_vec())).expect("the same shape");
        positions.next().clone()
    };
    assert_eq!(next([5, 5, 5]), Next::Shared(Number::from_i64(5)));
    assert_eq!(next([5, 5, 6]), Next::PerAxis([5, 5, 6].map(Number::from_i64).to_vec()));
}
