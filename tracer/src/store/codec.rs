//! Bytes of recordings: variable-length integers, trimmed words, addresses. Readers never trust a length.

use primitive_types::{H160, U256};

/// Appends values to a byte string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoder {
    bytes: Vec<u8>,
}

/// Reads what an [`Encoder`] wrote.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
}

/// The bytes do not fit what is read from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes end early or hold an impossible value")]
pub struct Malformed;

impl Encoder {
    /// The bytes so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Drops everything after the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// A number, 7 bits a byte, low bits first.
    #[inline]
    pub fn number(&mut self, value: impl Into<u64>) {
        let mut value: u64 = value.into();
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A number in 8 bytes, low ones first: for numbers with many bits.
    pub fn fixed(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A signed number.
    pub fn signed(&mut self, value: i64) {
        self.number((value << 1 ^ value >> 63) as u64);
    }

    /// A word: its length in bytes, then the bytes, low ones first.
    #[inline]
    pub fn word(&mut self, word: U256) {
        let length = word.bits().div_ceil(8);
        let mut bytes = [0; 33];
        bytes[0] = length as u8;
        word.to_little_endian(&mut bytes[1..]);
        // Copying all of them and cutting is quicker than copying a number that the compiler does not know.
        let end = self.bytes.len() + 1 + length;
        self.bytes.extend_from_slice(&bytes);
        self.bytes.truncate(end);
    }

    /// An address.
    pub fn address(&mut self, address: H160) {
        self.bytes.extend_from_slice(address.as_bytes());
    }

    /// A byte string with its length.
    pub fn blob(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether there is a value, then the value.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// Bits, the first one lowest.
    pub fn bits<const N: usize>(&mut self, bits: [bool; N]) {
        const { assert!(N <= 8) };
        self.u8(bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit)));
    }
}

impl<'a> Decoder<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that were not read.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Everything that was not read.
    pub fn rest(self) -> &'a [u8] {
        self.bytes
    }

    /// One byte.
    ///
    /// # Errors
    /// At the end.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.bytes.split_first().ok_or(Malformed)?;
        self.bytes = rest;
        Ok(first)
    }

    /// A number that fits `T`.
    ///
    /// # Errors
    /// At the end, or when it does not fit.
    #[inline]
    pub fn number<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(Malformed);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return T::try_from(value).map_err(|_| Malformed);
            }
        }
        Err(Malformed)
    }

    /// A number in 8 bytes.
    ///
    /// # Errors
    /// At the end.
    pub fn fixed(&mut self) -> Result<u64, Malformed> {
        let bytes = self.take(8)?.try_into().map_err(|_| Malformed)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// A signed number that fits `T`.
    ///
    /// # Errors
    /// At the end, or when it does not fit.
    pub fn signed<T: TryFrom<i64>>(&mut self) -> Result<T, Malformed> {
        let value: u64 = self.number()?;
        T::try_from((value >> 1) as i64 ^ -((value & 1) as i64)).map_err(|_| Malformed)
    }

    /// A count of things that take at least one byte each, so that it cannot exceed what is left.
    ///
    /// # Errors
    /// At the end, or when it does.
    pub fn count(&mut self) -> Result<usize, Malformed> {
        let count: usize = self.number()?;
        if count > self.bytes.len() {
            Err(Malformed)
        } else {
            Ok(count)
        }
    }

    /// A word.
    ///
    /// # Errors
    /// At the end, or when the length is above 32.
    #[inline]
    pub fn word(&mut self) -> Result<U256, Malformed> {
        let length = self.u8()? as usize;
        if length > 32 {
            return Err(Malformed);
        }
        Ok(U256::from_little_endian(self.take(length)?))
    }

    /// Passes over a word.
    ///
    /// # Errors
    /// When [`Self::word`] has one.
    pub fn pass_word(&mut self) -> Result<(), Malformed> {
        match self.u8()? {
            length @ 0..=32 => self.take(length.into()).map(drop),
            _ => Err(Malformed),
        }
    }

    /// An address.
    ///
    /// # Errors
    /// At the end.
    pub fn address(&mut self) -> Result<H160, Malformed> {
        Ok(H160::from_slice(self.take(20)?))
    }

    /// A byte string with its length.
    ///
    /// # Errors
    /// At the end.
    pub fn blob(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.count()?;
        self.take(length)
    }

    /// A value if there is one.
    ///
    /// # Errors
    /// At the end, or when the value is malformed.
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Malformed),
        }
    }

    /// Bits, the first one lowest.
    ///
    /// # Errors
    /// At the end, or when higher bits are set.
    pub fn bits<const N: usize>(&mut self) -> Result<[bool; N], Malformed> {
        let byte = self.u8()?;
        if N < 8 && byte >> N != 0 {
            return Err(Malformed);
        }
        Ok(core::array::from_fn(|bit| byte >> bit & 1 != 0))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Malformed)?;
        self.bytes = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_reads_back() {
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        let signed = [0, -1, 1, i64::MIN, i64::MAX];
        let words = [U256::zero(), U256::one(), U256::MAX, U256::one() << 255];
        let mut e = Encoder::default();
        for n in numbers {
            e.number(n);
        }
        for n in signed {
            e.signed(n);
        }
        for w in words {
            e.word(w);
        }
        e.fixed(u64::MAX - 1);
        e.address(H160::repeat_byte(7));
        e.blob(b"abc");
        e.option(Some(5u8), Encoder::u8);
        e.option(None, Encoder::u8);
        e.bits([true, false, true]);
        let mut d = Decoder::new(e.bytes());
        for n in numbers {
            assert_eq!(d.number::<u64>(), Ok(n));
        }
        for n in signed {
            assert_eq!(d.signed::<i64>(), Ok(n));
        }
        for w in words {
            assert_eq!(d.word(), Ok(w));
        }
        assert_eq!(d.fixed(), Ok(u64::MAX - 1));
        assert_eq!(d.address(), Ok(H160::repeat_byte(7)));
        assert_eq!(d.blob(), Ok(&b"abc"[..]));
        assert_eq!(
            (d.option(Decoder::u8), d.option(Decoder::u8)),
            (Ok(Some(5)), Ok(None))
        );
        assert_eq!(d.bits(), Ok([true, false, true]));
        assert!(d.is_empty());
    }

    #[test]
    fn impossible_lengths_and_numbers_are_refused() {
        assert_eq!(Decoder::new(&[0xff; 10]).number::<u64>(), Err(Malformed));
        assert_eq!(Decoder::new(&[0x80, 0x02]).number::<u8>(), Err(Malformed));
        assert_eq!(Decoder::new(&[33]).word(), Err(Malformed));
        assert_eq!(Decoder::new(&[0xff, 0xff, 0xff, 0x7f]).blob(), Err(Malformed));
        assert_eq!(Decoder::new(&[2]).option(Decoder::u8), Err(Malformed));
    }
}
