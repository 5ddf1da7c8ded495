//! How a batch is to be driven: the options in a `run.json`, or in a `run.ron` that a person wrote.

use std::path::Path;

use eradbg_vm::batch::ExecutionMode;
use primitive_types::H160;
use serde::{Deserialize, Deserializer};

use super::error::InputError;
use super::{SIZE_LIMIT, Script, file, wire};

const EXPECTED: &str = "run options (a JSON object, or RON in a file that ends in .ron)";

/// How the operator drives the bootloader over a batch. Every option may be absent from the file.
///
/// The defaults run one transaction at a time with compression and full pubdata, and close the batch if it is one of
/// the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// In what portions the batch is run.
    #[serde(deserialize_with = "wire::name")]
    pub driver: Driver,
    /// Whether the batch is closed at the end.
    pub finish_batch: FinishBatch,
    /// Whether factory dependencies of L2 transactions are pushed compressed.
    pub bytecode_compression: bool,
    /// What becomes of a transaction whose compressed bytecodes did not get published.
    #[serde(deserialize_with = "wire::name")]
    pub unpublished_bytecodes: UnpublishedBytecodes,
    /// What is handed to the L1 messenger when the batch is closed.
    #[serde(deserialize_with = "wire::name")]
    pub pubdata_builder: PubdataBuilder,
    /// Address of the validator contract that the pubdata names; used from version 26 to 30.
    #[serde(deserialize_with = "address")]
    pub l2_da_validator: H160,
    /// Number of the commitment scheme that the pubdata names; used from version 31. Without it, 3 (blobs and the hash
    /// of the pubdata) for full pubdata and 1 (no DA) for hashed.
    pub l2_da_commitment_scheme: Option<u8>,
}

/// In what portions a batch is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// Each transaction is pushed and run by itself, and rolled back if it halts.
    #[default]
    OneTx,
    /// All transactions are pushed first, then run in one go while the batch is closed.
    Batch,
    /// Each transaction is run by itself until its validation has ended. All but the last one are then taken back, so
    /// that each is validated on the state before the batch. They have to be in one L2 block.
    ValidateOnly,
}

/// What becomes of a transaction whose compressed bytecodes did not get published, say since it ran out of gas. Space for
/// compressed bytecodes is limited, and nobody pays for it.
///
/// Source: `matter-labs/zksync-era` `core/lib/vm_executor/src/batch/factory.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnpublishedBytecodes {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is taken back and run once more without compression, as an external node does.
    Retry,
    /// It is rejected, as by a main node that insists on compression.
    Reject,
}

/// Run options that contradict each other, or what the scenario asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// A batch is to be closed within a transaction.
    #[error("finish_batch: is true, expected false: driver validate_only stops within a transaction")]
    ClosedWithinTransaction,
    /// Without results of transactions nothing can become of them.
    #[error("unpublished_bytecodes: expected keep: with driver {} transactions are not run to their ends", .0.name())]
    NoResults(Driver),
    /// The snapshot to go back to is held over several transactions.
    #[error(
        "unpublished_bytecodes: expected keep or reject: retry takes single transactions back, and the scenario holds \
         snapshots over several"
    )]
    RetryWithinSnapshot,
    /// The operator of a scenario acts between transactions.
    #[error("driver: is {}, expected one_tx: the scenario has steps Snapshot", .0.name())]
    NoSnapshots(Driver),
}

/// Whether a batch is closed at the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "Option<bool>")]
pub enum FinishBatch {
    /// It is closed.
    Yes,
    /// It is left open.
    No,
    /// It is closed if its transactions run to their end in [`ExecutionMode::VerifyExecute`].
    #[default]
    ByMode,
}

/// The form of the pubdata that closes a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PubdataBuilder {
    /// Pubdata in full, as a rollup publishes it.
    #[default]
    Full,
    /// Only its hash, as chains do that keep the data elsewhere.
    Hashed,
}

impl Driver {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneTx => "one_tx",
            Self::Batch => "batch",
            Self::ValidateOnly => "validate_only",
        }
    }
}

impl RunConfig {
    /// Reads the options from a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not JSON, or has an unknown option or value. The error names file and place.
    pub fn load(path: &Path) -> Result<Self, InputError> {
        let bytes = file::read(path, EXPECTED, SIZE_LIMIT)?;
        if path.extension().is_some_and(|ending| ending == "ron") {
            return file::parse_ron(path, &bytes);
        }
        let json = file::unpack(path, &bytes, SIZE_LIMIT)?;
        file::parse(path, &json, EXPECTED)
    }

    /// Checks that the options fit each other, and what the operator is to do between transactions.
    ///
    /// # Errors
    ///
    /// They do not.
    pub fn check(&self, script: &Script) -> Result<(), OptionsError> {
        let has_snapshots = !script.snapshots.is_empty();
        match self.driver {
            Driver::ValidateOnly if self.finish_batch == FinishBatch::Yes => {
                Err(OptionsError::ClosedWithinTransaction)
            }
            Driver::OneTx if has_snapshots && self.unpublished_bytecodes == UnpublishedBytecodes::Retry => {
                Err(OptionsError::RetryWithinSnapshot)
            }
            Driver::OneTx => Ok(()),
            driver if self.unpublished_bytecodes != UnpublishedBytecodes::Keep => {
                Err(OptionsError::NoResults(driver))
            }
            driver if has_snapshots => Err(OptionsError::NoSnapshots(driver)),
            Driver::Batch | Driver::ValidateOnly => Ok(()),
        }
    }

    /// Returns whether a batch of this execution mode is closed at the end.
    pub fn finishes_batch(&self, mode: ExecutionMode) -> bool {
        match self.finish_batch {
            FinishBatch::Yes => true,
            FinishBatch::No => false,
            FinishBatch::ByMode => {
                mode == ExecutionMode::VerifyExecute && self.driver != Driver::ValidateOnly
            }
        }
    }
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            driver: Driver::default(),
            finish_batch: FinishBatch::default(),
            bytecode_compression: true,
            unpublished_bytecodes: UnpublishedBytecodes::default(),
            pubdata_builder: PubdataBuilder::default(),
            l2_da_validator: H160::zero(),
            l2_da_commitment_scheme: None,
        }
    }
}

impl From<Option<bool>> for FinishBatch {
    fn from(given: Option<bool>) -> Self {
        match given {
            Some(true) => Self::Yes,
            Some(false) => Self::No,
            None => Self::ByMode,
        }
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<H160, D::Error> {
    wire::Address::deserialize(deserializer).map(|address| address.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<RunConfig, String> {
        file::parse(Path::new("run.json"), json.as_bytes(), EXPECTED).map_err(|error| error.to_string())
    }

    #[test]
    fn absent_options_have_defaults() {
        assert_eq!(parse("{}"), Ok(RunConfig::default()));
        assert!(RunConfig::default().bytecode_compression);
    }

    #[test]
    fn all_options_are_read() {
        let json = r#"{"driver":"validate_only","finish_batch":false,"bytecode_compression":false,"unpublished_bytecodes":"retry",
            "pubdata_builder":"hashed","l2_da_validator":"0x0101010101010101010101010101010101010101",
            "l2_da_commitment_scheme":2}"#;
        let expected = RunConfig {
            driver: Driver::ValidateOnly,
            finish_batch: FinishBatch::No,
            bytecode_compression: false,
            unpublished_bytecodes: UnpublishedBytecodes::Retry,
            pubdata_builder: PubdataBuilder::Hashed,
            l2_da_validator: H160::repeat_byte(1),
            l2_da_commitment_scheme: Some(2),
        };
        assert_eq!(parse(json), Ok(expected));
    }

    #[test]
    fn a_run_file_may_be_written_in_ron() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.ron");
        let text = "// how to drive it\n(driver: \"batch\", finish_batch: true)";
        std::fs::write(&path, text).unwrap();
        let expected = RunConfig {
            driver: Driver::Batch,
            finish_batch: FinishBatch::Yes,
            ..RunConfig::default()
        };
        assert_eq!(RunConfig::load(&path).unwrap(), expected);
        std::fs::write(&path, "(\n  drivr: \"batch\",\n)").unwrap();
        let error = RunConfig::load(&path).unwrap_err().to_string();
        assert!(error.contains("run.ron:2:") && error.contains("drivr"), "{error}");
    }

    #[test]
    fn misspelt_options_and_values_are_refused_with_their_place() {
        let error = parse(r#"{"finish_bach": true}"#).unwrap_err();
        assert!(error.starts_with(
            "run.json:1:14: finish_bach: unknown field `finish_bach`, expected one of `driver`"
        ));
        let error = parse("{\n  \"driver\": \"one_tx_\"}").unwrap_err();
        assert_eq!(
            error,
            "run.json:2:22: driver: unknown variant `one_tx_`, \
             expected one of `one_tx`, `batch`, `validate_only`"
        );
        let error = parse(r#"{"pubdata_builder": 1}"#).unwrap_err();
        assert!(
            error.contains("pubdata_builder: invalid type: integer `1`, expected a name"),
            "{error}"
        );
        let error = parse(r#"{"finish_batch": "yes"}"#).unwrap_err();
        assert!(
            error.contains("finish_batch: invalid type: string \"yes\", expected a boolean"),
            "{error}"
        );
    }

    #[test]
    fn options_that_contradict_each_other_or_the_scenario_are_refused() {
        let held = Script {
            snapshots: [1].into(),
            ..Script::default()
        };
        let check = |json: &str, script: &Script| parse(json).unwrap().check(script).err();
        let plain = Script::default();
        for (json, script, expected) in [
            (r#"{"unpublished_bytecodes":"retry"}"#, &plain, None),
            (r#"{"unpublished_bytecodes":"reject"}"#, &held, None),
            (r#"{"driver":"validate_only","finish_batch":false}"#, &plain, None),
            (
                r#"{"driver":"validate_only","finish_batch":true}"#,
                &plain,
                Some(OptionsError::ClosedWithinTransaction),
            ),
            (
                r#"{"unpublished_bytecodes":"retry"}"#,
                &held,
                Some(OptionsError::RetryWithinSnapshot),
            ),
            (
                r#"{"driver":"batch","unpublished_bytecodes":"reject"}"#,
                &plain,
                Some(OptionsError::NoResults(Driver::Batch)),
            ),
            (
                r#"{"driver":"batch"}"#,
                &held,
                Some(OptionsError::NoSnapshots(Driver::Batch)),
            ),
        ] {
            assert_eq!(check(json, script), expected, "{json}");
        }
    }

    #[test]
    fn batch_is_closed_by_default_if_it_ran_as_on_the_chain() {
        let closes = |json: &str, mode| parse(json).unwrap().finishes_batch(mode);
        assert!(closes("{}", ExecutionMode::VerifyExecute));
        assert!(!closes("{}", ExecutionMode::EstimateFee));
        assert!(!closes("{}", ExecutionMode::EthCall));
        assert!(!closes(
            r#"{"driver":"validate_only"}"#,
            ExecutionMode::VerifyExecute
        ));
        assert!(closes(r#"{"finish_batch":true}"#, ExecutionMode::EthCall));
        assert!(!closes(r#"{"finish_batch":false}"#, ExecutionMode::VerifyExecute));
        assert!(closes(r#"{"finish_batch":null}"#, ExecutionMode::VerifyExecute));
    }
}
