//! Branches and lock times.

use bitcoin::Sequence;

use super::{Dialect, Machine};
use crate::policy::opcode::{OP_ELSE, OP_ENDIF, OP_IF, OP_NOTIF};
use crate::policy::script::signature::Signatures;
use crate::policy::script::{Error, flags, number};
use crate::verify::Flags;

/// Lock times below are heights, others are seconds since 1970.
const LOCK_TIME_THRESHOLD: i64 = 500_000_000;

/// BIP-0068: with this bit a sequence number is no relative lock time.
const DISABLE: i64 = 1 << 31;
/// BIP-0068: with this bit the lock is in units of 512 seconds, otherwise in blocks.
const SECONDS: i64 = 1 << 22;
/// BIP-0068: these bits are the lock.
const VALUE: i64 = 0xffff;

impl<S: Signatures> Machine<'_, S> {
    /// `OP_IF` to `OP_ENDIF`, which are looked at in branches that are not run as well.
    pub(super) fn branch(&mut self, opcode: u8) -> Result<(), Error> {
        match opcode {
            OP_IF | OP_NOTIF => {
                let value = self.conditions.all_true() && self.condition()? == (opcode == OP_IF);
                self.conditions.push(value);
                Ok(())
            }
            OP_ELSE => self.conditions.toggle().ok_or(Error::UnbalancedConditional),
            OP_ENDIF => self.conditions.pop().ok_or(Error::UnbalancedConditional),
            // OP_VERIF and OP_VERNOTIF, which even there are none.
            _ => Err(Error::BadOpcode),
        }
    }

    fn condition(&mut self) -> Result<bool, Error> {
        let item = self.stack.last().ok_or(Error::InvalidStackOperation)?;
        if !matches!(**item, [] | [1]) {
            // BIP-0342 makes it consensus, since otherwise anyone on the way could put in another true.
            if self.dialect == Dialect::Tapscript {
                return Err(Error::TapscriptMinimalIf);
            }
            if self.dialect == Dialect::Witness && self.has(flags::MINIMALIF) {
                return Err(Error::MinimalIf);
            }
        }
        Ok(number::is_true(&self.pop()?))
    }

    /// The topmost item as a lock time; it stays.
    fn lock_time(&self) -> Result<i64, Error> {
        let item = self.stack.last().ok_or(Error::InvalidStackOperation)?;
        let time = number::read(item, self.has(flags::MINIMALDATA), number::LOCK_TIME_SIZE)?;
        if time < 0 { Err(Error::NegativeLocktime) } else { Ok(time) }
    }

    /// BIP-0065.
    pub(super) fn check_lock_time(&self) -> Result<(), Error> {
        if !self.has(Flags::CHECKLOCKTIMEVERIFY) {
            return Ok(());
        }
        let (asked, spend) = (self.lock_time()?, self.context.spend);
        let given = i64::from(spend.transaction.lock_time.to_consensus_u32());
        let same_unit = (asked < LOCK_TIME_THRESHOLD) == (given < LOCK_TIME_THRESHOLD);
        // A final input would let the transaction ignore its lock time.
        if same_unit && asked <= given && spend.input.sequence != Sequence::MAX {
            Ok(())
        } else {
            Err(Error::UnsatisfiedLocktime)
        }
    }

    /// BIP-0112.
    pub(super) fn check_sequence(&self) -> Result<(), Error> {
        if !self.has(Flags::CHECKSEQUENCEVERIFY) {
            return Ok(());
        }
        let (asked, spend) = (self.lock_time()?, self.context.spend);
        if asked & DISABLE != 0 {
            return Ok(());
        }
        let given = i64::from(spend.input.sequence.to_consensus_u32());
        // Unsigned in Bitcoin: what looks negative is large.
        let version = spend.transaction.version.0.cast_unsigned();
        let in_force = version >= 2 && given & DISABLE == 0;
        let (asked_lock, given_lock) = (asked & (SECONDS | VALUE), given & (SECONDS | VALUE));
        let same_unit = asked_lock & SECONDS == given_lock & SECONDS;
        if in_force && same_unit && asked_lock <= given_lock { Ok(()) } else { Err(Error::UnsatisfiedLocktime) }
    }
}
