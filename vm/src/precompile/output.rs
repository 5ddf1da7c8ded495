//! The words that a precompile writes.

use primitive_types::U256;

/// Most words that a precompile writes.
pub const MAX_OUTPUT_WORDS: usize = 3;

/// Words that a precompile writes at consecutive indexes (modulo 2^32), from [`output_offset`] on.
///
/// [`output_offset`]: super::PrecompileAbi::output_offset
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    words: [U256; MAX_OUTPUT_WORDS],
    count: usize,
}

impl Output {
    pub(super) const NOTHING: Self = Self {
        words: [U256::zero(); MAX_OUTPUT_WORDS],
        count: 0,
    };

    /// Makes an output of recorded words; `None` for more than [`MAX_OUTPUT_WORDS`].
    pub fn from_words(words: &[U256]) -> Option<Self> {
        let mut output = Self {
            count: words.len(),
            ..Self::NOTHING
        };
        output.words.get_mut(..words.len())?.copy_from_slice(words);
        Some(output)
    }

    /// The words, in the order of their indexes.
    pub fn words(&self) -> &[U256] {
        &self.words[..self.count]
    }

    /// An output of exactly these words.
    pub(super) fn from<const N: usize>(words: [U256; N]) -> Self {
        Self::from_words(&words).expect("every precompile writes at most MAX_OUTPUT_WORDS words")
    }

    /// A mark of success before the result, or as many zeros.
    pub(super) fn checked<const N: usize>(result: Option<[U256; N]>) -> Self {
        let mut output = Self {
            count: N + 1,
            ..Self::NOTHING
        };
        if let Some(result) = result {
            output.words[0] = U256::one();
            output.words[1..=N].copy_from_slice(&result);
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_words_make_the_same_output() {
        let output = Output::checked(Some([7, 8].map(U256::from)));
        assert_eq!(output.words(), [1, 7, 8].map(U256::from));
        assert_eq!(Output::from_words(output.words()), Some(output));
        assert_eq!(Output::from_words(&[U256::one(); 4]), None);
    }
}
