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
/// Interop roots that a batch can import.
pub const MAX_INTEROP_ROOTS: usize = 100;
/// Slots of one interop root: L2 block, chain, the root's block there, number of sides, and a side.
pub const INTEROP_ROOT_SLOTS: usize = 5;
/// Slots for compressed bytecodes, the bootloader's own pointer included.
pub const COMPRESSED_BYTECODES_SLOTS: usize = 196_608;
/// Slots for the pubdata that L1Messenger gets.
pub const PUBDATA_SLOTS: usize = 1_360_000;
/// Slot of the gas limit within an encoded transaction.
pub const GAS_LIMIT_IN_TRANSACTION: usize = 4;

const PAYMASTER_CONTEXT: usize = 40;
/// The hash of the transaction that is processed; its signed hash follows. Only those of the L2 are kept there.
pub const CURRENT_HASH: usize = PAYMASTER_CONTEXT + 33;
const FACTORY_DEPS_CALLDATA: usize = CURRENT_HASH + 2;
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
    /// Last L2 block whose roots were imported; the number of such blocks and the root that comes next follow.
    pub processing: usize,
    /// Number of roots plus one, per L2 block of the batch.
    pub roots_per_block: usize,
    /// The roots.
    pub roots: usize,
    /// Rolling hash of the imported roots.
    pub roots_hash: usize,
    /// Rolling hash of each transaction's hash and status.
    pub status_hash: usize,
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
        let processing = next;
        let roots_per_block = processing + 3;
        let roots = roots_per_block + MAX_TRANSACTIONS;
        // One root more than a batch may hold.
        let roots_hash = roots + INTEROP_ROOT_SLOTS * (MAX_INTEROP_ROOTS + 1);
        if has_interop {
            next = roots_hash + 1;
        }
        let settlement_layer = (protocol.interop >= protocol::Interop::RootsAndSettlementLayer).then(|| {
            next += 2;
            next - 2
        });
        let compressed_bytecodes = next;
        let priority_operations = compressed_bytecodes + COMPRESSED_BYTECODES_SLOTS;
        let status_hash = priority_operations + 2;
        let pubdata = status_hash + usize::from(has_interop);
        let descriptions = pubdata + PUBDATA_SLOTS;
        let encodings = descriptions + DESCRIPTION_SLOTS * MAX_TRANSACTIONS + POST_OP_SLOTS;
        Self {
            refunds,
            overheads,
            trusted_gas_limits,
            l2_blocks,
            interop: has_interop.then_some(Interop {
                processing,
                roots_per_block,
                roots,
                roots_hash,
                status_hash,
            }),
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
        self.name_with(slot, |place| place.to_string())
    }

    /// The same, with other words for a place in the bootloader's list of transactions.
    pub fn name_with(&self, slot: usize, transaction: impl FnOnce(usize) -> String) -> String {
        let interop = self.interop.map(|interop| {
            [
                ("interop roots of block", interop.roots_per_block, 1),
                ("interop root", interop.roots, INTEROP_ROOT_SLOTS),
            ]
        });
        let of_interop = self.interop.map(|interop| {
            [
                ("last processed L2 block", interop.processing),
                ("number of processed L2 blocks", interop.processing + 1),
                ("next interop root", interop.processing + 2),
                ("interop roots hash", interop.roots_hash),
                ("transaction status hash", interop.status_hash),
            ]
        });
        let of_settlement_layer = self
            .settlement_layer
            .map(|slot| [("settlement layer", slot), ("interop fee", slot + 1)]);
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
            ("current transaction hash", CURRENT_HASH),
            ("current signed hash", CURRENT_HASH + 1),
            ("priority operations hash", self.priority_operations),
            ("priority operations count", self.priority_operations + 1),
        ];
        let mut single = fixed
            .into_iter()
            .chain(of_interop.into_iter().flatten())
            .chain(of_settlement_layer.into_iter().flatten());
        if let Some((name, _)) = single.find(|(_, at)| *at == slot) {
            return name.to_owned();
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
        let by_transaction = [
            self.refunds,
            self.overheads,
            self.trusted_gas_limits,
            self.l2_blocks,
            self.descriptions,
            self.results,
        ];
        let index = if by_transaction.contains(&start) {
            transaction(index)
        } else {
            index.to_string()
        };
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

    /// The versions that a column of the tables below is for.
    const COLUMNS: [&[u16]; 4] = [&[24, 25], &[26, 27, 28], &[29, 30], &[31]];

    #[test]
    fn places_are_those_of_each_release() {
        type Place = fn(&Layout) -> usize;
        let rows: [(&str, Place, [usize; 4]); 14] = [
            ("refunds", |l| l.refunds, [111, 143, 143, 143]),
            ("overheads", |l| l.overheads, [10_111, 10_143, 10_143, 10_143]),
            (
                "gas limits",
                |l| l.trusted_gas_limits,
                [20_111, 20_143, 20_143, 20_143],
            ),
            ("L2 blocks", |l| l.l2_blocks, [30_111, 30_143, 30_143, 30_143]),
            (
                "compressed bytecodes",
                |l| l.compressed_bytecodes,
                [70_115, 70_147, 80_656, 80_658],
            ),
            (
                "priority operations",
                |l| l.priority_operations,
                [266_723, 266_755, 277_264, 277_266],
            ),
            ("pubdata", |l| l.pubdata, [266_725, 266_757, 277_267, 277_269]),
            (
                "descriptions",
                |l| l.descriptions,
                [1_626_725, 1_626_757, 1_637_267, 1_637_269],
            ),
            (
                "encodings",
                |l| l.encodings,
                [1_646_765, 1_646_797, 1_657_307, 1_657_309],
            ),
            // The official number counts the four slots of hooks besides.
            (
                "encoding slots",
                |l| l.encoding_slots + 4,
                [336_985, 336_953, 326_443, 326_441],
            ),
            ("hook parameters", |l| l.hook_parameters, [1_983_746; 4]),
            ("hook", |l| l.hook, [1_983_749; 4]),
            ("results", |l| l.results, [1_983_750; 4]),
            ("end", |l| (l.results + MAX_TRANSACTIONS) * 32, [63_800_000; 4]),
        ];
        for (name, place, expected) in rows {
            for (versions, expected) in COLUMNS.into_iter().zip(expected) {
                for &version in versions {
                    assert_eq!(place(&layout(version)), expected, "{name} of version {version}");
                }
            }
        }
    }

    #[test]
    fn places_of_other_chains_come_with_interop() {
        let interop = |status_hash| {
            Some(Interop {
                processing: 70_147,
                roots_per_block: 70_150,
                roots: 80_150,
                roots_hash: 80_655,
                status_hash,
            })
        };
        let expected = [
            (None, None),
            (None, None),
            (interop(277_266), None),
            (interop(277_268), Some(80_656)),
        ];
        for (versions, expected) in COLUMNS.into_iter().zip(expected) {
            for &version in versions {
                let layout = layout(version);
                assert_eq!(
                    (layout.interop, layout.settlement_layer),
                    expected,
                    "version {version}"
                );
            }
        }
    }

    #[test]
    fn slots_have_names() {
        let layout = layout(29);
        assert_eq!(layout.name(3), "batch number");
        assert_eq!(layout.name(145), "operator refund 2");
        assert_eq!(layout.name(layout.l2_blocks + 6), "L2 block of transaction 1.2");
        assert_eq!(layout.name(layout.hook), "hook");
    }

    #[test]
    fn slots_about_other_chains_have_names_from_their_version_on() {
        for (slot, name) in [
            (70_147, "last processed L2 block"),
            (70_152, "interop roots of block 2"),
            (80_156, "interop root 1.1"),
            (80_655, "interop roots hash"),
            (80_656, "settlement layer"),
            (80_657, "interop fee"),
            (80_658, "compressed bytecodes 0"),
            (277_268, "transaction status hash"),
            (277_269, "pubdata 0"),
        ] {
            assert_eq!(layout(31).name(slot), name);
        }
        assert_eq!(layout(28).name(70_147), "compressed bytecodes 0");
        assert_eq!(layout(29).name(80_656), "compressed bytecodes 0");
    }
}
