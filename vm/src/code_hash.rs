//! Versioned code hashes as the machine reads them.

use primitive_types::U256;

/// A well-formed code hash: version 1 (EraVM code) or 2 (EVM code), constructed or under construction.
///
/// Bytes: version, construction mark, two of length, 28 of SHA-256.
/// Source: `matter-labs/zksync-protocol` `crates/zkevm_opcode_defs/src/definitions/versioned_hash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CodeHash(U256);

impl CodeHash {
    /// Version byte of EraVM code.
    pub const ERAVM_VERSION: u8 = 1;
    /// Version byte of EVM code.
    pub const EVM_VERSION: u8 = 2;

    /// Reads a hash; `None` when version or construction mark is unknown.
    pub fn parse(hash: U256) -> Option<Self> {
        let code = Self(hash);
        let well_formed =
            matches!(code.version(), Self::ERAVM_VERSION | Self::EVM_VERSION) && code.mark() <= 1;
        well_formed.then_some(code)
    }

    /// Whether it is EVM code.
    pub fn is_evm(self) -> bool {
        self.version() == Self::EVM_VERSION
    }

    /// Whether its contract is under construction.
    pub fn is_under_construction(self) -> bool {
        self.mark() == 1
    }

    /// The length: words of EraVM code, bytes of EVM code.
    pub fn length_field(self) -> u16 {
        (self.0.0[3] >> 32) as u16
    }

    /// The hash with the construction mark cleared, as code is stored under.
    pub fn normalized(self) -> U256 {
        let U256([a, b, c, d]) = self.0;
        U256([a, b, c, d & 0xff00_ffff_ffff_ffff])
    }

    fn version(self) -> u8 {
        (self.0.0[3] >> 56) as u8
    }

    fn mark(self) -> u8 {
        (self.0.0[3] >> 48) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_field_by_field() {
        let code = CodeHash::parse(U256([1, 2, 3, 0x0101_0065_dead_beef])).unwrap();
        assert!(code.is_under_construction() && !code.is_evm());
        assert_eq!(code.length_field(), 0x65);
        assert_eq!(code.normalized(), U256([1, 2, 3, 0x0100_0065_dead_beef]));
        assert!(CodeHash::parse(U256([0, 0, 0, 2 << 56])).unwrap().is_evm());
    }

    #[test]
    fn unknown_versions_and_marks_are_no_code() {
        for top in [0u64, 3 << 56, 0x0102 << 48, 0x00ff << 48] {
            assert_eq!(CodeHash::parse(U256([1, 1, 1, top])), None, "{top:#x}");
        }
    }
}
