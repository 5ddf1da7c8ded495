//! Places that hold values, and what steps do to them.

use std::fmt;
use std::ops::Range;

use eradbg_vm::storage::StorageKey;
use eradbg_vm::{H160, U256, Value};

use crate::query::expr::Flag;
use crate::symbols;

/// A place that a step reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A register.
    Register(u8),
    /// The three flags; their value is a number of three bits.
    Flags,
    /// A slot of a far frame's stack.
    Stack {
        /// The step that entered the far frame.
        frame: u64,
        /// The slot.
        slot: u16,
    },
    /// Bytes of a memory.
    Memory {
        /// Page id.
        page: u32,
        /// First byte.
        offset: u32,
        /// How many.
        length: u32,
    },
    /// A storage slot.
    Storage(StorageKey),
    /// A transient slot.
    Transient(StorageKey),
}

/// What a step does to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessKind {
    /// It reads it.
    Read,
    /// It writes it, with the same value or another one.
    Write,
    /// It gives it an older value back, since a frame failed or the operator rolled back.
    Restore,
    /// The operator wrote it after the step.
    Operator,
}

/// An access of a step. A value that is not known, as that of a long stretch of memory, is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// What it does.
    pub kind: AccessKind,
    /// To what.
    pub place: Place,
    /// Value before.
    pub old: Option<Value>,
    /// Value after; that of a read is the same.
    pub new: Option<Value>,
}

/// A set of places: what is `None` may be any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlacePattern {
    /// Registers.
    Register(Option<u8>),
    /// A flag, or all three.
    Flag(Option<Flag>),
    /// Stack slots.
    Stack {
        /// The step that entered the far frame.
        frame: Option<u64>,
        /// The slot.
        slot: Option<u16>,
    },
    /// Bytes of memories.
    Heap {
        /// Page id.
        page: Option<u32>,
        /// The bytes; the end is not among them.
        bytes: Option<Range<u64>>,
    },
    /// Storage slots.
    Storage {
        /// The contract.
        address: Option<H160>,
        /// The slot.
        slot: Option<U256>,
    },
    /// Transient slots.
    Transient {
        /// The contract.
        address: Option<H160>,
        /// The slot.
        slot: Option<U256>,
    },
}

impl AccessKind {
    /// Its name in queries and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Restore => "restore",
            Self::Operator => "operator write",
        }
    }
}

impl Access {
    /// Whether it may leave another value than it found.
    pub fn changes(&self) -> bool {
        self.kind != AccessKind::Read && (self.old != self.new || self.old.is_none())
    }
}

impl PlacePattern {
    /// Only this place.
    pub fn of(place: &Place) -> Self {
        match *place {
            Place::Register(index) => Self::Register(Some(index)),
            Place::Flags => Self::Flag(None),
            Place::Stack { frame, slot } => Self::Stack {
                frame: Some(frame),
                slot: Some(slot),
            },
            Place::Memory { page, offset, length } => Self::Heap {
                page: Some(page),
                bytes: Some(u64::from(offset)..u64::from(offset) + u64::from(length)),
            },
            Place::Storage(key) => Self::Storage {
                address: Some(key.address),
                slot: Some(key.key),
            },
            Place::Transient(key) => Self::Transient {
                address: Some(key.address),
                slot: Some(key.key),
            },
        }
    }

    /// Whether a place is one of them.
    pub fn has(&self, place: &Place) -> bool {
        let slot = |address: &Option<H160>, slot: &Option<U256>, key: &StorageKey| {
            address.is_none_or(|address| address == key.address) && slot.is_none_or(|slot| slot == key.key)
        };
        match (self, place) {
            (Self::Register(wanted), Place::Register(index)) => wanted.is_none_or(|wanted| wanted == *index),
            (Self::Flag(_), Place::Flags) => true,
            (
                Self::Stack {
                    frame: in_frame,
                    slot: wanted,
                },
                Place::Stack { frame, slot },
            ) => {
                in_frame.is_none_or(|wanted| wanted == *frame) && wanted.is_none_or(|wanted| wanted == *slot)
            }
            (Self::Heap { page: wanted, bytes }, Place::Memory { page, offset, length }) => {
                let (start, end) = (u64::from(*offset), u64::from(*offset) + u64::from(*length));
                wanted.is_none_or(|wanted| wanted == *page)
                    && bytes
                        .as_ref()
                        .is_none_or(|bytes| start < bytes.end && bytes.start < end)
            }
            (
                Self::Storage {
                    address,
                    slot: wanted,
                },
                Place::Storage(key),
            )
            | (
                Self::Transient {
                    address,
                    slot: wanted,
                },
                Place::Transient(key),
            ) => slot(address, wanted, key),
            _ => false,
        }
    }

    /// Whether rows tell all about it, so that no chunk has to be executed again.
    pub const fn is_in_rows(&self) -> bool {
        matches!(self, Self::Storage { .. } | Self::Transient { .. })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = |f: &mut fmt::Formatter<'_>, what: &str, key: &StorageKey| {
            let address = symbols::address_text(key.address);
            write!(f, "{what} {address} {:#x}", key.key)
        };
        match self {
            Self::Register(index) => write!(f, "r{index}"),
            Self::Flags => f.write_str("flags"),
            Self::Stack { frame, slot } => write!(f, "stack {slot:#x} of {frame}"),
            Self::Memory {
                page,
                offset,
                length: 32,
            } => write!(f, "heap {page} {offset:#x}"),
            Self::Memory { page, offset, length } => {
                let end = u64::from(*offset) + u64::from(*length);
                write!(f, "heap {page} {offset:#x}..{end:#x}")
            }
            Self::Storage(key) => slot(f, "storage", key),
            Self::Transient(key) => slot(f, "transient", key),
        }
    }
}

impl fmt::Display for PlacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = |f: &mut fmt::Formatter<'_>, what: &str, address: &Option<H160>, slot: &Option<U256>| {
            f.write_str(what)?;
            if let Some(address) = address {
                write!(f, " {address:#x}")?;
            }
            slot.map_or(Ok(()), |slot| write!(f, " {slot:#x}"))
        };
        match self {
            Self::Register(None) => f.write_str("register"),
            Self::Register(Some(index)) => write!(f, "r{index}"),
            Self::Flag(None) => f.write_str("flags"),
            Self::Flag(Some(flag)) => f.write_str(flag.name()),
            Self::Stack { frame, slot } => {
                f.write_str("stack")?;
                if let Some(slot) = slot {
                    write!(f, " {slot:#x}")?;
                }
                frame.map_or(Ok(()), |frame| write!(f, " of {frame}"))
            }
            Self::Heap { page, bytes } => {
                f.write_str("heap")?;
                if let Some(page) = page {
                    write!(f, " {page}")?;
                }
                match bytes {
                    Some(bytes) if bytes.end == bytes.start + 32 => write!(f, " {:#x}", bytes.start),
                    Some(bytes) => write!(f, " {:#x}..{:#x}", bytes.start, bytes.end),
                    None => Ok(()),
                }
            }
            Self::Storage {
                address,
                slot: wanted,
            } => slot(f, "storage", address, wanted),
            Self::Transient {
                address,
                slot: wanted,
            } => slot(f, "transient", address, wanted),
        }
    }
}
