//! Numbers and hashes.

use std::borrow::Cow;

use bitcoin::hashes::{Hash, hash160, ripemd160, sha1, sha256, sha256d};

use super::Machine;
use crate::policy::opcode::{
    OP_0NOTEQUAL, OP_1ADD, OP_1SUB, OP_ABS, OP_ADD, OP_BOOLAND, OP_BOOLOR, OP_GREATERTHAN, OP_GREATERTHANOREQUAL,
    OP_HASH160, OP_HASH256, OP_LESSTHAN, OP_LESSTHANOREQUAL, OP_MAX, OP_MIN, OP_NEGATE, OP_NOT, OP_NUMEQUAL,
    OP_NUMEQUALVERIFY, OP_NUMNOTEQUAL, OP_RIPEMD160, OP_SHA1, OP_SHA256, OP_SUB, OP_WITHIN,
};
use crate::policy::script::Error;
use crate::policy::script::signature::Signatures;

impl<S: Signatures> Machine<'_, S> {
    /// `OP_1ADD` to `OP_0NOTEQUAL`. Operands have 32 bits, so that no result overflows.
    pub(super) fn one_number(&mut self, opcode: u8) -> Result<(), Error> {
        let item = self.pop()?;
        let number = self.number(&item)?;
        let result = match opcode {
            OP_1ADD => number.wrapping_add(1),
            OP_1SUB => number.wrapping_sub(1),
            OP_NEGATE => number.wrapping_neg(),
            OP_ABS => number.wrapping_abs(),
            OP_NOT => i64::from(number == 0),
            OP_0NOTEQUAL => i64::from(number != 0),
            _ => return Err(Error::BadOpcode),
        };
        self.push_number(result);
        Ok(())
    }

    /// `OP_ADD` to `OP_WITHIN`.
    pub(super) fn numbers(&mut self, opcode: u8) -> Result<(), Error> {
        if opcode == OP_WITHIN {
            let [number, least, above] = self.take()?;
            let (number, least, above) = (self.number(&number)?, self.number(&least)?, self.number(&above)?);
            self.push_bool(least <= number && number < above);
            return Ok(());
        }
        let [left, right] = self.take()?;
        let (left, right) = (self.number(&left)?, self.number(&right)?);
        let result = match opcode {
            OP_ADD => left.wrapping_add(right),
            OP_SUB => left.wrapping_sub(right),
            OP_BOOLAND => i64::from(left != 0 && right != 0),
            OP_BOOLOR => i64::from(left != 0 || right != 0),
            OP_NUMEQUAL | OP_NUMEQUALVERIFY => i64::from(left == right),
            OP_NUMNOTEQUAL => i64::from(left != right),
            OP_LESSTHAN => i64::from(left < right),
            OP_GREATERTHAN => i64::from(left > right),
            OP_LESSTHANOREQUAL => i64::from(left <= right),
            OP_GREATERTHANOREQUAL => i64::from(left >= right),
            OP_MIN => left.min(right),
            OP_MAX => left.max(right),
            _ => return Err(Error::BadOpcode),
        };
        self.push_number(result);
        self.verify_if(opcode == OP_NUMEQUALVERIFY, Error::NumEqualVerify)
    }

    /// `OP_RIPEMD160` to `OP_HASH256`.
    pub(super) fn hash(&mut self, opcode: u8) -> Result<(), Error> {
        let item = self.pop()?;
        let hash = match opcode {
            OP_RIPEMD160 => ripemd160::Hash::hash(&item).to_byte_array().to_vec(),
            OP_SHA1 => sha1::Hash::hash(&item).to_byte_array().to_vec(),
            OP_SHA256 => sha256::Hash::hash(&item).to_byte_array().to_vec(),
            OP_HASH160 => hash160::Hash::hash(&item).to_byte_array().to_vec(),
            OP_HASH256 => sha256d::Hash::hash(&item).to_byte_array().to_vec(),
            _ => return Err(Error::BadOpcode),
        };
        self.stack.push(Cow::Owned(hash));
        Ok(())
    }
}
