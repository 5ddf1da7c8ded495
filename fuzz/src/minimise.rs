//! Makes a case that differs as small as it gets, greedily.

use std::panic::{AssertUnwindSafe, catch_unwind};

use eradbg_vm::U256;

use crate::case::{Case, Code};
use crate::lockstep::{Lockstep, Verdict};
use crate::statistics::Statistics;

/// The word of an instruction that does nothing.
const NOP: u64 = 1;

/// Whether the machines differ on a case, or one of them fails a check of its own.
pub fn differs(case: &Case) -> bool {
    let verdict = catch_unwind(AssertUnwindSafe(|| {
        Lockstep::new(case).run(&mut Statistics::default())
    }));
    !matches!(
        verdict,
        Ok(Verdict::Ended(_) | Verdict::StepLimit | Verdict::Excluded(_))
    )
}

/// The smallest case that is left when contracts, slots, instructions and constants are taken away as long as `differs`
/// holds. Instructions become no-ops, so that what is left stays where it was.
pub fn minimise(case: &Case, differs: impl Fn(&Case) -> bool) -> Case {
    let mut smallest = case.clone();
    let mut attempt = |change: &mut dyn FnMut(&mut Case)| {
        let mut smaller = smallest.clone();
        change(&mut smaller);
        if smaller != smallest && differs(&smaller) {
            smallest = smaller;
        }
    };
    for slot in case.slots.keys() {
        attempt(&mut |case| {
            case.slots.remove(slot);
        });
    }
    for hash in case.codes.keys() {
        attempt(&mut |case| {
            case.codes.remove(hash);
        });
    }
    // Large parts first: the root program alone may have a hundred instructions.
    for length in [32, 8, 1] {
        for hash in case.codes.keys().map(Some).chain([None]) {
            let code = hash.map_or(&case.root, |hash| &case.codes[hash]);
            for start in (0..code.instructions.len()).step_by(length) {
                attempt(&mut |case| blank(code_mut(case, hash), start, length));
            }
        }
    }
    for hash in case.codes.keys().map(Some).chain([None]) {
        let code = hash.map_or(&case.root, |hash| &case.codes[hash]);
        for index in 0..code.constants.len() {
            attempt(&mut |case| {
                if let Some(code) = code_mut(case, hash) {
                    code.constants[index] = U256::zero();
                }
            });
        }
    }
    smallest
}

fn code_mut<'a>(case: &'a mut Case, hash: Option<&U256>) -> Option<&'a mut Code> {
    match hash {
        Some(hash) => case.codes.get_mut(hash),
        None => Some(&mut case.root),
    }
}

fn blank(code: Option<&mut Code>, start: usize, length: usize) {
    if let Some(code) = code {
        let end = (start + length).min(code.instructions.len());
        code.instructions[start..end].fill(NOP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choices::Choices;
    use crate::generate;

    #[test]
    fn only_what_makes_the_difference_is_left() {
        let mut case = generate::case(&mut Choices::from_seed(1));
        case.root.instructions[5] = 0x1234;
        let kept = *case.slots.keys().next().unwrap();
        let smallest = minimise(&case, |case| {
            case.root.instructions[5] == 0x1234 && case.slots.contains_key(&kept)
        });
        assert_eq!(smallest.slots.len(), 1);
        assert!(smallest.codes.is_empty());
        let left = smallest.root.instructions.iter().filter(|word| **word != NOP);
        assert_eq!(left.count(), 1);
    }
}
