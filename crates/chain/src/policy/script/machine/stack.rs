//! Operations that move items and look at none.

use super::Machine;
use crate::policy::opcode::{
    OP_2DROP, OP_2DUP, OP_2OVER, OP_2ROT, OP_2SWAP, OP_3DUP, OP_DEPTH, OP_DROP, OP_DUP, OP_FROMALTSTACK, OP_IFDUP,
    OP_NIP, OP_OVER, OP_PICK, OP_ROLL, OP_ROT, OP_SWAP, OP_TOALTSTACK, OP_TUCK,
};
use crate::policy::script::signature::Signatures;
use crate::policy::script::{Error, number};

impl<S: Signatures> Machine<'_, S> {
    /// `OP_TOALTSTACK` to `OP_TUCK`.
    pub(super) fn rearrange(&mut self, opcode: u8) -> Result<(), Error> {
        match opcode {
            OP_TOALTSTACK => {
                let item = self.pop()?;
                self.alternate.push(item);
            }
            OP_FROMALTSTACK => {
                let item = self.alternate.pop().ok_or(Error::InvalidAltstackOperation)?;
                self.stack.push(item);
            }
            OP_2DROP => drop(self.take::<2>()?),
            OP_2DUP => self.copy(2, 2)?,
            OP_3DUP => self.copy(3, 3)?,
            OP_2OVER => self.copy(4, 2)?,
            OP_2ROT => self.top(6)?.rotate_left(2),
            OP_2SWAP => self.top(4)?.rotate_left(2),
            OP_IFDUP => {
                if number::is_true(self.stack.last().ok_or(Error::InvalidStackOperation)?) {
                    self.copy(1, 1)?;
                }
            }
            OP_DEPTH => self.push_length(self.stack.len()),
            OP_DROP => drop(self.pop()?),
            OP_DUP => self.copy(1, 1)?,
            OP_NIP => {
                self.top(2)?.rotate_left(1);
                self.pop()?;
            }
            OP_OVER => self.copy(2, 1)?,
            OP_PICK | OP_ROLL => self.pick(opcode == OP_ROLL)?,
            OP_ROT => self.top(3)?.rotate_left(1),
            OP_SWAP => self.top(2)?.rotate_left(1),
            OP_TUCK => {
                self.top(2)?;
                self.copy(1, 1)?;
                self.top(3)?.rotate_right(1);
            }
            _ => return Err(Error::BadOpcode),
        }
        Ok(())
    }

    /// Pushes `count` items again, of which the first is the `depth`th from the top, counted from 1.
    fn copy(&mut self, depth: usize, count: usize) -> Result<(), Error> {
        let from = self.stack.len().checked_sub(depth).ok_or(Error::InvalidStackOperation)?;
        // No more than `depth` items, by the calls above.
        let to = from.saturating_add(count).min(self.stack.len());
        self.stack.extend_from_within(from..to);
        Ok(())
    }

    fn pick(&mut self, moves: bool) -> Result<(), Error> {
        self.top(2)?;
        let index = self.pop()?;
        let depth = usize::try_from(self.number(&index)?).ok().and_then(|index| index.checked_add(1));
        let depth = depth.ok_or(Error::InvalidStackOperation)?;
        if moves {
            self.top(depth)?.rotate_left(1);
            Ok(())
        } else {
            self.copy(depth, 1)
        }
    }
}
