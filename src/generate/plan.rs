//! Who holds which names: the part that is drawn first, and by itself.
//!
//! Names are numbered from 0 and come in cells of [`CELL`]. A cell is drawn without its
//! predecessors, so that any name is found at once; no holder reaches from one cell into the next.

use super::dice::{Dice, Purpose, scramble};
use super::proportions::{
    DOMAINS, GOVERNMENT_SUFFIXES, INSTITUTION_SUFFIXES, NATURES, SITES, SOCIETY_SUFFIXES,
    STANDINGS, SUFFIXES, Standing,
};
use crate::proto::v1;

/// Names in a cell. More would make the long tail of holders longer and a single name slower.
pub(super) const CELL: u16 = 256;

/// Bits of the number of a name; eight characters of five bits each.
const NAME_BITS: u32 = 40;

/// Letters and digits that are not mistaken for each other.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The holders of the names of one cell, in order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The holders.
    pub(super) holders: Vec<HolderPlan>,
    /// Names of each website, holder after holder.
    pub(super) sites: Vec<u16>,
    /// Public suffix of each name, website after website.
    pub(super) suffixes: Vec<&'static str>,
}

/// One holder of names.
#[derive(Clone, Copy, Debug)]
pub(super) struct HolderPlan {
    /// What it is.
    pub(super) nature: v1::SubjectNature,
    /// How it stands with the authority.
    pub(super) standing: Standing,
    /// Number of its websites; 0 where the names have run out.
    pub(super) sites: u16,
}

impl Plan {
    /// Draws a cell.
    pub(super) fn draw(seed: u64, cell: u64) -> Self {
        let dice = &mut Dice::new(seed, cell, Purpose::Plan);
        let mut plan = Self::default();
        plan.suffixes.reserve(usize::from(CELL));
        let mut left = CELL;
        while left > 0 {
            let nature = dice.pick(&NATURES);
            let standing = dice.pick(&STANDINGS);
            // Who has not filed has one name, whose site is not filed.
            let filed = standing == Standing::Filed;
            let wanted = if filed { dice.pick(&SITES) } else { 1 };
            let mut sites = 0;
            while sites < wanted && left > 0 {
                let wanted = if filed { dice.pick(&DOMAINS) } else { 1 };
                let names = wanted.min(left);
                plan.sites.push(names);
                plan.suffixes
                    .extend((0..names).map(|_| suffix(dice, nature)));
                left -= names;
                sites += 1;
            }
            plan.holders.push(HolderPlan {
                nature,
                standing,
                sites,
            });
        }
        plan
    }

    /// Keeps the first `names` names. A website or holder that is cut keeps what is left of it.
    pub(super) fn truncate(&mut self, names: u16) {
        self.suffixes.truncate(usize::from(names));
        let mut left = names;
        for site in &mut self.sites {
            *site = (*site).min(left);
            left -= *site;
        }
        self.sites.retain(|site| *site > 0);
        let mut left = u16::try_from(self.sites.len()).unwrap_or(CELL);
        for holder in &mut self.holders {
            holder.sites = holder.sites.min(left);
            left -= holder.sites;
        }
        self.holders.retain(|holder| holder.sites > 0);
    }
}

/// The name with a number, under its suffix. No two numbers below 2^40 have the same.
pub(super) fn name(seed: u64, index: u64, suffix: &str) -> String {
    let code = code(scramble(index, NAME_BITS, seed), 8);
    format!("{code}-synthetic.{suffix}")
}

/// A number in characters of five bits each, the lowest first.
pub(super) fn code(mut number: u64, characters: usize) -> String {
    let mut text = String::with_capacity(characters);
    for _ in 0..characters {
        let digit = usize::try_from(number & 31).unwrap_or_default();
        text.extend(ALPHABET.get(digit).copied().map(char::from));
        number >>= 5;
    }
    text
}

fn suffix(dice: &mut Dice, nature: v1::SubjectNature) -> &'static str {
    match nature {
        v1::SubjectNature::Government => dice.pick(&GOVERNMENT_SUFFIXES),
        v1::SubjectNature::PublicInstitution => dice.pick(&INSTITUTION_SUFFIXES),
        v1::SubjectNature::SocialOrganisation => dice.pick(&SOCIETY_SUFFIXES),
        v1::SubjectNature::Enterprise
        | v1::SubjectNature::Individual
        | v1::SubjectNature::Unspecified => dice.pick(&SUFFIXES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adds_up(plan: &Plan) {
        let sites: u16 = plan.holders.iter().map(|holder| holder.sites).sum();
        assert_eq!(usize::from(sites), plan.sites.len());
        let names: u16 = plan.sites.iter().sum();
        assert_eq!(usize::from(names), plan.suffixes.len());
    }

    #[test]
    fn a_cell_is_full_and_adds_up() {
        for cell in 0..50 {
            let plan = Plan::draw(7, cell);
            adds_up(&plan);
            assert_eq!(plan.suffixes.len(), usize::from(CELL));
            assert!(plan.holders.iter().all(|holder| holder.sites > 0));
        }
    }

    #[test]
    fn a_cut_cell_begins_as_the_whole_one_and_adds_up() {
        let whole = Plan::draw(7, 3);
        for names in [0, 1, 2, 100, 255, 256] {
            let mut plan = Plan::draw(7, 3);
            plan.truncate(names);
            adds_up(&plan);
            assert_eq!(plan.suffixes, whole.suffixes[..usize::from(names)]);
            // All but the last website are whole.
            let kept = plan.sites.len().saturating_sub(1);
            assert_eq!(plan.sites[..kept], whole.sites[..kept]);
        }
    }

    #[test]
    fn codes_are_written_from_the_lowest_bits() {
        assert_eq!(code(0, 3), "000");
        assert_eq!(code(1, 3), "100");
        assert_eq!(code(32 * 31 + 2, 3), "2z0");
    }
}
