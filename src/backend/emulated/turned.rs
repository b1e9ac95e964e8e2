//! Cosine and sine of many turns from those of one, by complex products in f32.

/// (cos, sin) times (cos, sin), each operation rounded to f32.
fn product((c, s): (f32, f32), (d, t): (f32, f32)) -> (f32, f32) {
    (c * d - s * t, s * d + c * t)
}

/// The cosine and sine of `times` turns of one that has these: squares of squares, so that it takes few products, and
/// errs by no more than as many products as turns.
pub(super) fn turned(one: (f64, f64), times: u64) -> (f64, f64) {
    let mut power = (one.0 as f32, one.1 as f32);
    let mut all: Option<(f32, f32)> = None;
    let mut left = times;
    while left > 0 {
        if left & 1 == 1 {
            all = Some(all.map_or(power, |so_far| product(so_far, power)));
        }
        left >>= 1;
        if left > 0 {
            power = product(power, power);
        }
    }
    let (cos, sin) = all.unwrap_or((1.0, 0.0));
    (f64::from(cos), f64::from(sin))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (2 sqrt 2 + sqrt 5) 2^-24 per turn, where (cos, sin) of one err by 2 ulps each; here they are rounded once.
    #[test]
    fn many_turns_err_by_no_more_than_as_many_products() {
        for step in [1.0f64, 0.3, 1e-3] {
            let one = (f64::from(step.cos() as f32), f64::from(step.sin() as f32));
            for times in [0u64, 1, 2, 3, 17, 1000, 4095, 65_536] {
                let (cos, sin) = turned(one, times);
                let angle = step * times as f64;
                let error = (cos - angle.cos()).hypot(sin - angle.sin());
                assert!(error <= times as f64 * 3.02e-7 + 1e-11, "{step} {times}: {error:e}");
            }
        }
        assert_eq!(turned((0.5, 0.25), 2), (0.1875, 0.25));
    }
}
