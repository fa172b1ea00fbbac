//! Draws that are the same on every machine and in every version.
//!
//! `ChaCha` with eight rounds, by its definition (RFC 8439, with a 64-bit stream number): neither the
//! generator nor what is made of its words may change, or the same seed gives another registry.
//! **Absent on purpose:** the distributions of a library, which may change with its versions.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Parts of a whole: shares are in ten-thousandths.
pub(super) const WHOLE: u32 = 10_000;

/// Keeps these draws apart from everybody else's; the seed is mixed into it.
const KEY: [u8; 32] = *b"icpgate: an invented registry, 1";

/// What words are drawn for. Each purpose has words of its own, so that one can be drawn without
/// the other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Who holds which names.
    Plan = 0,
    /// Everything else.
    Details = 1,
}

/// A source of draws for one cell.
pub(super) struct Dice(ChaCha8Rng);

/// Values with their shares in ten-thousandths; one takes what the others leave.
pub(super) struct Shares<T: 'static> {
    rows: &'static [(u32, T)],
    rest: T,
}

impl<T> Shares<T> {
    /// A table. Shares that are more than the whole do not compile.
    pub(super) const fn new(rows: &'static [(u32, T)], rest: T) -> Self {
        let mut sum = 0;
        let mut left = rows;
        while let [(share, _), more @ ..] = left {
            sum += *share;
            left = more;
        }
        assert!(sum <= WHOLE, "shares are more than the whole");
        Self { rows, rest }
    }
}

impl Dice {
    /// The draws of a cell for a purpose.
    pub(super) fn new(seed: u64, cell: u64, purpose: Purpose) -> Self {
        let mut key = KEY;
        for (octet, seed) in key.iter_mut().zip(seed.to_le_bytes()) {
            *octet ^= seed;
        }
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(cell.wrapping_mul(2).wrapping_add(purpose as u64));
        Self(generator)
    }

    /// A number below `bound`; 0 where that is 0. The bias of taking the upper half of a product
    /// is below one in a million for the bounds used here.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let product = u64::from(self.0.next_u32()) * u64::from(bound);
        u32::try_from(product >> 32).unwrap_or_default()
    }

    /// A number from `first` to `last`.
    pub(super) fn between(&mut self, first: u32, last: u32) -> u32 {
        first.saturating_add(self.below(last.saturating_sub(first).saturating_add(1)))
    }

    /// Whether something with this share happens.
    pub(super) fn happens(&mut self, share: u32) -> bool {
        self.below(WHOLE) < share
    }

    /// A value by its share.
    pub(super) fn pick<T: Copy>(&mut self, shares: &Shares<T>) -> T {
        let mut left = self.below(WHOLE);
        for (share, value) in shares.rows {
            match left.checked_sub(*share) {
                None => return *value,
                Some(rest) => left = rest,
            }
        }
        shares.rest
    }
}

/// Changes the order of the numbers below 2^`bits` by the seed: each is the image of exactly one,
/// since every step can be undone. `bits` is at most 63; higher bits of `number` are dropped.
pub(super) fn scramble(number: u64, bits: u32, seed: u64) -> u64 {
    let mask = (1_u64 << bits) - 1;
    let key = mix(seed);
    let mut number = (number ^ key) & mask;
    for multiplier in [0x9e37_79b9_7f4a_7c15, key | 1] {
        number = number.wrapping_mul(multiplier) & mask;
        number ^= number >> (bits / 2);
    }
    number
}

/// The finaliser of `SplitMix64`.
fn mix(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const COINS: Shares<char> = Shares::new(&[(2_000, 'a'), (1, 'b')], 'c');

    #[test]
    fn shares_are_kept() {
        let mut dice = Dice::new(1, 0, Purpose::Details);
        let drawn: String = (0..100_000).map(|_| dice.pick(&COINS)).collect();
        let count = |of: char| drawn.matches(of).count();
        assert!((19_500..20_500).contains(&count('a')), "{}", count('a'));
        assert!((1..40).contains(&count('b')), "{}", count('b'));
    }

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut dice = Dice::new(2, 3, Purpose::Plan);
        let drawn: BTreeSet<u32> = (0..1_000).map(|_| dice.between(3, 7)).collect();
        assert_eq!(drawn, BTreeSet::from([3, 4, 5, 6, 7]));
        assert_eq!((dice.below(0), dice.below(1)), (0, 0));
    }

    #[test]
    fn cells_purposes_and_seeds_have_draws_of_their_own() {
        let words = |seed, cell, purpose| {
            let mut dice = Dice::new(seed, cell, purpose);
            [dice.below(u32::MAX), dice.below(u32::MAX)]
        };
        let all = BTreeSet::from([
            words(1, 0, Purpose::Plan),
            words(1, 0, Purpose::Details),
            words(1, 1, Purpose::Plan),
            words(2, 0, Purpose::Plan),
            words(u64::MAX, 0, Purpose::Plan),
        ]);
        assert_eq!(all.len(), 5);
        assert_eq!(words(1, 0, Purpose::Plan), words(1, 0, Purpose::Plan));
    }

    #[test]
    fn a_changed_order_holds_every_number_once() {
        for seed in [0, 1, 0xdead_beef, u64::MAX] {
            let images: BTreeSet<u64> = (0..1 << 12).map(|n| scramble(n, 12, seed)).collect();
            assert_eq!(images, (0..1 << 12).collect(), "seed {seed}");
        }
        assert_ne!(scramble(1, 40, 1), scramble(1, 40, 2));
    }
}
