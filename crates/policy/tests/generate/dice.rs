//! Seeded choices.

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// A source of choices that a seed and a number determine.
pub(crate) struct Dice(TestRng);

impl Dice {
    /// The choices of one case.
    pub(crate) fn new(seed: u64, case: u64) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        // Spread over all bits, and never all zero, which this generator cannot leave.
        let case = case.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        bytes[8..].copy_from_slice(&case.to_le_bytes());
        let mut rng = TestRng::from_seed(RngAlgorithm::XorShift, &bytes);
        // The first outputs of neighbouring seeds are alike.
        for _ in 0..8 {
            rng.next_u64();
        }
        Self(rng)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.0.next_u64() % end).unwrap()
    }

    /// True in so many of a hundred cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of them, in so many of a hundred cases.
    pub(crate) fn maybe<T: Clone>(&mut self, percent: usize, from: &[T]) -> Option<T> {
        self.chance(percent).then(|| self.pick(from).clone())
    }

    /// A few of them, each once, in their order; more than `most` never.
    pub(crate) fn some_of<T: Clone>(&mut self, percent: usize, most: usize, from: &[T]) -> Vec<T> {
        let mut chosen: Vec<T> = from
            .iter()
            .filter(|_| self.chance(percent))
            .cloned()
            .collect();
        chosen.truncate(most);
        chosen
    }
}
