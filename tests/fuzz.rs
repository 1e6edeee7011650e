//! Whatever reads what others wrote is fed with mutated seeds: from a fixed start, so that each run feeds the same. `make fuzz` looks
//! for more, guided by what the inputs reach.

#[path = "fuzz/src/targets/mod.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};

use targets::{ALL, Target};

/// Inputs for each target.
const INPUTS: u64 = 1000;

/// SplitMix64: the same numbers on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Bytes that parsers treat in a way of their own.
const SPECIAL: &[u8] = b"\0\n\r\t \"'\\{}[]()<>:=,.*$#&|;-+/0919azAZ\x7f\x80\xc3\xff";

/// A seed with some changes.
fn mutated(target: &Target, numbers: &mut Numbers) -> Vec<u8> {
    let seed = |numbers: &mut Numbers| target.seeds[numbers.below(target.seeds.len())];
    let mut input = seed(numbers).to_vec();
    for _ in 0..=numbers.below(6) {
        let (at, length) = (numbers.below(input.len() + 1), numbers.below(8));
        let end = (at + length).min(input.len());
        match numbers.below(7) {
            0 => drop(input.drain(at..end)),
            1 => input.insert(at, SPECIAL[numbers.below(SPECIAL.len())]),
            2 => input.truncate(at),
            3 => {
                let part = input[at..end].repeat(1 + numbers.below(4));
                input.splice(at..at, part);
            }
            4 => {
                let other = seed(numbers);
                let from = numbers.below(other.len());
                let until = (from + numbers.below(40)).min(other.len());
                input.splice(at..end, other[from..until].iter().copied());
            }
            _ if at < input.len() => input[at] ^= 1 << numbers.below(8),
            _ => input.push(numbers.next() as u8),
        }
    }
    input
}

#[test]
fn no_target_fails_with_mutated_seeds() {
    for target in ALL {
        let mut numbers = Numbers(target.name.bytes().map(u64::from).sum());
        let inputs = target.seeds.iter().map(|seed| seed.to_vec()).collect::<Vec<_>>();
        for input in inputs.into_iter().chain((0..INPUTS).map(|_| mutated(&target, &mut numbers))) {
            let fed = catch_unwind(AssertUnwindSafe(|| (target.feed)(&input)));
            assert!(fed.is_ok(), "target {} fails with b\"{}\"", target.name, input.escape_ascii());
        }
    }
}
