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

/// The condition under which an instruction executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[repr(u8)]
pub enum Predicate {
    /// Always.
    #[default]
    Always,
    /// GT.
    Greater,
    /// LT.
    Less,
    /// EQ.
    Equal,
    /// GT or EQ.
    GreaterOrEqual,
    /// LT or EQ.
    LessOrEqual,
    /// Not EQ.
    NotEqual,
    /// GT or LT.
    GreaterOrLess,
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

    /// Whether an instruction with this predicate executes under `flags`.
    pub const fn holds(self, flags: Flags) -> bool {
        // Bit n of a row is the answer for flags n.
        const ROWS: [u8; 8] = [
            0xff,
            0b1111_0000,
            0b1010_1010,
            0b1100_1100,
            0b1111_1100,
            0b1110_1110,
            0b0011_0011,
            0b1111_1010,
        ];
        ROWS[self as usize] >> flags.0 & 1 != 0
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
