//! Random choices that are the same in every run.

/// SplitMix64.
pub struct Chance(u64);

impl Chance {
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % most as u64).unwrap()
    }

    /// Returns `true` with this probability in percent.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// Returns some of `choices` in their order, at least `least`.
    pub fn some(&mut self, choices: &[&'static str], least: usize) -> Vec<&'static str> {
        loop {
            let chosen: Vec<_> = choices
                .iter()
                .copied()
                .filter(|_| self.percent(55))
                .collect();
            if chosen.len() >= least {
                return chosen;
            }
        }
    }
}
