//! Measures functions in turns, so that what else the machine does falls on all alike.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// A function to be timed, with what it is called in the table.
pub type Timed<'a> = Box<dyn FnMut() + 'a>;

/// Times functions in rounds; in every round each one runs for about `slice`, in turns.
///
/// Answers the nanoseconds of one call, one median over the rounds for each function.
#[must_use]
pub fn medians(functions: &mut [Timed<'_>], rounds: usize, slice: Duration) -> Vec<f64> {
    let calls: Vec<u32> = functions.iter_mut().map(|f| calls_in(f, slice)).collect();
    let mut samples: Vec<Vec<f64>> = vec![Vec::with_capacity(rounds); functions.len()];
    for _ in 0..rounds {
        for ((function, calls), samples) in functions.iter_mut().zip(&calls).zip(&mut samples) {
            samples.push(nanoseconds(function, *calls));
        }
    }
    samples.into_iter().map(median).collect()
}

/// The median; not a number where there are no samples.
#[must_use]
pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let upper = samples.get(samples.len() / 2).copied();
    let lower = samples.get(samples.len().saturating_sub(1) / 2).copied();
    lower
        .zip(upper)
        .map_or(f64::NAN, |(a, b)| f64::midpoint(a, b))
}

/// Warms up, and finds how often a function runs in a slice of time.
fn calls_in(function: &mut Timed<'_>, slice: Duration) -> u32 {
    let mut calls = 1_u32;
    loop {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(&mut *function)();
        }
        if start.elapsed() >= slice {
            return calls;
        }
        calls = calls.saturating_mul(2);
    }
}

fn nanoseconds(function: &mut Timed<'_>, calls: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        black_box(&mut *function)();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!(median(Vec::new()).is_nan());
    }
}
