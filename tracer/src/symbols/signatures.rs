//! Functions, events and errors of system contracts, accounts, paymasters and tokens, in Solidity's words.
//!
//! Source: `matter-labs/era-contracts` `system-contracts/contracts` (interfaces, `SystemContext.sol`,
//! `SystemContractErrors.sol`), the older interfaces in its releases since v24, and ERC-20.

/// A contract, or what many contracts have in common, with its items, one on each line.
pub(super) type Signatures = (&'static str, &'static str);

/// The system contracts, by the name that their address has.
pub(super) const SYSTEM: &[Signatures] = &[
    (
        "AccountCodeStorage",
        "function storeAccountConstructingCodeHash(address account, bytes32 hash)
         function storeAccountConstructedCodeHash(address account, bytes32 hash)
         function markAccountCodeHashAsConstructed(address account)
         function getRawCodeHash(address account) returns (bytes32 codeHash)
         function getCodeHash(uint256 account) returns (bytes32 codeHash)
         function getCodeSize(uint256 account) returns (uint256 codeSize)
         function isAccountEVM(address account) returns (bool)",
    ),
    (
        "BootloaderUtilities",
        "function getTransactionHashes(TRANSACTION transaction) returns (bytes32 txHash, bytes32 signedTxHash)",
    ),
    (
        "ComplexUpgrader",
        "function upgrade(address delegateTo, bytes data)
         function forceDeployAndUpgrade(FORCE_DEPLOYMENT[] deployments, address delegateTo, bytes data)",
    ),
    (
        "Compressor",
        "function publishCompressedBytecode(bytes bytecode, bytes compressed) returns (bytes32 bytecodeHash)
         function verifyCompressedStateDiffs(uint256 count, uint256 indexSize, bytes diffs, bytes compressed) \
         returns (bytes32 stateDiffHash)",
    ),
    (
        "ContractDeployer",
        "event ContractDeployed(address indexed deployer, bytes32 indexed bytecodeHash, address indexed contractAddress)
         event AccountNonceOrderingUpdated(address indexed account, uint8 nonceOrdering)
         event AccountVersionUpdated(address indexed account, uint8 version)
         event AllowedBytecodeTypesModeUpdated(uint8 mode)
         function allowedBytecodeTypesToDeploy() returns (uint8 mode)
         function getNewAddressCreate2(address sender, bytes32 bytecodeHash, bytes32 salt, bytes input) \
         returns (address newAddress)
         function getNewAddressCreate(address sender, uint256 nonce) returns (address newAddress)
         function create(bytes32 salt, bytes32 bytecodeHash, bytes input) returns (address newAddress)
         function create2(bytes32 salt, bytes32 bytecodeHash, bytes input) returns (address newAddress)
         function createAccount(bytes32 salt, bytes32 bytecodeHash, bytes input, uint8 version) \
         returns (address newAddress)
         function create2Account(bytes32 salt, bytes32 bytecodeHash, bytes input, uint8 version) \
         returns (address newAddress)
         function createEVM(bytes initCode) returns (uint256 evmGasUsed, address newAddress)
         function create2EVM(bytes32 salt, bytes initCode) returns (uint256 evmGasUsed, address newAddress)
         function getAccountInfo(address account) returns (ACCOUNT_INFO info)
         function extendedAccountVersion(address account) returns (uint8)
         function updateAccountVersion(uint8 version)
         function updateNonceOrdering(uint8 nonceOrdering)
         function forceDeployOnAddress(FORCE_DEPLOYMENT deployment, address sender)
         function forceDeployOnAddresses(FORCE_DEPLOYMENT[] deployments)
         function setAllowedBytecodeTypesToDeploy(uint8 mode)",
    ),
    (
        "EvmHashesStorage",
        "function storeEvmCodeHash(bytes32 versionedBytecodeHash, bytes32 evmBytecodeHash)
         function getEvmCodeHash(bytes32 versionedBytecodeHash) returns (bytes32)",
    ),
    (
        "ImmutableSimulator",
        "function getImmutable(address of, uint256 index) returns (bytes32)
         function setImmutables(address of, IMMUTABLE[] immutables)",
    ),
    (
        "KnownCodesStorage",
        "event MarkedAsKnown(bytes32 indexed bytecodeHash, bool indexed sendBytecodeToL1)
         function markFactoryDeps(bool shouldSendToL1, bytes32[] hashes)
         function markBytecodeAsPublished(bytes32 bytecodeHash)
         function getMarker(bytes32 hash) returns (uint256)
         function publishEVMBytecode(uint256 length, bytes bytecode) returns (bytes32)",
    ),
    (
        "L1Messenger",
        "event L1MessageSent(address indexed sender, bytes32 indexed hash, bytes message)
         event L2ToL1LogSent(L2_TO_L1_LOG log)
         event BytecodeL1PublicationRequested(bytes32 bytecodeHash)
         function sendToL1(bytes message) returns (bytes32 hash)
         function sendL2ToL1Log(bool isService, bytes32 key, bytes32 value) returns (uint256 logId)
         function requestBytecodeL1Publication(bytes32 bytecodeHash)
         function publishPubdataAndClearState(bytes totalPubdata)
         function publishPubdataAndClearState(address l2DAValidator, bytes operatorInput)
         function publishPubdataAndClearState(uint8 commitmentScheme, bytes operatorInput)",
    ),
    (
        "L2BaseToken",
        "event Mint(address indexed account, uint256 amount)
         event Transfer(address indexed from, address indexed to, uint256 value)
         event Withdrawal(address indexed l2Sender, address indexed l1Receiver, uint256 amount)
         event WithdrawalWithMessage(address indexed l2Sender, address indexed l1Receiver, uint256 amount, \
         bytes additionalData)
         function balanceOf(uint256 account) returns (uint256 balance)
         function transferFromTo(address from, address to, uint256 amount)
         function totalSupply() returns (uint256)
         function mint(address account, uint256 amount)
         function withdraw(address l1Receiver)
         function withdrawWithMessage(address l1Receiver, bytes additionalData)",
    ),
    (
        "L2InteropRootStorage",
        "event InteropRootAdded(uint256 indexed chainId, uint256 indexed blockNumber, bytes32[] sides)
         error SidesLengthNotOne()
         error InteropRootAlreadyExists()
         error MessageRootIsZero()
         function addInteropRoot(uint256 chainId, uint256 blockOrBatchNumber, bytes32[] sides)",
    ),
    (
        "NonceHolder",
        "function getMinNonce(address account) returns (uint256)
         function getKeyedNonce(address account, uint192 key) returns (uint256)
         function getRawNonce(address account) returns (uint256)
         function increaseMinNonce(uint256 by) returns (uint256)
         function incrementMinNonceIfEquals(uint256 expectedNonce)
         function incrementMinNonceIfEqualsKeyed(uint256 expectedNonce)
         function setValueUnderNonce(uint256 key, uint256 value)
         function getValueUnderNonce(uint256 key) returns (uint256)
         function getDeploymentNonce(address account) returns (uint256)
         function incrementDeploymentNonce(address account) returns (uint256)
         function validateNonceUsage(address account, uint256 key, bool shouldBeUsed)
         function isNonceUsed(address account, uint256 nonce) returns (bool)",
    ),
    (
        "PubdataChunkPublisher",
        "function chunkPubdataToBlobs(bytes pubdata) returns (bytes32[] blobLinearHashes)
         function chunkAndPublishPubdata(bytes pubdata)",
    ),
    (
        "SystemContext",
        "function chainId() returns (uint256)
         function origin() returns (address)
         function gasPrice() returns (uint256)
         function blockGasLimit() returns (uint256)
         function coinbase() returns (address)
         function difficulty() returns (uint256)
         function baseFee() returns (uint256)
         function txNumberInBlock() returns (uint16)
         function getBlockHashEVM(uint256 number) returns (bytes32)
         function getBatchHash(uint256 number) returns (bytes32)
         function getBlockNumber() returns (uint128)
         function getBlockTimestamp() returns (uint128)
         function getBatchNumberAndTimestamp() returns (uint128 number, uint128 timestamp)
         function getL2BlockNumberAndTimestamp() returns (uint128 number, uint128 timestamp)
         function gasPerPubdataByte() returns (uint256)
         function getCurrentPubdataSpent() returns (uint256)
         function getCurrentPubdataCost() returns (uint256)
         function setChainId(uint256 newChainId)
         function setTxOrigin(address newOrigin)
         function setGasPrice(uint256 gasPrice)
         function setPubdataInfo(uint256 gasPerPubdataByte, uint256 basePubdataSpent)
         function setL2Block(uint128 number, uint128 timestamp, bytes32 expectedPreviousHash, bool isFirstInBatch, \
         uint128 maxVirtualBlocksToCreate)
         function appendTransactionToCurrentL2Block(bytes32 txHash)
         function publishTimestampDataToL1()
         function setNewBatch(bytes32 previousBatchHash, uint128 timestamp, uint128 expectedNumber, uint256 baseFee)
         function unsafeOverrideBatch(uint256 timestamp, uint256 number, uint256 baseFee)
         function incrementTxNumberInBatch()
         function resetTxNumberInBatch()
         function currentBlockInfo() returns (uint256)
         function getBlockNumberAndTimestamp() returns (uint256 number, uint256 timestamp)
         function blockHash(uint256 number) returns (bytes32)",
    ),
];

/// What contracts of any address may have: looked up where nothing better is known.
pub(super) const COMMON: &[Signatures] = &[
    (
        "account",
        "function validateTransaction(bytes32 txHash, bytes32 suggestedSignedHash, TRANSACTION transaction) \
         returns (bytes4 magic)
         function executeTransaction(bytes32 txHash, bytes32 suggestedSignedHash, TRANSACTION transaction)
         function executeTransactionFromOutside(TRANSACTION transaction)
         function payForTransaction(bytes32 txHash, bytes32 suggestedSignedHash, TRANSACTION transaction)
         function prepareForPaymaster(bytes32 txHash, bytes32 possibleSignedHash, TRANSACTION transaction)",
    ),
    (
        "paymaster",
        "function validateAndPayForPaymasterTransaction(bytes32 txHash, bytes32 suggestedSignedHash, \
         TRANSACTION transaction) returns (bytes4 magic, bytes context)
         function postTransaction(bytes context, TRANSACTION transaction, bytes32 txHash, \
         bytes32 suggestedSignedHash, uint8 txResult, uint256 maxRefundedGas)
         function general(bytes input)
         function approvalBased(address token, uint256 minAllowance, bytes innerInput)",
    ),
    (
        "L2DAValidator",
        "function validatePubdata(bytes32 chainedLogsHash, bytes32 logsRootHash, bytes32 chainedMessagesHash, \
         bytes32 chainedBytecodesHash, bytes totalL2ToL1PubdataAndStateDiffs) returns (bytes32 outputHash)",
    ),
    (
        "",
        "function name() returns (string)
         function symbol() returns (string)
         function decimals() returns (uint8)
         function totalSupply() returns (uint256)
         function balanceOf(address account) returns (uint256)
         function allowance(address owner, address spender) returns (uint256)
         function transfer(address to, uint256 amount) returns (bool)
         function transferFrom(address from, address to, uint256 amount) returns (bool)
         function approve(address spender, uint256 amount) returns (bool)
         function mint(address to, uint256 amount)
         function owner() returns (address)
         event Transfer(address indexed from, address indexed to, uint256 value)
         event Approval(address indexed owner, address indexed spender, uint256 value)
         event OwnershipTransferred(address indexed previousOwner, address indexed newOwner)
         event Upgraded(address indexed implementation)",
    ),
    (
        "",
        "error Error(string message)
         error Panic(uint256 code)
         error AddressHasNoCode(address)
         error CallerMustBeBootloader()
         error CallerMustBeEvmContract()
         error CallerMustBeSystemContract()
         error CallToKeccakShouldHaveSucceeded()
         error CannotInitializeFirstVirtualBlock()
         error CannotReuseL2BlockNumberFromPreviousBatch()
         error CodeOracleCallFailed()
         error CompressionValueAddError(uint256 expected, uint256 actual)
         error CompressionValueSubError(uint256 expected, uint256 actual)
         error CompressionValueTransformError(uint256 expected, uint256 actual)
         error CompressorEnumIndexNotEqual(uint256 expected, uint256 actual)
         error CompressorInitialWritesProcessedNotEqual(uint256 expected, uint256 actual)
         error CurrentBatchNumberMustBeGreaterThanZero()
         error DerivedKeyNotEqualToCompressedValue(bytes32 expected, bytes32 provided)
         error DictionaryDividedByEightNotGreaterThanEncodedDividedByTwo()
         error EmptyBytes32()
         error EncodedAndRealBytecodeChunkNotEqual(uint64 expected, uint64 provided)
         error EncodedLengthNotFourTimesSmallerThanOriginal()
         error EVMBytecodeHash()
         error EVMBytecodeHashUnknown()
         error EVMEmulationNotSupported()
         error FailedToChargeGas()
         error FailedToPayOperator()
         error HashIsNonZero(bytes32)
         error HashMismatch(bytes32 expected, bytes32 actual)
         error InconsistentNewBatchTimestamp(uint128 newBatchTimestamp, uint128 lastL2BlockTimestamp)
         error IncorrectL2BlockHash(bytes32 expectedPrevL2BlockHash, bytes32 pendingL2BlockHash)
         error IncorrectSameL2BlockPrevBlockHash(bytes32 expectedPrevL2BlockHash, bytes32 latestL2blockHash)
         error IncorrectSameL2BlockTimestamp(uint128 l2BlockTimestamp, uint128 currentL2BlockTimestamp)
         error IncorrectVirtualBlockInsideMiniblock()
         error IndexOutOfBounds()
         error IndexSizeError()
         error InsufficientFunds(uint256 required, uint256 actual)
         error InvalidCall()
         error InvalidChainId()
         error InvalidCodeHash(uint8 reason)
         error InvalidInput()
         error InvalidNewL2BlockNumber(uint256 l2BlockNumber)
         error InvalidNonceKey(uint192 nonceKey)
         error InvalidNonceOrderingChange()
         error InvalidSig(uint8 field, uint256)
         error L2BlockAndBatchTimestampMismatch(uint128 l2BlockTimestamp, uint128 currentBatchTimestamp)
         error L2BlockNumberZero()
         error MalformedBytecode(uint8 error)
         error NonceAlreadyUsed(address account, uint256 nonce)
         error NonceIncreaseError(uint256 min, uint256 max, uint256 proposed)
         error NonceNotUsed(address account, uint256 nonce)
         error NonEmptyAccount()
         error NonEmptyMsgValue()
         error NonMonotonicL2BlockTimestamp(uint128 l2BlockTimestamp, uint128 currentL2BlockTimestamp)
         error NotAllowedToDeployInKernelSpace()
         error NotEnoughGas()
         error NoVirtualBlocks()
         error Overflow()
         error PreviousBytecodeUnknown()
         error PreviousL2BlockHashIsIncorrect(bytes32 correctPrevBlockHash, bytes32 expectedPrevL2BlockHash)
         error ProvidedBatchNumberIsNotCorrect(uint128 previousBatchNumber, uint128 expectedNewNumber)
         error ReconstructionMismatch(uint8 field, bytes32 expected, bytes32 actual)
         error ReturnedBytecodeDoesNotMatchExpectedHash(bytes32 returnedBytecode, bytes32 expectedBytecodeHash)
         error ShaInvalidReturnData()
         error SloadContractBytecodeUnknown()
         error StateDiffLengthMismatch()
         error SystemCallFlagRequired()
         error TimestampsShouldBeIncremental(uint128 newTimestamp, uint128 previousBatchTimestamp)
         error TooMuchGas()
         error TooMuchPubdata(uint256 limit, uint256 supplied)
         error TransactionFailed()
         error Unauthorized(address)
         error UnknownCodeHash(bytes32)
         error UnsupportedOperation()
         error UnsupportedPaymasterFlow()
         error UnsupportedTxType(uint256)
         error UpgradeTransactionMustBeFirst()
         error ValueMismatch(uint256 expected, uint256 actual)",
    ),
];

/// Structs that signatures name, with their members.
pub(super) const STRUCTS: &[(&str, &str)] = &[
    ("ACCOUNT_INFO", "uint8 version, uint8 nonceOrdering"),
    (
        "FORCE_DEPLOYMENT",
        "bytes32 bytecodeHash, address newAddress, bool callConstructor, uint256 value, bytes input",
    ),
    ("IMMUTABLE", "uint256 index, bytes32 value"),
    (
        "L2_TO_L1_LOG",
        "uint8 l2ShardId, bool isService, uint16 txNumberInBlock, address sender, bytes32 key, bytes32 value",
    ),
    (
        "TRANSACTION",
        "uint256 txType, uint256 from, uint256 to, uint256 gasLimit, uint256 gasPerPubdataByteLimit, \
         uint256 maxFeePerGas, uint256 maxPriorityFeePerGas, uint256 paymaster, uint256 nonce, uint256 value, \
         uint256[4] reserved, bytes data, bytes signature, bytes32[] factoryDeps, bytes paymasterInput, \
         bytes reservedDynamic",
    ),
];
