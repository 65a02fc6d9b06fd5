//! The rules of script beyond consensus, as bits with the values of Bitcoin Core's `script_verify_flags`.

use crate::verify::Flags;

/// Signatures, their hash types and keys have a defined encoding.
pub(crate) const STRICTENC: Flags = Flags(1 << 1);
/// The S of a signature is in the lower half (BIP-0146), so that nobody else can negate it.
pub(crate) const LOW_S: Flags = Flags(1 << 3);
/// The script of an input only pushes (BIP-0062, rule 2).
pub(crate) const SIGPUSHONLY: Flags = Flags(1 << 5);
/// Pushes and numbers are as short as they can be (BIP-0062, rules 3 and 4).
pub(crate) const MINIMALDATA: Flags = Flags(1 << 6);
/// Opcodes that do nothing yet are left to soft forks.
pub(crate) const DISCOURAGE_UPGRADABLE_NOPS: Flags = Flags(1 << 7);
/// One item is left (BIP-0062, rule 6).
pub(crate) const CLEANSTACK: Flags = Flags(1 << 8);
/// Versions of witness programs without a rule are left to soft forks.
pub(crate) const DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM: Flags = Flags(1 << 12);
/// `OP_IF` of a script in a witness gets nothing or 1; a rule of consensus in tapscript.
pub(crate) const MINIMALIF: Flags = Flags(1 << 13);
/// A signature that fails is empty (BIP-0146).
pub(crate) const NULLFAIL: Flags = Flags(1 << 14);
/// Keys in a witness of version 0 are compressed (BIP-0143).
pub(crate) const WITNESS_PUBKEYTYPE: Flags = Flags(1 << 15);
/// Neither `OP_CODESEPARATOR` nor the deletion of signatures changes what is signed, outside of witnesses.
pub(crate) const CONST_SCRIPTCODE: Flags = Flags(1 << 16);
/// Versions of taproot leaves without a rule are left to soft forks.
pub(crate) const DISCOURAGE_UPGRADABLE_TAPROOT_VERSION: Flags = Flags(1 << 18);
/// `OP_SUCCESSx` (BIP-0342) are left to soft forks.
pub(crate) const DISCOURAGE_OP_SUCCESS: Flags = Flags(1 << 19);
/// Keys of unknown kind in tapscripts are left to soft forks.
pub(crate) const DISCOURAGE_UPGRADABLE_PUBKEYTYPE: Flags = Flags(1 << 20);

/// What is relayed: Bitcoin Core's `STANDARD_SCRIPT_VERIFY_FLAGS`. [`SIGPUSHONLY`] is none of them, as
/// [`check_alone`](crate::policy::check_alone) sees to it.
pub(crate) const STANDARD: Flags = Flags::ALL
    .with(STRICTENC)
    .with(MINIMALDATA)
    .with(DISCOURAGE_UPGRADABLE_NOPS)
    .with(CLEANSTACK)
    .with(MINIMALIF)
    .with(NULLFAIL)
    .with(LOW_S)
    .with(DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM)
    .with(WITNESS_PUBKEYTYPE)
    .with(CONST_SCRIPTCODE)
    .with(DISCOURAGE_UPGRADABLE_TAPROOT_VERSION)
    .with(DISCOURAGE_OP_SUCCESS)
    .with(DISCOURAGE_UPGRADABLE_PUBKEYTYPE);
