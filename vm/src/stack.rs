//! The stack of a far frame: 2^16 tagged words, zero until written.

use primitive_types::U256;

use crate::paged::{PAGE_WORDS, Page, Paged, Pool};
use crate::value::Value;

/// One page of a stack: words and a bit for each pointer tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackPage {
    /// The slots' words.
    pub words: [U256; PAGE_WORDS],
    /// Bit n: slot n holds a pointer.
    pub pointers: u32,
}

impl Page for StackPage {
    fn zeroed() -> Box<Self> {
        Box::new(Self {
            words: [U256::zero(); PAGE_WORDS],
            pointers: 0,
        })
    }

    fn clear(&mut self) {
        self.words.fill(U256::zero());
        self.pointers = 0;
    }
}

/// A stack. Near calls share the stack of their far frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stack {
    pages: Paged<StackPage>,
}

impl Stack {
    /// A stack of pages.
    pub fn new(pages: Paged<StackPage>) -> Self {
        Self { pages }
    }

    /// The value of a slot.
    #[inline(always)]
    pub fn read(&self, slot: u16) -> Value {
        let (page, at) = (slot as usize / PAGE_WORDS, slot as usize % PAGE_WORDS);
        match self.pages.page(page) {
            Some(page) => Value {
                word: page.words[at],
                is_pointer: page.pointers >> at & 1 != 0,
            },
            None => Value::ZERO,
        }
    }

    /// Sets a slot.
    pub fn write(&mut self, slot: u16, value: Value) {
        self.write_pooled(slot, value, &mut Pool::default());
    }

    /// Makes it empty, for another frame.
    pub(crate) fn recycle(&mut self, pool: &mut Pool<StackPage>) {
        self.pages.recycle(pool);
    }

    /// Sets a slot; a new page comes from the pool.
    #[inline(always)]
    pub(crate) fn write_pooled(&mut self, slot: u16, value: Value, pool: &mut Pool<StackPage>) {
        let (page, at) = (slot as usize / PAGE_WORDS, slot as usize % PAGE_WORDS);
        let page = self.pages.page_mut(page, 1 << at, pool);
        page.words[at] = value.word;
        page.pointers = page.pointers & !(1 << at) | u32::from(value.is_pointer) << at;
    }

    /// Pages with their written marks.
    pub fn pages(&self) -> &Paged<StackPage> {
        &self.pages
    }

    /// See [`Self::pages`].
    pub fn pages_mut(&mut self) -> &mut Paged<StackPage> {
        &mut self.pages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_keeps_its_word_and_tag_and_no_other_slot_changes() {
        let mut stack = Stack::default();
        stack.write(
            33,
            Value {
                word: 7.into(),
                is_pointer: true,
            },
        );
        assert_eq!(
            stack.read(33),
            Value {
                word: 7.into(),
                is_pointer: true
            }
        );
        assert_eq!((stack.read(32), stack.read(34)), (Value::ZERO, Value::ZERO));
        stack.write(33, Value::integer(8.into()));
        assert_eq!(stack.read(33), Value::integer(8.into()));
    }
}
