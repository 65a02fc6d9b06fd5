//! The stack machine: Bitcoin Core's `EvalScript`, rule by rule and in its order.
//!
//! Items that stand in the script or the witness are borrowed from there; what is computed is owned. The limits are those
//! of consensus, so that a run takes at most [`MAX_STACK_SIZE`] items of [`MAX_ELEMENT_SIZE`] bytes (and the three that
//! one operation may add before they are counted).

use std::borrow::Cow;

mod arithmetic;
mod condition;
mod control;
mod signed;
mod stack;

use super::signature::Signatures;
use super::{Error, Spend, flags, number};
use crate::policy::opcode::{
    OP_0, OP_0NOTEQUAL, OP_1ADD, OP_1NEGATE, OP_2DIV, OP_2MUL, OP_16, OP_ADD, OP_CAT, OP_CHECKLOCKTIMEVERIFY,
    OP_CHECKMULTISIG, OP_CHECKMULTISIGVERIFY, OP_CHECKSEQUENCEVERIFY, OP_CHECKSIG, OP_CHECKSIGADD, OP_CHECKSIGVERIFY,
    OP_CODESEPARATOR, OP_ENDIF, OP_EQUAL, OP_EQUALVERIFY, OP_HASH256, OP_IF, OP_INVERT, OP_MUL, OP_NOP, OP_NOP1,
    OP_NOP4, OP_NOP10, OP_PUSHDATA1, OP_PUSHDATA2, OP_PUSHDATA4, OP_RESERVED, OP_RETURN, OP_RIGHT, OP_RIPEMD160,
    OP_RSHIFT, OP_SIZE, OP_TOALTSTACK, OP_TUCK, OP_VERIFY, OP_WITHIN, OP_XOR,
};
use crate::transaction::sigops::{Step, step};
use crate::verify::Flags;
use condition::Conditions;

/// Bytes of an item.
pub const MAX_ELEMENT_SIZE: usize = 520;
/// Operations of a script, apart from pushes; not limited in a tapscript (BIP-0342).
pub const MAX_OPERATIONS: usize = 201;
/// Bytes of a script; not limited in a tapscript (BIP-0342).
pub const MAX_SCRIPT_SIZE: usize = 10_000;
/// Items on both stacks.
pub const MAX_STACK_SIZE: usize = 1000;
/// Keys of one `OP_CHECKMULTISIG`.
pub const MAX_MULTISIG_KEYS: usize = 20;
/// Weight that a witness must have for each signature in its tapscript (BIP-0342).
pub const WEIGHT_PER_SIGNATURE: usize = 50;

/// An item of the stack.
pub(super) type Item<'a> = Cow<'a, [u8]>;

/// The rules that a script is run by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Outside of the witness.
    Base,
    /// In a witness of version 0 (BIP-0143).
    Witness,
    /// In a taproot leaf (BIP-0342).
    Tapscript,
}

/// What a script may look at besides its stack.
pub(super) struct Context<'a, S> {
    pub(super) spend: &'a Spend<'a>,
    pub(super) flags: Flags,
    pub(super) signatures: &'a S,
}

/// One run of one script.
pub(super) struct Machine<'a, S> {
    context: &'a Context<'a, S>,
    dialect: Dialect,
    stack: Vec<Item<'a>>,
    alternate: Vec<Item<'a>>,
    conditions: Conditions,
    operations: usize,
    /// The script from the last code separator on, which signatures are over.
    code: &'a [u8],
    /// Of the witness, not yet taken by signatures.
    weight: usize,
    /// Whether the script must end with true, as all but an input's own.
    last: bool,
}

impl<'a, S: Signatures> Machine<'a, S> {
    /// A machine whose stack begins as `stack`. `weight` is what a tapscript's witness weighs for its signatures.
    pub(super) fn new(context: &'a Context<'a, S>, dialect: Dialect, stack: Vec<Item<'a>>, weight: usize) -> Self {
        Self {
            context,
            dialect,
            stack,
            alternate: Vec::new(),
            conditions: Conditions::default(),
            operations: 0,
            code: &[],
            weight,
            last: true,
        }
    }

    /// The same, for a script after which another runs on the same stack.
    pub(super) fn before_another(self) -> Self {
        Self { last: false, ..self }
    }

    /// Runs `script`, and gives the stack that it leaves.
    pub(super) fn run(mut self, script: &'a [u8]) -> Result<Vec<Item<'a>>, Error> {
        if self.dialect != Dialect::Tapscript && script.len() > MAX_SCRIPT_SIZE {
            return Err(Error::ScriptSize);
        }
        self.code = script;
        let mut rest = script;
        while !rest.is_empty() {
            let next = step(rest).ok_or(Error::BadOpcode)?;
            rest = next.rest;
            self.admit(&next)?;
            self.execute(&next)?;
            if self.stack.len().saturating_add(self.alternate.len()) > MAX_STACK_SIZE {
                return Err(Error::StackSize);
            }
        }
        if self.conditions.is_empty() { Ok(self.stack) } else { Err(Error::UnbalancedConditional) }
    }

    /// Checks what holds of operations even where they are not run.
    fn admit(&mut self, step: &Step<'a>) -> Result<(), Error> {
        if step.data.len() > MAX_ELEMENT_SIZE {
            return Err(Error::PushSize);
        }
        // OP_RESERVED counts as a push.
        if self.dialect != Dialect::Tapscript && step.opcode > OP_16 {
            self.count_operations(1)?;
        }
        match step.opcode {
            // CVE-2010-5137.
            OP_CAT..=OP_RIGHT | OP_INVERT..=OP_XOR | OP_2MUL | OP_2DIV | OP_MUL..=OP_RSHIFT => {
                Err(Error::DisabledOpcode)
            }
            OP_CODESEPARATOR if self.dialect == Dialect::Base && self.has(flags::CONST_SCRIPTCODE) => {
                Err(Error::OpCodeSeparator)
            }
            _ => Ok(()),
        }
    }

    fn execute(&mut self, step: &Step<'a>) -> Result<(), Error> {
        let opcode = step.opcode;
        if !self.conditions.all_true() && !(OP_IF..=OP_ENDIF).contains(&opcode) {
            return Ok(());
        }
        match opcode {
            OP_0..=OP_PUSHDATA4 => {
                // BIP-0062, rule 3.
                if self.has(flags::MINIMALDATA) && !is_minimal_push(opcode, step.data) {
                    return Err(Error::MinimalData);
                }
                self.stack.push(Cow::Borrowed(step.data));
            }
            OP_RESERVED => return Err(Error::BadOpcode),
            OP_1NEGATE..=OP_16 => self.push_number(i64::from(opcode).wrapping_sub(i64::from(OP_RESERVED))),
            OP_NOP => {}
            OP_IF..=OP_ENDIF => self.branch(opcode)?,
            OP_VERIFY => self.verify(Error::Verify)?,
            OP_RETURN => return Err(Error::OpReturn),
            OP_TOALTSTACK..=OP_TUCK => self.rearrange(opcode)?,
            OP_SIZE => {
                let size = self.top(1)?.first().map_or(0, |item| item.len());
                self.push_length(size);
            }
            OP_EQUAL | OP_EQUALVERIFY => {
                let [left, right] = self.take()?;
                self.push_bool(left == right);
                self.verify_if(opcode == OP_EQUALVERIFY, Error::EqualVerify)?;
            }
            OP_1ADD..=OP_0NOTEQUAL => self.one_number(opcode)?,
            OP_ADD..=OP_WITHIN => self.numbers(opcode)?,
            OP_RIPEMD160..=OP_HASH256 => self.hash(opcode)?,
            OP_CODESEPARATOR => self.code = step.rest,
            OP_CHECKSIG | OP_CHECKSIGVERIFY => {
                let success = self.check_signature(self.is_decisive(step, OP_CHECKSIGVERIFY))?;
                self.push_bool(success);
                self.verify_if(opcode == OP_CHECKSIGVERIFY, Error::CheckSigVerify)?;
            }
            OP_CHECKMULTISIG | OP_CHECKMULTISIGVERIFY => {
                let success = self.check_signatures(self.is_decisive(step, OP_CHECKMULTISIGVERIFY))?;
                self.push_bool(success);
                self.verify_if(opcode == OP_CHECKMULTISIGVERIFY, Error::CheckMultisigVerify)?;
            }
            OP_CHECKLOCKTIMEVERIFY => self.check_lock_time()?,
            OP_CHECKSEQUENCEVERIFY => self.check_sequence()?,
            OP_NOP1 | OP_NOP4..=OP_NOP10 if self.has(flags::DISCOURAGE_UPGRADABLE_NOPS) => {
                return Err(Error::DiscourageUpgradableNops);
            }
            OP_NOP1 | OP_NOP4..=OP_NOP10 => {}
            OP_CHECKSIGADD => self.check_signature_and_add()?,
            _ => return Err(Error::BadOpcode),
        }
        Ok(())
    }

    /// Whether no input is satisfied if `step` gives false: it is the one that verifies at once, or nothing comes after
    /// it.
    fn is_decisive(&self, step: &Step<'_>, verifying: u8) -> bool {
        step.opcode == verifying || (self.last && step.rest.is_empty())
    }

    fn has(&self, flags: Flags) -> bool {
        self.context.flags.contains(flags)
    }

    fn count_operations(&mut self, more: usize) -> Result<(), Error> {
        self.operations = self.operations.saturating_add(more);
        if self.operations > MAX_OPERATIONS { Err(Error::OpCount) } else { Ok(()) }
    }

    fn pop(&mut self) -> Result<Item<'a>, Error> {
        self.stack.pop().ok_or(Error::InvalidStackOperation)
    }

    /// Takes the topmost items; the last of them was on top. If there are fewer, nothing happens.
    fn take<const N: usize>(&mut self) -> Result<[Item<'a>; N], Error> {
        let from = self.stack.len().checked_sub(N).ok_or(Error::InvalidStackOperation)?;
        let items = self.stack.split_off(from);
        items.try_into().map_err(|_| Error::InvalidStackOperation)
    }

    /// The topmost `items`; the last of them is on top.
    fn top(&mut self, items: usize) -> Result<&mut [Item<'a>], Error> {
        let from = self.stack.len().checked_sub(items).ok_or(Error::InvalidStackOperation)?;
        self.stack.get_mut(from..).ok_or(Error::InvalidStackOperation)
    }

    fn push_bool(&mut self, value: bool) {
        self.stack.push(Cow::Borrowed(if value { &[1] } else { &[] }));
    }

    fn push_number(&mut self, value: i64) {
        self.stack.push(Cow::Owned(number::write(value)));
    }

    fn push_length(&mut self, length: usize) {
        self.push_number(i64::try_from(length).unwrap_or(i64::MAX));
    }

    fn number(&self, item: &[u8]) -> Result<i64, Error> {
        number::read(item, self.has(flags::MINIMALDATA), number::SIZE)
    }

    /// Takes the topmost item if it is true.
    fn verify(&mut self, error: Error) -> Result<(), Error> {
        if number::is_true(&self.pop()?) { Ok(()) } else { Err(error) }
    }

    fn verify_if(&mut self, wanted: bool, error: Error) -> Result<(), Error> {
        if wanted { self.verify(error) } else { Ok(()) }
    }
}

/// Whether `opcode`, which pushes `data`, is the shortest way to do so (BIP-0062, rule 3).
pub(crate) fn is_minimal_push(opcode: u8, data: &[u8]) -> bool {
    match (data, data.len()) {
        // OP_0, OP_1 to OP_16, OP_1NEGATE.
        ([], _) => opcode == OP_0,
        ([1..=16 | 0x81], _) => false,
        (_, 0..=75) => usize::from(opcode) == data.len(),
        (_, 76..=255) => opcode == OP_PUSHDATA1,
        (_, 256..=65_535) => opcode == OP_PUSHDATA2,
        _ => true,
    }
}
