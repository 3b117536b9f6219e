//! Mutations of seeds: a fixed sequence for a fixed seed of the generator.

use fastrand::Rng;

use crate::corpus::Seed;

/// The most bytes of an input.
const LONGEST: usize = 4096;
/// Bytes that mean something in one of the grammars.
const TELLING: &[u8] = b"\r\n\0\t ,;:=\"\\/%.?#*-+0159afAFqQ\x7f\x80\xff";

/// Makes inputs of seeds and words.
pub(crate) struct Mutator<'a> {
    random: Rng,
    seeds: &'a [Seed],
    words: &'a [&'a str],
}

impl<'a> Mutator<'a> {
    /// The same arguments give the same inputs.
    pub(crate) fn new(number: u64, seeds: &'a [Seed], words: &'a [&'a str]) -> Self {
        Self {
            random: Rng::with_seed(number),
            seeds,
            words,
        }
    }

    /// The next input: a seed with one to eight changes.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut input = self.seed().to_vec();
        // Mostly few: an input with many faults is refused because of the first.
        let changes = 1 << self.random.u32(..4);
        for _ in 0..self.random.u32(1..=changes) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn seed(&mut self) -> &'a [u8] {
        self.random
            .choice(self.seeds)
            .map_or(&[], |seed| &seed.bytes)
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let start = self.random.usize(..=input.len());
        let end = (start + self.random.usize(..=8)).min(input.len());
        match self.random.u8(..9) {
            0 => drop(input.drain(start..end)),
            1 => input.truncate(start),
            2 => self.set(input, start, |random, _| random.u8(..)),
            3 => self.set(input, start, |random, byte| byte ^ (1 << random.u8(..8))),
            4 => self.set(input, start, |random, _| telling(random)),
            5 => input.insert(start, telling(&mut self.random)),
            6 => {
                let word = self.random.choice(self.words).copied().unwrap_or_default();
                input.splice(start..start, word.bytes());
            }
            7 => {
                let times = self.random.usize(1..=8);
                let repeated = input[start..end].repeat(times);
                input.splice(start..start, repeated);
            }
            _ => {
                let other = self.seed();
                let from = self.random.usize(..=other.len());
                input.truncate(start);
                input.extend_from_slice(&other[from..]);
            }
        }
    }

    fn set(&mut self, input: &mut [u8], place: usize, new: impl Fn(&mut Rng, u8) -> u8) {
        if let Some(byte) = input.get_mut(place) {
            *byte = new(&mut self.random, *byte);
        }
    }
}

fn telling(random: &mut Rng) -> u8 {
    random.choice(TELLING).copied().unwrap_or_default()
}
