//! Laws that positions of every scheme obey, on random layouts.

use std::sync::OnceLock;

use proptest::prelude::*;

use crate::common::laws;
use ropecheck::numeric::Number;
use ropecheck::positions::{Column, Evaluation, Layout, Next, PositionError, Positions, Segment, positions};
use ropecheck::spec::Library;
use ropecheck::spec::Parameters;
use ropecheck::spec::expr::Name;
use ropecheck::spec::model::{Running, Scheme, Step};

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| Library::embedded().unwrap_or_else(|errors| panic!("{errors}")))
}

fn segment() -> impl Strategy<Value = Segment> {
    let seconds = prop_oneof![Just((1, 1)), Just((1, 2)), Just((1, 3)), Just((5, 4)), Just((29, 100))];
    prop_oneof![
        (1u32..6).prop_map(Segment::Text),
        (1u32..5, 1u32..5).prop_map(|(h, w)| Segment::Image { h, w }),
        (1u32..5, 1u32..5, 1u32..5, seconds).prop_map(|(t, h, w, (num, den))| {
            let seconds = Number::ratio(num, den).expect("a fraction");
            Segment::Video { t, h, w, seconds }
        }),
    ]
}

fn layout() -> impl Strategy<Value = Layout> {
    prop::collection::vec(segment(), 1..5).prop_map(|segments| Layout::new(segments).expect("a small layout"))
}

fn run(scheme: &Scheme, layout: &Layout) -> Positions {
    let parameters = Parameters::defaults(scheme).expect("defaults");
    positions(scheme, &parameters, layout).unwrap_or_else(|error| panic!("{error}"))
}

/// Whether some position formula looks at where in the sequence it stands.
fn has_sequence_state(scheme: &Scheme) -> bool {
    let visual = scheme.image.iter().chain([&scheme.video]);
    let rules = visual.flat_map(|rule| {
        let (Step::Advance(step) | Step::Next(step)) = &rule.step;
        rule.lets.iter().map(|one| &one.formula).chain(&rule.axes).chain(step)
    });
    let (Step::Advance(step) | Step::Next(step)) = &scheme.text.step;
    let state = [Name::Token, Name::Token0, Name::Segment, Name::FramesBefore, Name::VisualBefore, Name::FirstVisual];
    rules.chain(&scheme.text.axes).chain(step).any(|formula| state.iter().any(|&name| formula.uses(name)))
}

proptest! {
    #![proptest_config(laws(48, "tests/regressions/positions_laws.txt"))]

    #[test]
    fn a_window_is_a_slice_of_the_whole(layout in layout(), a in 0.0f64..1.0, b in 0.0f64..1.0) {
        let tokens = layout.tokens();
        let cut = |at: f64| (at * (tokens + 1) as f64) as u64;
        let (from, to) = (cut(a).min(cut(b)), cut(a).max(cut(b)));
        for scheme in library().schemes() {
            let parameters = Parameters::defaults(scheme).expect("defaults");
            let whole = run(scheme, &layout);
            let window = Evaluation::new(scheme, &parameters, &layout).window(from..to).run().expect("positions");
            prop_assert_eq!(window.next(), whole.next());
            prop_assert_eq!(window.contexts(), whole.contexts());
            for (axis, column) in window.columns().iter().enumerate() {
                let slice = &whole.column(axis).expect("an axis").to_numbers()[from as usize..to as usize];
                prop_assert_eq!(&column.to_numbers()[..], slice);
            }
        }
    }

    #[test]
    fn two_layouts_in_a_row_are_the_second_going_on_from_the_first(first in layout(), second in layout()) {
        let both = first.followed_by(&second).expect("a small layout");
        for scheme in library().schemes() {
            let parameters = Parameters::defaults(scheme).expect("defaults");
            let head = run(scheme, &first);
            let tail = Evaluation::new(scheme, &parameters, &second).from(head.origin_after()).run().expect("positions");
            let whole = run(scheme, &both);
            prop_assert_eq!(tail.next(), whole.next(), "{}", scheme.id());
            prop_assert_eq!(tail.origin_after(), whole.origin_after());
            for (axis, column) in tail.columns().iter().enumerate() {
                let whole = whole.column(axis).expect("an axis").to_numbers();
                prop_assert_eq!(&column.to_numbers()[..], &whole[first.tokens() as usize..], "{}", scheme.id());
            }
        }
    }

    #[test]
    fn text_alone_counts_in_equal_steps_on_every_axis(runs in prop::collection::vec(1u32..6, 1..5)) {
        let layout = Layout::new(runs.iter().map(|&n| Segment::Text(n)).collect()).expect("a layout");
        for scheme in library().schemes() {
            let positions = run(scheme, &layout);
            // TAD-RoPE's text steps by 1 + gamma; whatever the step, it does not depend on how text is cut into runs.
            let one = run(scheme, &Layout::new(vec![Segment::Text(layout.tokens() as u32)]).expect("a layout"));
            prop_assert_eq!(positions.columns(), one.columns());
            prop_assert_eq!(positions.next(), one.next());
            for column in positions.columns() {
                let values = column.to_numbers();
                prop_assert_eq!(&values[0], &Number::ZERO);
                let step = values.get(1).cloned().unwrap_or(Number::ONE);
                for (index, value) in values.iter().enumerate() {
                    let expected = step.mul(&Number::from_i64(index as i64)).expect("small");
                    prop_assert_eq!(value, &expected, "{}", scheme.id());
                }
            }
        }
    }

    #[test]
    fn a_longer_text_before_shifts_everything_after_it(layout in layout(), n in 1u32..9, more in 1u32..9) {
        let after = |text: u32| Layout::new(vec![Segment::Text(text)]).expect("text").followed_by(&layout).expect("small");
        for scheme in library().schemes() {
            if has_sequence_state(scheme) {
                continue;
            }
            let (short, long) = (run(scheme, &after(n)), run(scheme, &after(n + more)));
            let text = run(scheme, &Layout::new(vec![Segment::Text(more)]).expect("text"));
            for axis in 0..scheme.axes.len() {
                let shift = text.next().on(axis).expect("an axis");
                let short = &short.column(axis).expect("an axis").to_numbers()[n as usize..];
                let long = &long.column(axis).expect("an axis").to_numbers()[(n + more) as usize..];
                for (short, long) in short.iter().zip(long) {
                    prop_assert_eq!(&short.add(shift).expect("small"), long, "{}", scheme.id());
                }
            }
        }
    }

    /// Prefill in pieces: every chunk after the first goes on from the one before it, wherever it is cut.
    #[test]
    fn chunks_of_any_size_are_the_whole(layout in layout(), sizes in prop::collection::vec(1u64..9, 1..40)) {
        for scheme in library().schemes() {
            let parameters = Parameters::defaults(scheme).expect("defaults");
            let whole = run(scheme, &layout);
            let mut chunks: Vec<Vec<Number>> = vec![Vec::new(); scheme.axes.len()];
            let mut from = 0u64;
            for size in sizes.iter().copied().chain([u64::MAX]) {
                let to = from.saturating_add(size).min(layout.tokens());
                let chunk = Evaluation::new(scheme, &parameters, &layout).window(from..to).run().expect("positions");
                for (axis, column) in chunk.columns().iter().enumerate() {
                    chunks[axis].extend(column.to_numbers());
                }
                from = to;
            }
            for (axis, chunks) in chunks.iter().enumerate() {
                prop_assert_eq!(chunks, &whole.column(axis).expect("an axis").to_numbers(), "{}", scheme.id());
            }
        }
    }

    /// What a run says comes next is what one more text token gets; on every axis, after every layout.
    #[test]
    fn next_is_where_one_more_text_token_goes(layout in layout()) {
        let one = Layout::new(vec![Segment::Text(1)]).expect("text");
        let longer = layout.followed_by(&one).expect("a small layout");
        for scheme in library().schemes() {
            let (before, after) = (run(scheme, &layout), run(scheme, &longer));
            for axis in 0..scheme.axes.len() {
                let last = after.column(axis).expect("an axis").get(layout.tokens() as usize);
                prop_assert_eq!(last.as_ref(), before.next().on(axis), "{} {}", scheme.id(), layout);
            }
        }
    }

    #[test]
    fn layouts_come_back_from_their_text(layout in layout()) {
        prop_assert_eq!(Layout::parse(&layout.to_string()), Ok(layout.clone()));
        prop_assert_eq!(Layout::from_json(&layout.to_json()), Ok(layout));
    }

    #[test]
    fn measured_positions_that_are_the_schemes_own_say_the_same(layout in layout()) {
        for scheme in library().schemes() {
            let parameters = Parameters::defaults(scheme).expect("defaults");
            let own = run(scheme, &layout);
            let next = (0..scheme.axes.len()).map(|axis| own.next().on(axis).expect("an axis").clone()).collect();
            let measured = Positions::measured(scheme, &parameters, &layout, own.columns().to_vec(), Some(next));
            let measured = measured.expect("the same shape");
            prop_assert_eq!(measured.columns(), own.columns());
            prop_assert_eq!(measured.next(), own.next());
            for segment in 0..layout.segments().len() {
                if let Some(resume) = measured.resume_after(segment) {
                    prop_assert_eq!(Some(resume), own.resume_after(segment), "{} {}", scheme.id(), layout);
                }
            }
        }
    }
}

#[test]
fn a_window_behind_a_long_prefix_is_cheap() {
    let library = library();
    // Two thousand million tokens before the window: only an implementation that skips them comes back.
    let layout = Layout::parse("text:2000000000 video:100x100x1000 text:5").expect("a layout");
    for scheme in library.schemes() {
        let parameters = Parameters::defaults(scheme).expect("defaults");
        let tokens = layout.tokens();
        let last = Evaluation::new(scheme, &parameters, &layout).window(tokens - 7..tokens).run();
        let last = last.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(last.columns()[0].len(), 7, "{}", scheme.id());
        let whole = positions(scheme, &parameters, &layout);
        assert!(matches!(whole, Err(PositionError::TooLarge { .. })));
    }
}

#[test]
fn windows_outside_of_the_layout_are_refused() {
    let library = library();
    let scheme = library.get("rope").expect("a scheme");
    let parameters = Parameters::defaults(scheme).expect("defaults");
    let layout = Layout::parse("text:5").expect("a layout");
    let at = |window| Evaluation::new(scheme, &parameters, &layout).window(window).run();
    assert!(at(5..5).is_ok_and(|positions| positions.column(0).is_some_and(Column::is_empty)));
    #[allow(clippy::reversed_empty_ranges)]
    for window in [3..6, 6..6, 4..3] {
        assert!(matches!(at(window), Err(PositionError::Window { .. })));
    }
}

#[test]
fn axes_with_their_own_running_positions_end_apart() {
    let library = library();
    let scheme = library.get("rope-compact").expect("a scheme");
    assert_eq!(scheme.running, Running::PerAxis);
    let positions = run(scheme, &Layout::parse("text:2 video:3x4x5 text:1").expect("a layout"));
    let expected = [2 + 3 + 1, 2 + 4 + 1, 2 + 5 + 1].map(Number::from_i64).to_vec();
    assert_eq!(positions.next(), &Next::PerAxis(expected));
}
