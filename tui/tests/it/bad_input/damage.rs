//! Makes dumps and recordings bad.

use std::fs;
use std::io::Write;
use std::path::Path;

use eradbg_tracer::store::envelope::{self, Kind};
use eradbg_tracer::store::key;
use eradbg_tracer::store::tree::Tree;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::TRANSACTIONS;
use crate::support::with_tree;

pub(super) fn edit_text(folder: &Path, edit: fn(&str) -> String) {
    let text = fs::read_to_string(folder.join("good.json")).expect("the dump is there");
    fs::write(folder.join("bad.json"), edit(&text)).expect("the folder is writable");
}

pub(super) fn edit_json(folder: &Path, pointer: &str, edit: fn(&mut Value)) {
    let text = fs::read(folder.join("good.json")).expect("the dump is there");
    let mut dump: Value = serde_json::from_slice(&text).expect("the dump is JSON");
    edit(dump.pointer_mut(pointer).expect("a dump has this field"));
    fs::write(folder.join("bad.json"), dump.to_string()).expect("the folder is writable");
}

pub(super) fn write_gzip(folder: &Path, damage: fn(&mut Vec<u8>)) {
    let text = fs::read(folder.join("good.json")).expect("the dump is there");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&text).expect("memory takes all");
    let mut bytes = encoder.finish().expect("memory takes all");
    damage(&mut bytes);
    fs::write(folder.join("bad.json"), bytes).expect("the folder is writable");
}

pub(super) fn write_missing_slot(folder: &Path) {
    let dump = eradbg_fixtures::mini_dump_with_missing_slot(TRANSACTIONS);
    fs::write(folder.join("bad.json"), dump).expect("the folder is writable");
}

pub(super) fn change_first_code(codes: &mut Value) {
    let code = codes.as_object_mut().and_then(|codes| codes.values_mut().next());
    change_last_digit(code.expect("there is code"));
}

pub(super) fn change_last_digit(hex: &mut Value) {
    let text = hex.as_str().expect("hex digits are text");
    *hex = format!("{}{}", &text[..text.len() - 1], u8::from(!text.ends_with('1'))).into();
}

/// Removes the code of all contracts.
pub(super) fn remove_all_code(codes: &mut Value) {
    codes.as_object_mut().expect("codes go by their hash").clear();
}

pub(super) fn make_directory(folder: &Path, name: &str) {
    fs::create_dir(folder.join(name)).expect("the folder is writable");
}

pub(super) fn remove(folder: &Path, name: &str) {
    fs::remove_dir_all(folder.join(name)).expect("the folder is writable");
}

pub(super) fn edit_manifest(folder: &Path, field: &str, number: u32) {
    with_tree(&folder.join("r"), Tree::Meta, |tree| {
        let packed = tree
            .get(key::MANIFEST)
            .expect("the tree is readable")
            .expect("there is a manifest");
        let json = envelope::unpack(Kind::Manifest, key::MANIFEST, &packed).expect("it is whole");
        let mut manifest: Value = serde_json::from_slice(&json).expect("it is JSON");
        manifest[field] = number.into();
        let packed = envelope::pack(Kind::Manifest, key::MANIFEST, manifest.to_string().as_bytes());
        tree.insert(key::MANIFEST, packed).expect("the tree is writable");
    });
}

/// Changes one bit in the midst of a value.
pub(super) fn flip(folder: &Path, tree: Tree, key: &[u8]) {
    with_tree(&folder.join("r"), tree, |tree| {
        let mut value = tree
            .get(key)
            .expect("the tree is readable")
            .expect("there is a value")
            .to_vec();
        let middle = value.len() / 2;
        value[middle] ^= 0x10;
        tree.insert(key, value).expect("the tree is writable");
    });
}

/// Changes one bit of the first value of a tree whose key starts with a byte.
pub(super) fn flip_first(folder: &Path, tree: Tree, start: u8) {
    let key = with_tree(&folder.join("r"), tree, |tree| {
        let first = tree
            .scan_prefix([start])
            .keys()
            .next()
            .expect("there is such a value");
        first.expect("the tree is readable").to_vec()
    });
    flip(folder, tree, &key);
}

pub(super) fn remove_key(folder: &Path, tree: Tree, key: &[u8]) {
    let removed = with_tree(&folder.join("r"), tree, |tree| {
        tree.remove(key).expect("the tree is writable")
    });
    assert!(removed.is_some(), "there was a value");
}
