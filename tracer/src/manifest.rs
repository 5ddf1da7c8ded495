//! What a recording is about, and how far it was written.

use eradbg_vm::protocol::Revision;
use serde::{Deserialize, Serialize};

use crate::store::codec::{Decoder, Encoder, Malformed};

/// Written first: where the recording comes from. Kept as JSON, so that any version can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of the bytes.
    pub format: u32,
    /// Number of the semantics of the machine that replays it.
    pub machine: u32,
    /// Name of the release of the official VMs that decided where releases differ.
    #[serde(default = "default_revision")]
    pub revision: String,
    /// Version of eradbg that made it.
    pub tool_version: String,
    /// Name of the input.
    pub name: String,
    /// Kind of the input.
    pub input_kind: String,
    /// Bytes of the input.
    pub input_size: u64,
    /// SHA-256 of the input, 64 hex digits.
    pub input_sha256: String,
    /// Protocol version of the batch.
    pub protocol_version: u16,
    /// Chain id.
    pub chain_id: u64,
    /// Number of the batch.
    pub batch_number: u32,
    /// Steps in a chunk.
    pub chunk_steps: u32,
    /// When it was made: seconds since 1970.
    pub created_unix: u64,
}

/// How far a recording was written for sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seal {
    /// Chunks.
    pub chunks: u32,
    /// Steps.
    pub steps: u64,
    /// Checksum of the last chunk.
    pub chain: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EndKind {
    /// Everything that was asked for was done.
    Finished,
    /// The user stopped it.
    Interrupted,
    /// The input did not go on: what is missing.
    Stopped(String),
    /// Nobody wrote how: the process was killed, or could not write.
    #[default]
    Unknown,
    /// It is being written by this process.
    Recording,
}

/// Written last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// How far it was written.
    pub seal: Seal,
    /// First step of each chunk.
    pub first_steps: Vec<u64>,
    /// How the run ended.
    pub kind: EndKind,
}

fn default_revision() -> String {
    Revision::default().to_string()
}

impl Seal {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        e.number(self.chunks);
        e.number(self.steps);
        e.number(self.chain);
        e.into_bytes()
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the bytes are no seal.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(&mut Decoder::new(bytes))
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            chunks: d.number()?,
            steps: d.number()?,
            chain: d.number()?,
        })
    }
}

impl End {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        let (number, text) = match &self.kind {
            EndKind::Finished => (0, ""),
            EndKind::Interrupted => (1, ""),
            EndKind::Stopped(why) => (2, why.as_str()),
            EndKind::Unknown | EndKind::Recording => (3, ""),
        };
        e.u8(number);
        e.blob(text.as_bytes());
        e.number(self.first_steps.len() as u64);
        let mut last = 0;
        for &step in &self.first_steps {
            e.number(step - last);
            last = step;
        }
        let mut bytes = self.seal.encode();
        bytes.extend(e.into_bytes());
        bytes
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the bytes are no end.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut d = Decoder::new(bytes);
        let seal = Seal::read(&mut d)?;
        let number = d.u8()?;
        let text = String::from_utf8_lossy(d.blob()?).into_owned();
        let kind = match number {
            0 => EndKind::Finished,
            1 => EndKind::Interrupted,
            2 => EndKind::Stopped(text),
            3 => EndKind::Unknown,
            _ => return Err(Malformed),
        };
        let count = d.count()?;
        let mut step = 0u64;
        let mut first_steps = Vec::with_capacity(count);
        for _ in 0..count {
            step = step.checked_add(d.number()?).ok_or(Malformed)?;
            first_steps.push(step);
        }
        if d.is_empty() && first_steps.len() == seal.chunks as usize {
            Ok(Self {
                seal,
                first_steps,
                kind,
            })
        } else {
            Err(Malformed)
        }
    }
}
