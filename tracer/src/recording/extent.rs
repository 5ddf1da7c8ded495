//! What a recording says of itself, and how far it goes.

use crate::error::{Error, Result};
use crate::log::ChunkLog;
use crate::manifest::{End, EndKind, Manifest, Seal};
use crate::store::codec::Malformed;
use crate::store::envelope::Kind;
use crate::store::shelf::Shelf;
use crate::store::tree::Tree;
use crate::store::{FORMAT, key};

/// How far a recording goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extent {
    /// Chunks, steps, and the checksum of the last chunk.
    pub(crate) seal: Seal,
    /// First step of each chunk.
    pub(crate) first_steps: Vec<u64>,
    /// How the run ended.
    pub(crate) kind: EndKind,
}

pub(super) fn read_manifest(database: &Shelf) -> Result<Manifest> {
    let no_recording = || Error::NotARecording {
        path: database.path().to_owned(),
        why: "is no recording: it has a database without a manifest".to_owned(),
    };
    let place = || "meta/manifest".to_owned();
    let found = database
        .get(Tree::Meta, Kind::Manifest, key::MANIFEST, place)?
        .ok_or_else(no_recording)?;
    let damaged = |error: serde_json::Error| database.damaged(place(), error.to_string());
    // The format comes first: a newer one may have other fields.
    let fields: serde_json::Value = serde_json::from_slice(&found.0).map_err(damaged)?;
    match fields["format"].as_u64() {
        Some(format) if format > u64::from(FORMAT) => {
            let found = u32::try_from(format).unwrap_or(u32::MAX);
            Err(Error::NewerFormat {
                path: database.path().to_owned(),
                found,
                known: FORMAT,
            })
        }
        _ => serde_json::from_value(fields).map_err(damaged),
    }
}

pub(super) fn read_meta<T>(
    database: &Shelf,
    kind: Kind,
    key: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, Malformed>,
) -> Result<Option<T>> {
    let place = || format!("meta/{}", String::from_utf8_lossy(key));
    let Some((bytes, _)) = database.get(Tree::Meta, kind, key, place)? else {
        return Ok(None);
    };
    decode(&bytes)
        .map(Some)
        .map_err(|error| database.damaged(place(), error.to_string()))
}

pub(super) fn read_end(database: &Shelf) -> Result<Option<End>> {
    read_meta(database, Kind::End, key::END, End::decode)
}

/// How far a recording without an end goes: chunks whose log, chain and keyframe are there.
pub(super) fn scan(database: &Shelf) -> Result<(Vec<u64>, Seal)> {
    let mut first_steps = Vec::new();
    let mut seal = Seal::default();
    loop {
        let chunk = seal.chunks;
        let place = || format!("log of chunk {chunk}");
        let Ok(Some((bytes, checksum))) = database.get(Tree::Log, Kind::Log, &key::chunk(chunk), place)
        else {
            break;
        };
        let Ok(log) = ChunkLog::decode(&bytes) else { break };
        let continues = log.previous == seal.chain && log.first_step == seal.steps;
        if !continues || !database.contains(Tree::Keyframe, &key::chunk(chunk))? {
            break;
        }
        first_steps.push(log.first_step);
        seal = Seal {
            chunks: chunk + 1,
            steps: log.end(),
            chain: checksum,
        };
    }
    Ok((first_steps, seal))
}
