//! Source text of code: what a contract was assembled from, with the line of each instruction.

use std::collections::BTreeMap;

use eradbg_vm::U256;

use crate::store::codec::{Decoder, Encoder, Malformed};

/// The source of one piece of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Versioned bytecode hash of the code.
    pub hash: U256,
    /// Name of the file, without folders: `token.asm`.
    pub name: String,
    /// The text.
    pub text: String,
    /// Line, from 1, by program counter.
    pub lines: BTreeMap<u16, u32>,
}

impl Listing {
    /// Its bytes, without the hash: that is the key.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        e.blob(self.name.as_bytes());
        e.blob(self.text.as_bytes());
        e.number(self.lines.len() as u64);
        let mut last = 0;
        for (&pc, &line) in &self.lines {
            e.number(pc);
            e.signed(i64::from(line) - i64::from(last));
            last = line;
        }
        e.into_bytes()
    }

    /// Reads the source of the code with a hash.
    ///
    /// # Errors
    /// When the bytes are no listing, or an instruction stands on a line that the text does not have.
    pub fn decode(hash: U256, bytes: &[u8]) -> Result<Self, Malformed> {
        let mut d = Decoder::new(bytes);
        let mut text = || {
            let bytes = d.blob()?.to_vec();
            String::from_utf8(bytes).map_err(|_| Malformed)
        };
        let (name, text) = (text()?, text()?);
        let last_line = text.lines().count() as i64;
        let mut lines = BTreeMap::new();
        let mut line = 0i64;
        for _ in 0..d.count()? {
            let pc = d.number()?;
            line = line.checked_add(d.signed()?).ok_or(Malformed)?;
            if !(1..=last_line).contains(&line) {
                return Err(Malformed);
            }
            lines.insert(pc, u32::try_from(line).map_err(|_| Malformed)?);
        }
        let listing = Self {
            hash,
            name,
            text,
            lines,
        };
        if d.is_empty() { Ok(listing) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        Listing {
            hash: U256::from(5),
            name: "a.asm".to_owned(),
            text: ".text\nmain:\n  ret.ok r0 ; back\nlater:\n".to_owned(),
            lines: BTreeMap::from([(0, 3), (1, 2), (700, 4)]),
        }
    }

    #[test]
    fn a_listing_reads_back() {
        let listing = listing();
        assert_eq!(Listing::decode(listing.hash, &listing.encode()), Ok(listing));
    }

    #[test]
    fn bytes_that_are_cut_or_name_a_line_that_is_not_there_are_refused() {
        let bytes = listing().encode();
        for length in 0..bytes.len() {
            assert_eq!(
                Listing::decode(U256::zero(), &bytes[..length]),
                Err(Malformed),
                "cut at {length}"
            );
        }
        for line in [0, 5, u32::MAX] {
            let mut listing = listing();
            listing.lines.insert(1, line);
            assert_eq!(
                Listing::decode(U256::zero(), &listing.encode()),
                Err(Malformed),
                "line {line}"
            );
        }
    }
}
