//! The reference vectors load, and their transactions have the expected hashes.

use std::path::{Path, PathBuf};

use eradbg_vm::batch::Transaction;
use serde_json::Value;

use crate::source::{Loaded, file, load};

/// The folders of the reference vectors; says so and returns none where there are no vectors.
fn vectors() -> Vec<PathBuf> {
    let folder = std::env::var_os("ERADBG_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    );
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!(
            "NOT RUN: no reference vectors in {} (set ERADBG_VECTORS)",
            folder.display()
        );
        return vec![];
    };
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "{} holds no vectors", folder.display());
    folders
}

/// Returns `name` or `name.gz` in a vector's folder, whichever there is.
fn file_of(vector: &Path, name: &str) -> PathBuf {
    let plain = vector.join(name);
    if plain.exists() {
        plain
    } else {
        vector.join(format!("{name}.gz"))
    }
}

fn dump_of(vector: &Path) -> Loaded {
    load(&file_of(vector, "dump.json"), None).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns whether a transaction's signature is not the one in its signed bytes, as in vectors made to be rejected. Its
/// hash in the dump then is that of the transaction before.
fn signature_was_altered(tx: &Transaction) -> bool {
    let Some(signed_bytes) = &tx.signed_bytes else {
        return false;
    };
    let holds = |part: &[u8]| {
        let significant = &part[part.iter().take_while(|&&byte| byte == 0).count()..];
        significant.is_empty()
            || signed_bytes
                .windows(significant.len())
                .any(|window| window == significant)
    };
    match tx.signature.len() {
        65 => !(holds(&tx.signature[..32]) && holds(&tx.signature[32..64])),
        _ => !holds(&tx.signature),
    }
}

#[test]
fn vectors_load_and_their_transactions_have_the_expected_hashes() {
    for vector in vectors() {
        let input = dump_of(&vector).input;
        let path = file_of(&vector, "expected.json");
        let bytes = file::read(&path, "", u64::MAX - 1).unwrap();
        let expected: Value =
            serde_json::from_slice(&file::unpack(&path, &bytes, u64::MAX - 1).unwrap()).unwrap();
        let expected = expected["txs"].as_array().unwrap();
        for (index, (tx, expected)) in input.transactions().zip(expected).enumerate() {
            let place = format!("{} tx {index}", vector.display());
            let Some(hash) = expected["tx_hash"].as_str() else {
                continue;
            };
            assert_eq!(
                tx.known_hash.map(|known| format!("{known:?}")).as_deref(),
                Some(hash),
                "{place}"
            );
            if signature_was_altered(tx) {
                assert_eq!(expected["result"]["status"], "halt", "{place}");
                continue;
            }
            let from_fields = Transaction {
                signed_bytes: None,
                ..tx.clone()
            };
            for tx in [tx, &from_fields] {
                assert_eq!(format!("{:?}", tx.hash(input.system.chain_id)), hash, "{place}");
            }
        }
    }
}
