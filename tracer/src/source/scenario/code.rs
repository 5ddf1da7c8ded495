//! Code of contracts: from assembly, from compilers' artifacts, from bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eradbg_vm::bytecode::{self, BytecodeError, bytes_to_words, words_to_bytes};
use primitive_types::U256;
use serde::Deserialize;
use serde_json::Value;

use crate::listing::Listing;
use crate::source::assembly;
use crate::source::error::InputError;
use crate::source::{SIZE_LIMIT, file};

const ASSEMBLY: &str = "EraVM assembly";
const ARTIFACT: &str = "an artifact of foundry-zksync or hardhat-zksync (a JSON object)";
const ZBIN: &str = "a bytecode";

/// Code that may be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Code {
    /// Versioned bytecode hash.
    pub(super) hash: U256,
    /// The bytecode.
    pub(super) bytes: Vec<u8>,
    /// Bytecodes that it may deploy itself.
    pub(super) dependencies: Vec<Vec<u8>>,
    /// What it was assembled from, if it was.
    pub(super) listing: Option<Listing>,
}

impl Code {
    /// Takes a bytecode.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Result<Self, BytecodeError> {
        Ok(Self {
            hash: bytecode::hash_bytecode(&bytes)?,
            bytes,
            dependencies: Vec::new(),
            listing: None,
        })
    }

    /// Assembles a text that is called `name`; `file` is what errors call it.
    pub(super) fn assemble(file: &Path, name: &str, text: &str) -> Result<Self, InputError> {
        let assembled = assembly::assemble(text).map_err(|error| InputError::Assembly {
            file: file.to_owned(),
            line: error.line,
            problem: error.problem,
        })?;
        Ok(Self {
            hash: assembled.hash,
            bytes: words_to_bytes(&assembled.words),
            dependencies: Vec::new(),
            listing: Some(Listing {
                hash: assembled.hash,
                name: name.to_owned(),
                text: text.to_owned(),
                lines: assembled.lines,
            }),
        })
    }

    /// Assembles a file.
    pub(super) fn from_assembly(path: &Path) -> Result<Self, InputError> {
        let bytes = file::read(path, ASSEMBLY, SIZE_LIMIT)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            InputError::Assembly {
                file: path.to_owned(),
                line: good.split(|&byte| byte == b'\n').count() as u32,
                problem: "this is no UTF-8 text".to_owned(),
            }
        })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self::assemble(path, &name, &text)
    }

    /// Reads the bytecode in a compiler's artifact, and those in the artifacts of what it deploys.
    pub(super) fn from_artifact(path: &Path) -> Result<Self, InputError> {
        let mut found = BTreeMap::new();
        let hash = read_artifact(path, &mut found)?;
        let bytes = found.remove(&hash).expect("an artifact that was read is found");
        Ok(Self {
            hash,
            bytes,
            dependencies: found.into_values().collect(),
            listing: None,
        })
    }

    /// Reads the bytecode in a compiler's artifact, whatever it deploys.
    pub(super) fn from_artifact_alone(path: &Path) -> Result<Self, InputError> {
        read_bytecode(path).map(|(code, _)| code)
    }

    /// Reads a file with nothing but a bytecode: bytes, or hex digits as newer compilers write them.
    pub(super) fn from_zbin(path: &Path) -> Result<Self, InputError> {
        let bytes = file::read(path, ZBIN, SIZE_LIMIT)?;
        let digits = bytes.trim_ascii();
        let decoded = hex::decode(digits.strip_prefix(b"0x").unwrap_or(digits)).unwrap_or(bytes);
        Self::from_bytes(decoded).map_err(|error| InputError::Inconsistent {
            file: path.to_owned(),
            at: "bytecode".to_owned(),
            problem: error.to_string(),
        })
    }

    /// The code page.
    pub(super) fn words(&self) -> Vec<U256> {
        bytes_to_words(&self.bytes)
    }
}

/// What an artifact says that matters here.
#[derive(Deserialize)]
struct Artifact {
    #[serde(deserialize_with = "bytecode")]
    bytecode: Bytecode,
    #[serde(default, rename = "factoryDependencies", alias = "factoryDeps")]
    dependencies: Dependencies,
}

/// hardhat-zksync writes digits, foundry-zksync an object with them.
enum Bytecode {
    Digits(String),
    Object(String),
}

/// Reads an artifact and those of its dependencies, each once. Returns the hash of its code.
fn read_artifact(path: &Path, found: &mut BTreeMap<U256, Vec<u8>>) -> Result<U256, InputError> {
    let (Code { hash, bytes, .. }, dependencies) = read_bytecode(path)?;
    found.insert(hash, bytes);
    for (dependency, name) in dependencies {
        let wrong = |problem| {
            let at = format!("factoryDependencies.{dependency}");
            inconsistent(path, &at, problem)
        };
        let digits = dependency.strip_prefix("0x").unwrap_or(&dependency);
        let expected = U256::from_str_radix(digits, 16)
            .map_err(|_| wrong("expected the hash of a code as hex digits".to_owned()))?;
        if found.contains_key(&expected) {
            continue;
        }
        let beside = artifact_beside(path, &name)
            .ok_or_else(|| wrong(format!("the artifact of {name} is not there")))?;
        if read_artifact(&beside, found)? != expected {
            return Err(wrong(format!("{} has other code", beside.display())));
        }
    }
    Ok(hash)
}

/// Contracts by the hash of their code, as `src/File.sol:Contract`.
type Dependencies = BTreeMap<String, String>;

/// Reads an artifact's code alone, and what it deploys.
fn read_bytecode(path: &Path) -> Result<(Code, Dependencies), InputError> {
    let bytes = file::read(path, ARTIFACT, SIZE_LIMIT)?;
    let artifact: Artifact = file::parse(path, &bytes, ARTIFACT)?;
    let (at, digits) = match &artifact.bytecode {
        Bytecode::Digits(digits) => ("bytecode", digits),
        Bytecode::Object(digits) => ("bytecode.object", digits),
    };
    let bytes = hex::decode(digits.strip_prefix("0x").unwrap_or(digits))
        .map_err(|error| inconsistent(path, at, format!("expected hex digits: {error}")))?;
    if bytes.is_empty() {
        let problem = "expected a bytecode, found none: interfaces and abstract contracts have no code";
        return Err(inconsistent(path, at, problem.to_owned()));
    }
    let code = Code::from_bytes(bytes).map_err(|error| inconsistent(path, at, error.to_string()))?;
    Ok((code, artifact.dependencies))
}

fn inconsistent(path: &Path, at: &str, problem: String) -> InputError {
    InputError::Inconsistent {
        file: path.to_owned(),
        at: at.to_owned(),
        problem,
    }
}

/// Where the artifact of `src/File.sol:Contract` is: `File.sol/Contract.json` next to this one's folder, or
/// `src/File.sol/Contract.json` below one of the folders above.
fn artifact_beside(path: &Path, name: &str) -> Option<PathBuf> {
    let (source, contract) = name.rsplit_once(':')?;
    let file = format!("{contract}.json");
    let short = Path::new(source).file_name()?;
    path.ancestors()
        .skip(2)
        .flat_map(|folder| [folder.join(short).join(&file), folder.join(source).join(&file)])
        .find(|path| path.is_file())
}

fn bytecode<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Bytecode, D::Error> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let value = Value::deserialize(deserializer)?;
    let found = match &value {
        Value::Object(fields) => fields.get("object").and_then(text).map(Bytecode::Object),
        other => text(other).map(Bytecode::Digits),
    };
    found.ok_or_else(|| {
        serde::de::Error::custom("expected hex digits, or an object with hex digits in its field `object`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(bytes: &[u8]) -> String {
        format!("{:064x}", bytecode::hash_bytecode(bytes).unwrap())
    }

    fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn artifacts_of_both_compilers_are_read_with_what_they_deploy() {
        let folder = tempfile::tempdir().unwrap();
        let child = [2; 32];
        let dependency = format!("{{ \"{}\": \"src/Child.sol:Child\" }}", hash_of(&child));
        let digits = hex::encode([1; 32]);
        let foundry = write(
            folder.path(),
            "Parent.sol/Parent.json",
            &format!(
                "{{ \"abi\": [], \"bytecode\": {{ \"object\": \"{digits}\" }}, \"factoryDependencies\": {dependency} }}"
            ),
        );
        let missing = Code::from_artifact(&foundry).unwrap_err().to_string();
        assert!(
            missing.contains("factoryDependencies.") && missing.contains("src/Child.sol:Child is not there"),
            "{missing}"
        );
        let artifact = format!("{{ \"bytecode\": \"0x{}\" }}", hex::encode(child));
        write(folder.path(), "Child.sol/Child.json", &artifact);
        let code = Code::from_artifact(&foundry).unwrap();
        assert_eq!(
            (code.bytes, code.dependencies),
            (vec![1; 32], vec![child.to_vec()])
        );

        let hardhat = write(
            folder.path(),
            "contracts/Parent.sol/Parent.json",
            &format!("{{ \"bytecode\": \"0x{digits}\", \"factoryDeps\": {dependency} }}"),
        );
        assert_eq!(
            Code::from_artifact(&hardhat).unwrap().dependencies,
            [child.to_vec()]
        );
        let other = format!("{{ \"bytecode\": \"0x{}\" }}", hex::encode([3; 32]));
        write(folder.path(), "Child.sol/Child.json", &other);
        let error = Code::from_artifact(&foundry).unwrap_err().to_string();
        assert!(error.ends_with("Child.json has other code"), "{error}");
    }

    #[test]
    fn artifacts_without_code_say_so() {
        let folder = tempfile::tempdir().unwrap();
        for (content, problem) in [
            ("{}", "missing field `bytecode`"),
            (
                "{\"bytecode\": {\"object\": \"0x\"}}",
                "bytecode.object: expected a bytecode, found none",
            ),
            ("{\"bytecode\": \"0xzz\"}", "bytecode: expected hex digits"),
            ("{\"bytecode\": \"0x00\"}", "bytecode: "),
            ("{\"bytecode\": 7}", "expected hex digits, or an object"),
        ] {
            let path = write(folder.path(), "A.json", content);
            let error = Code::from_artifact(&path).unwrap_err().to_string();
            assert!(
                error.contains("A.json") && error.contains(problem),
                "{content}: {error}"
            );
        }
    }

    #[test]
    fn a_bare_bytecode_is_bytes_or_digits() {
        let folder = tempfile::tempdir().unwrap();
        let digits = write(folder.path(), "a.zbin", &hex::encode([1; 32]));
        assert_eq!(Code::from_zbin(&digits).unwrap().bytes, [1; 32]);
        let raw = folder.path().join("b.zbin");
        std::fs::write(&raw, [1; 32]).unwrap();
        assert_eq!(Code::from_zbin(&raw).unwrap().bytes, [1; 32]);
        std::fs::write(&raw, [1; 33]).unwrap();
        assert!(Code::from_zbin(&raw).is_err());
    }

    #[test]
    fn assembly_that_is_none_names_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "bad.asm", ".text\nmain:\n  frobnicate r1\n");
        let error = Code::from_assembly(&path).unwrap_err().to_string();
        assert!(error.contains("bad.asm:3: "), "{error}");
    }
}
