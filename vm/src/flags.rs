//! The three condition flags and the predicates over them.

/// Condition flags after the last instruction that set them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags(u8);

impl Flags {
    /// Less than, or overflow. Set by a panic.
    pub const LESS: u8 = 1;
    /// Equal, or zero.
    pub const EQUAL: u8 = 2;
    /// Greater than.
    pub const GREATER: u8 = 4;

    /// All three clear, as after each call and return.
    pub const fn none() -> Self {
        Self(0)
    }

    /// Flags of their three values.
    pub const fn new(less: bool, equal: bool, greater: bool) -> Self {
        Self(less as u8 | (equal as u8) << 1 | (greater as u8) << 2)
    }

    /// Flags from [`Self::bits`]; further bits are dropped.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 7)
    }

    /// [`Self::LESS`], [`Self::EQUAL`] and [`Self::GREATER`] as they are set.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// LT/OF.
    pub const fn less(self) -> bool {
        self.0 & Self::LESS != 0
    }

    /// EQ.
    pub const fn equal(self) -> bool {
        self.0 & Self::EQUAL != 0
    }

    /// GT.
    pub const fn greater(self) -> bool {
        self.0 & Self::GREATER != 0
    }
}

/// The condition under which an instruction executes. Bit n of its number is the answer for flags n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[repr(u8)]
pub enum Predicate {
    /// Always.
    #[default]
    Always = 0b1111_1111,
    /// GT.
    Greater = 0b1111_0000,
    /// LT.
    Less = 0b1010_1010,
    /// EQ.
    Equal = 0b1100_1100,
    /// GT or EQ.
    GreaterOrEqual = 0b1111_1100,
    /// LT or EQ.
    LessOrEqual = 0b1110_1110,
    /// Not EQ.
    NotEqual = 0b0011_0011,
    /// GT or LT.
    GreaterOrLess = 0b1111_1010,
}

impl Predicate {
    const ALL: [Self; 8] = [
        Self::Always,
        Self::Greater,
        Self::Less,
        Self::Equal,
        Self::GreaterOrEqual,
        Self::LessOrEqual,
        Self::NotEqual,
        Self::GreaterOrLess,
    ];

    /// Predicate of its three bits in an instruction.
    pub const fn from_bits(bits: u8) -> Self {
        Self::ALL[(bits & 7) as usize]
    }

    /// Its three bits in an instruction.
    pub fn bits(self) -> u8 {
        let at = Self::ALL.iter().position(|&predicate| predicate == self);
        at.expect("the list has all predicates") as u8
    }

    /// Whether an instruction with this predicate executes under `flags`.
    pub const fn holds(self, flags: Flags) -> bool {
        (self as u32).wrapping_shr(flags.0 as u32) & 1 != 0
    }

    /// Suffix in listings, empty for [`Self::Always`].
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Always => "",
            Self::Greater => ".gt",
            Self::Less => ".lt",
            Self::Equal => ".eq",
            Self::GreaterOrEqual => ".ge",
            Self::LessOrEqual => ".le",
            Self::NotEqual => ".ne",
            Self::GreaterOrLess => ".gtlt",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicates_read_the_flags_that_they_name() {
        for bits in 0..8 {
            let flags = Flags::from_bits(bits);
            let (lt, eq, gt) = (flags.less(), flags.equal(), flags.greater());
            let expected = [true, gt, lt, eq, gt || eq, lt || eq, !eq, gt || lt];
            for (predicate, expected) in Predicate::ALL.into_iter().zip(expected) {
                assert_eq!(predicate.holds(flags), expected, "{predicate:?} under {flags:?}");
            }
        }
    }
}
