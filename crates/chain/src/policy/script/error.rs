//! Why a script does not pass.

/// The rule of script that is broken: the cases of Bitcoin Core's `ScriptError`, and its words for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The transaction has no such input, or there is no coin for it: whoever asks made a mistake.
    #[error("no input {index}, or no coin for it")]
    NoSuchInput {
        /// Its index.
        index: usize,
    },
    /// The script ends with false, or with nothing.
    #[error("Script evaluated without error but finished with a false/empty top stack element")]
    EvalFalse,
    /// `OP_VERIFY` of false.
    #[error("Script failed an OP_VERIFY operation")]
    Verify,
    /// `OP_EQUALVERIFY` of what differs.
    #[error("Script failed an OP_EQUALVERIFY operation")]
    EqualVerify,
    /// `OP_CHECKMULTISIGVERIFY` failed.
    #[error("Script failed an OP_CHECKMULTISIGVERIFY operation")]
    CheckMultisigVerify,
    /// `OP_CHECKSIGVERIFY` failed.
    #[error("Script failed an OP_CHECKSIGVERIFY operation")]
    CheckSigVerify,
    /// `OP_NUMEQUALVERIFY` of what differs.
    #[error("Script failed an OP_NUMEQUALVERIFY operation")]
    NumEqualVerify,
    /// A script is too long.
    #[error("Script is too big")]
    ScriptSize,
    /// An item is too long.
    #[error("Push value size limit exceeded")]
    PushSize,
    /// Too many operations.
    #[error("Operation limit exceeded")]
    OpCount,
    /// Too many items.
    #[error("Stack size limit exceeded")]
    StackSize,
    /// A number of signatures out of bounds.
    #[error("Signature count negative or greater than pubkey count")]
    SigCount,
    /// A number of keys out of bounds.
    #[error("Pubkey count negative or limit exceeded")]
    PubkeyCount,
    /// A reserved opcode, or a push that reaches past the script.
    #[error("Opcode missing or not understood")]
    BadOpcode,
    /// An opcode that was disabled (CVE-2010-5137).
    #[error("Attempted to use a disabled opcode")]
    DisabledOpcode,
    /// An operation finds too few items.
    #[error("Operation not valid with the current stack size")]
    InvalidStackOperation,
    /// `OP_FROMALTSTACK` finds nothing.
    #[error("Operation not valid with the current altstack size")]
    InvalidAltstackOperation,
    /// `OP_RETURN` was run.
    #[error("OP_RETURN was encountered")]
    OpReturn,
    /// `OP_IF` and `OP_ENDIF` don't match.
    #[error("Invalid OP_IF construction")]
    UnbalancedConditional,
    /// A lock time below zero.
    #[error("Negative locktime")]
    NegativeLocktime,
    /// The lock time that a script asks for is not reached.
    #[error("Locktime requirement not satisfied")]
    UnsatisfiedLocktime,
    /// An undefined hash type.
    #[error("Signature hash type missing or not understood")]
    SigHashtype,
    /// A signature that is not DER (BIP-0066).
    #[error("Non-canonical DER signature")]
    SigDer,
    /// A push that could be shorter.
    #[error("Data push larger than necessary")]
    MinimalData,
    /// The script of an input that spends P2SH does not only push.
    #[error("Only push operators allowed in signatures")]
    SigPushOnly,
    /// A signature that could be negated (BIP-0146).
    #[error("Non-canonical signature: S value is unnecessarily high")]
    SigHighS,
    /// What `OP_CHECKMULTISIG` takes too much is not empty (BIP-0147).
    #[error("Dummy CHECKMULTISIG argument must be zero")]
    SigNullDummy,
    /// `OP_IF` in a witness gets something other than nothing or 1.
    #[error("OP_IF/NOTIF argument must be minimal")]
    MinimalIf,
    /// A signature failed and is not empty (BIP-0146).
    #[error("Signature must be zero for failed CHECK(MULTI)SIG operation")]
    NullFail,
    /// An opcode that does nothing yet.
    #[error("NOPx reserved for soft-fork upgrades")]
    DiscourageUpgradableNops,
    /// A witness program without a rule.
    #[error("Witness version reserved for soft-fork upgrades")]
    DiscourageUpgradableWitnessProgram,
    /// A taproot leaf without a rule.
    #[error("Taproot version reserved for soft-fork upgrades")]
    DiscourageUpgradableTaprootVersion,
    /// An opcode that ends a tapscript at once (BIP-0342).
    #[error("OP_SUCCESSx reserved for soft-fork upgrades")]
    DiscourageOpSuccess,
    /// A key of unknown kind in a tapscript.
    #[error("Public key version reserved for soft-fork upgrades")]
    DiscourageUpgradablePubkeyType,
    /// A key that is neither compressed nor uncompressed.
    #[error("Public key is neither compressed or uncompressed")]
    PubkeyType,
    /// More than one item is left.
    #[error("Stack size must be exactly one after execution")]
    CleanStack,
    /// A witness program of version 0 with another length than 20 or 32.
    #[error("Witness program has incorrect length")]
    WitnessProgramWrongLength,
    /// The witness is missing.
    #[error("Witness program was passed an empty witness")]
    WitnessProgramWitnessEmpty,
    /// The witness is not that of the program.
    #[error("Witness program hash mismatch")]
    WitnessProgramMismatch,
    /// An input with a witness has a script as well.
    #[error("Witness requires empty scriptSig")]
    WitnessMalleated,
    /// The script of an input holds more than the witness program.
    #[error("Witness requires only-redeemscript scriptSig")]
    WitnessMalleatedP2sh,
    /// A witness for a script that looks at none.
    #[error("Witness provided for non-witness script")]
    WitnessUnexpected,
    /// A key in a witness is not compressed (BIP-0143).
    #[error("Using non-compressed keys in segwit")]
    WitnessPubkeyType,
    /// A Schnorr signature of neither 64 nor 65 bytes.
    #[error("Invalid Schnorr signature size")]
    SchnorrSigSize,
    /// An undefined hash type of a Schnorr signature.
    #[error("Invalid Schnorr signature hash type")]
    SchnorrSigHashtype,
    /// A control block of an impossible size.
    #[error("Invalid Taproot control block size")]
    TaprootWrongControlSize,
    /// More signatures than the witness weighs for (BIP-0342).
    #[error("Too much signature validation relative to witness weight")]
    TapscriptValidationWeight,
    /// `OP_CHECKMULTISIG` in a tapscript.
    #[error("OP_CHECKMULTISIG(VERIFY) is not available in tapscript")]
    TapscriptCheckMultisig,
    /// `OP_IF` in a tapscript gets something other than nothing or 1.
    #[error("OP_IF/NOTIF argument must be minimal in tapscript")]
    TapscriptMinimalIf,
    /// An empty key in a tapscript.
    #[error("Empty public key in tapscript")]
    TapscriptEmptyPubkey,
    /// `OP_CODESEPARATOR` outside of a witness.
    #[error("Using OP_CODESEPARATOR in non-witness script")]
    OpCodeSeparator,
    /// A signature stands in the script that it signs.
    #[error("Signature is found in scriptCode")]
    SigFindAndDelete,
    /// A number that is too long, or could be shorter.
    #[error("Script number overflowed or is non-minimally encoded")]
    ScriptNumber,
}
