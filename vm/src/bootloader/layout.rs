//! Places in the bootloader's heap, by protocol version. One slot is a 32-byte word.
//!
//! Source: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest/constants.rs`.

use crate::protocol::{self, ProtocolVersion};

/// Transactions that a batch can hold.
pub const MAX_TRANSACTIONS: usize = 10_000;
/// Slots of one transaction's description: meta word and offset of its encoding.
pub const DESCRIPTION_SLOTS: usize = 2;
/// Slots of one transaction's L2 block: number, timestamp, previous hash, virtual blocks.
pub const L2_BLOCK_SLOTS: usize = 4;
/// Slots of one interop root.
pub const INTEROP_ROOT_SLOTS: usize = 5;
/// Slots for compressed bytecodes, the bootloader's own pointer included.
pub const COMPRESSED_BYTECODES_SLOTS: usize = 196_608;
/// Slots for the pubdata that L1Messenger gets.
pub const PUBDATA_SLOTS: usize = 1_360_000;
/// Slot of the gas limit within an encoded transaction.
pub const GAS_LIMIT_IN_TRANSACTION: usize = 4;

const PAYMASTER_CONTEXT: usize = 40;
const CURRENT_HASHES: usize = PAYMASTER_CONTEXT + 33;
const FACTORY_DEPS_CALLDATA: usize = CURRENT_HASHES + 2;
const HOOK_PARAMETERS: usize = 1_983_746;
const POST_OP_SLOTS: usize = 40;

/// Where everything lies, as slot numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Refund that the operator answers, per transaction.
    pub refunds: usize,
    /// Overhead that the operator suggests, per transaction.
    pub overheads: usize,
    /// Gas limit that the operator trusts, per transaction.
    pub trusted_gas_limits: usize,
    /// L2 block, per transaction.
    pub l2_blocks: usize,
    /// Interop area; from protocol version 29 on.
    pub interop: Option<Interop>,
    /// Settlement layer's chain id; the interop fee follows. From protocol version 31 on.
    pub settlement_layer: Option<usize>,
    /// Compressed bytecodes.
    pub compressed_bytecodes: usize,
    /// Rolling hash of priority operations; their count follows.
    pub priority_operations: usize,
    /// Pubdata for L1Messenger.
    pub pubdata: usize,
    /// Descriptions, per transaction.
    pub descriptions: usize,
    /// Encoded transactions.
    pub encodings: usize,
    /// Slots for encoded transactions.
    pub encoding_slots: usize,
    /// Three parameters of a hook.
    pub hook_parameters: usize,
    /// The hook number.
    pub hook: usize,
    /// Success marks, per transaction.
    pub results: usize,
}

/// Places of the interop area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interop {
    /// Number of roots plus one, per L2 block of the batch.
    pub roots_per_block: usize,
    /// The roots.
    pub roots: usize,
}

impl Layout {
    /// The layout of a protocol version.
    pub fn of(version: ProtocolVersion) -> Self {
        let protocol = version.protocol();
        let has_interop = protocol.interop >= protocol::Interop::Roots;
        let refunds = FACTORY_DEPS_CALLDATA + protocol.factory_deps + 4;
        let overheads = refunds + MAX_TRANSACTIONS;
        let trusted_gas_limits = overheads + MAX_TRANSACTIONS;
        let l2_blocks = trusted_gas_limits + MAX_TRANSACTIONS;
        let mut next = l2_blocks + L2_BLOCK_SLOTS * (MAX_TRANSACTIONS + 1);
        let interop = has_interop.then(|| {
            let roots_per_block = next + 3;
            let roots = roots_per_block + MAX_TRANSACTIONS;
            // One root more than a batch may hold, and the rolling hash.
            next = roots + INTEROP_ROOT_SLOTS * 101 + 1;
            Interop {
                roots_per_block,
                roots,
            }
        });
        let settlement_layer = (protocol.interop >= protocol::Interop::RootsAndSettlementLayer).then(|| {
            next += 2;
            next - 2
        });
        let compressed_bytecodes = next;
        let priority_operations = compressed_bytecodes + COMPRESSED_BYTECODES_SLOTS;
        let status_hash_slots = usize::from(has_interop);
        let pubdata = priority_operations + 2 + status_hash_slots;
        let descriptions = pubdata + PUBDATA_SLOTS;
        let encodings = descriptions + DESCRIPTION_SLOTS * MAX_TRANSACTIONS + POST_OP_SLOTS;
        Self {
            refunds,
            overheads,
            trusted_gas_limits,
            l2_blocks,
            interop,
            settlement_layer,
            compressed_bytecodes,
            priority_operations,
            pubdata,
            descriptions,
            encodings,
            encoding_slots: HOOK_PARAMETERS - encodings,
            hook_parameters: HOOK_PARAMETERS,
            hook: HOOK_PARAMETERS + 3,
            results: HOOK_PARAMETERS + 4,
        }
    }

    /// Name of the place that a slot belongs to, with the index within it where there are several.
    pub fn name(&self, slot: usize) -> String {
        let interop = self.interop.map(|interop| {
            [
                ("interop roots of block", interop.roots_per_block, 1),
                ("interop root", interop.roots, INTEROP_ROOT_SLOTS),
            ]
        });
        let fixed = [
            ("operator address", 0),
            ("previous batch hash", 1),
            ("batch timestamp", 2),
            ("batch number", 3),
            ("fair pubdata price", 4),
            ("fair L2 gas price", 5),
            ("expected base fee", 6),
            ("sets new batch", 7),
            ("hook parameter 0", self.hook_parameters),
            ("hook parameter 1", self.hook_parameters + 1),
            ("hook parameter 2", self.hook_parameters + 2),
            ("hook", self.hook),
            ("current transaction hash", CURRENT_HASHES),
            ("current signed hash", CURRENT_HASHES + 1),
            ("priority operations hash", self.priority_operations),
            ("priority operations count", self.priority_operations + 1),
        ];
        if let Some((name, _)) = fixed.iter().find(|(_, at)| *at == slot) {
            return (*name).to_owned();
        }
        let areas = [
            ("scratch", 8, 1),
            ("paymaster context", PAYMASTER_CONTEXT, 1),
            ("factory deps calldata", FACTORY_DEPS_CALLDATA, 1),
            ("operator refund", self.refunds, 1),
            ("suggested overhead", self.overheads, 1),
            ("trusted gas limit", self.trusted_gas_limits, 1),
            ("L2 block of transaction", self.l2_blocks, L2_BLOCK_SLOTS),
            ("compressed bytecodes", self.compressed_bytecodes, 1),
            ("pubdata", self.pubdata, 1),
            ("description of transaction", self.descriptions, DESCRIPTION_SLOTS),
            ("encoded transactions", self.encodings, 1),
            ("result of transaction", self.results, 1),
        ];
        let all = areas.into_iter().chain(interop.into_iter().flatten());
        let (name, start, stride) = all
            .filter(|(_, start, _)| *start <= slot)
            .max_by_key(|(_, start, _)| *start)
            .expect("slot 8 is below");
        let (index, part) = ((slot - start) / stride, (slot - start) % stride);
        if stride == 1 {
            format!("{name} {index}")
        } else {
            format!("{name} {index}.{part}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(version: u16) -> Layout {
        Layout::of(ProtocolVersion::new(version).unwrap())
    }

    #[test]
    fn places_are_those_of_each_release() {
        let rows = |l: Layout| {
            [
                l.refunds,
                l.l2_blocks,
                l.compressed_bytecodes,
                l.pubdata,
                l.descriptions,
                l.encodings,
                l.encoding_slots,
            ]
        };
        let v24 = [111, 30111, 70115, 266_725, 1_626_725, 1_646_765, 336_981];
        let v26 = [143, 30143, 70147, 266_757, 1_626_757, 1_646_797, 336_949];
        let v29 = [143, 30143, 80656, 277_267, 1_637_267, 1_657_307, 326_439];
        let v31 = [143, 30143, 80658, 277_269, 1_637_269, 1_657_309, 326_437];
        for (version, expected) in [
            (24, v24),
            (25, v24),
            (26, v26),
            (27, v26),
            (28, v26),
            (29, v29),
            (30, v29),
            (31, v31),
        ] {
            assert_eq!(rows(layout(version)), expected, "version {version}");
        }
        assert_eq!(
            layout(29).interop,
            Some(Interop {
                roots_per_block: 70150,
                roots: 80150
            })
        );
        assert_eq!(layout(31).settlement_layer, Some(80656));
        assert_eq!((layout(24).hook, layout(31).results), (1_983_749, 1_983_750));
    }

    #[test]
    fn slots_have_names() {
        let layout = layout(29);
        assert_eq!(layout.name(3), "batch number");
        assert_eq!(layout.name(145), "operator refund 2");
        assert_eq!(layout.name(layout.l2_blocks + 6), "L2 block of transaction 1.2");
        assert_eq!(layout.name(layout.hook), "hook");
    }
}
