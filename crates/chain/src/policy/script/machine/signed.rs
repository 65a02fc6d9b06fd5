//! Operations that ask about signatures.

use super::{Dialect, Item, MAX_MULTISIG_KEYS, Machine, WEIGHT_PER_SIGNATURE};
use crate::policy::opcode::{OP_PUSHDATA1, OP_PUSHDATA2};
use crate::policy::script::encoding::{check_key, check_signature};
use crate::policy::script::signature::{Question, Signatures};
use crate::policy::script::{Error, flags};
use crate::transaction::sigops::step;
use crate::verify::Flags;

impl<'a, S: Signatures> Machine<'a, S> {
    /// `OP_CHECKSIG`: signature, key. `decisive`: the script does not hold if it gives false.
    pub(super) fn check_signature(&mut self, decisive: bool) -> Result<bool, Error> {
        let [signature, key] = self.take()?;
        self.check_one(&signature, &key, decisive)
    }

    /// `OP_CHECKSIGADD` (BIP-0342): signature, number, key.
    pub(super) fn check_signature_and_add(&mut self) -> Result<(), Error> {
        if self.dialect != Dialect::Tapscript {
            return Err(Error::BadOpcode);
        }
        let [signature, number, key] = self.take()?;
        let number = self.number(&number)?;
        let success = self.check_one(&signature, &key, false)?;
        self.push_number(number.wrapping_add(i64::from(success)));
        Ok(())
    }

    fn check_one(&mut self, signature: &[u8], key: &[u8], decisive: bool) -> Result<bool, Error> {
        if self.dialect == Dialect::Tapscript {
            return self.check_tapscript(signature, key);
        }
        self.check_constant_code(signature)?;
        check_signature(signature, self.context.flags)?;
        check_key(key, self.context.flags, self.dialect)?;
        let question = Question { signature, key, code: self.code, dialect: self.dialect, decisive };
        let success = self.context.signatures.ecdsa(&question);
        // BIP-0146: whatever else fails could be replaced by anyone on the way.
        if !success && !signature.is_empty() && self.has(flags::NULLFAIL) {
            return Err(Error::NullFail);
        }
        Ok(success)
    }

    fn check_tapscript(&mut self, signature: &[u8], key: &[u8]) -> Result<bool, Error> {
        let success = !signature.is_empty();
        if success {
            // BIP-0342: also for keys of unknown kind.
            let left = self.weight.checked_sub(WEIGHT_PER_SIGNATURE);
            self.weight = left.ok_or(Error::TapscriptValidationWeight)?;
        }
        match key.len() {
            0 => return Err(Error::TapscriptEmptyPubkey),
            32 if success => self.context.signatures.schnorr(signature)?,
            32 => {}
            _ if self.has(flags::DISCOURAGE_UPGRADABLE_PUBKEYTYPE) => {
                return Err(Error::DiscourageUpgradablePubkeyType);
            }
            _ => {}
        }
        Ok(success)
    }

    /// `OP_CHECKMULTISIG`: something, signatures and their number, keys and their number. `decisive`: the script does
    /// not hold if it gives false.
    pub(super) fn check_signatures(&mut self, decisive: bool) -> Result<bool, Error> {
        if self.dialect == Dialect::Tapscript {
            return Err(Error::TapscriptCheckMultisig);
        }
        let keys = self.count(1, MAX_MULTISIG_KEYS, Error::PubkeyCount)?;
        self.count_operations(keys)?;
        let signatures = self.count(keys.saturating_add(2), keys, Error::SigCount)?;
        let arguments = keys.saturating_add(signatures).saturating_add(2);
        self.top(arguments)?;
        let arguments = self.stack.split_off(self.stack.len().saturating_sub(arguments));
        let (signed, rest) = arguments.split_at_checked(signatures).unwrap_or_default();
        let listed = rest.get(1..=keys).unwrap_or_default();

        for signature in signed {
            self.check_constant_code(signature)?;
        }
        let encoded = |key: &Item<'_>| check_key(key, self.context.flags, self.dialect).is_ok();
        let success = self.match_signatures(signed, listed, decisive && listed.iter().all(encoded))?;
        // BIP-0146.
        if !success && self.has(flags::NULLFAIL) && signed.iter().any(|signature| !signature.is_empty()) {
            return Err(Error::NullFail);
        }
        // It takes one item more than it needs, which anyone could replace (BIP-0147).
        let dummy = self.pop()?;
        if self.has(Flags::NULLDUMMY) && !dummy.is_empty() {
            return Err(Error::SigNullDummy);
        }
        Ok(success)
    }

    /// The `depth`th item from the top, counted from 1, as a number up to `limit`.
    fn count(&mut self, depth: usize, limit: usize, error: Error) -> Result<usize, Error> {
        let item = self.top(depth)?.first().cloned().ok_or(Error::InvalidStackOperation)?;
        let count = usize::try_from(self.number(&item)?).ok();
        count.filter(|count| *count <= limit).ok_or(error)
    }

    /// Whether each signature is of one of the keys, in their order. Goes from the last to the first; which keys are
    /// looked at, and thus must be well encoded, depends on the signatures.
    fn match_signatures(
        &self,
        mut signatures: &[Item<'a>],
        mut keys: &[Item<'a>],
        decisive: bool,
    ) -> Result<bool, Error> {
        let context = self.context;
        while let Some((signature, others)) = signatures.split_last() {
            if signatures.len() > keys.len() {
                return Ok(false);
            }
            let Some((key, rest)) = keys.split_last() else { return Ok(false) };
            check_signature(signature, context.flags)?;
            check_key(key, context.flags, self.dialect)?;
            let question = Question { signature, key, code: self.code, dialect: self.dialect, decisive };
            if context.signatures.ecdsa(&question) {
                signatures = others;
            }
            keys = rest;
        }
        Ok(true)
    }

    /// Before BIP-0143 a signature is deleted from the script that it signs, if it stands there: Bitcoin Core's
    /// `FindAndDelete`. Nothing useful does that.
    fn check_constant_code(&self, signature: &[u8]) -> Result<(), Error> {
        let looked_for = self.dialect == Dialect::Base && self.has(flags::CONST_SCRIPTCODE);
        if looked_for && holds_push(self.code, signature) { Err(Error::SigFindAndDelete) } else { Ok(()) }
    }
}

/// Whether an operation of `script` is the push of `data` by its length.
fn holds_push(script: &[u8], data: &[u8]) -> bool {
    let mut rest = script;
    while let Some(next) = step(rest) {
        // The opcodes for lengths up to 65,535, which items never reach; no length has two of them. Short numbers are
        // pushed as bytes here.
        let by_length = match data.len() {
            0..=75 => usize::from(next.opcode) == data.len(),
            76..=255 => next.opcode == OP_PUSHDATA1,
            _ => next.opcode == OP_PUSHDATA2,
        };
        if by_length && next.data == data {
            return true;
        }
        rest = next.rest;
    }
    false
}
