//! Which memories came to life and died since a keyframe.

/// Turns among which a memory's birth is looked for when it dies: its frame is the last one that is alive, as a rule.
const RECENT: usize = 8;

/// Births and deaths of memories, but for most of those that cancel each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    /// In order.
    list: Vec<Turn>,
    /// How many were noted.
    count: u32,
}

/// A memory came to life or died: its page id, the number of the turn, and whether it lived before. One number, since many
/// are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn(u64);

impl Turn {
    fn new(page: u32, number: u32, lived: bool) -> Self {
        Self(u64::from(page) << 32 | u64::from(number) << 1 | u64::from(lived))
    }

    fn page(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn lived(self) -> bool {
        self.0 & 1 != 0
    }
}

impl Turns {
    /// A memory that lived died, or one that did not came to life.
    pub(super) fn note(&mut self, page: u32, lived: bool) {
        // A birth that is told no more needs no death.
        let mut recent = self.list.iter().rev().take(RECENT);
        if let Some(back) = recent.position(|turn| turn.page() == page) {
            self.list.remove(self.list.len() - 1 - back);
        } else {
            self.list.push(Turn::new(page, self.count, lived));
            self.count += 1;
        }
    }

    /// Page ids of memories that live and did not before, and of those that lived before and do not now, in order; nothing
    /// is noted then.
    pub(super) fn take(&mut self) -> (Vec<u32>, Vec<u32>) {
        self.list.sort_unstable();
        let (mut born, mut gone) = (Vec::new(), Vec::new());
        for turns in self.list.chunk_by(|a, b| a.page() == b.page()) {
            // After an even number of turns it is what it was.
            if turns.len() % 2 == 1 {
                let list = if turns[0].lived() { &mut gone } else { &mut born };
                list.push(turns[0].page());
            }
        }
        self.list.clear();
        self.count = 0;
        (born, gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_born_and_died_is_told_once_however_far_apart() {
        let mut turns = Turns::default();
        turns.note(2, true);
        for page in 10..30 {
            turns.note(page, false);
        }
        // Among the last ones, and far before them.
        for page in [29, 28, 10, 11] {
            turns.note(page, true);
        }
        turns.note(11, false);
        turns.note(3, true);
        turns.note(3, false);
        assert_eq!(turns.list.len(), 20);
        assert_eq!(turns.take(), ((11..28).collect(), vec![2]));
        assert_eq!(turns.take(), (vec![], vec![]));
    }
}
