//! Which branches of `OP_IF` are run.

/// A stack of conditions, of which one needs to know only how many there are and the first that is false: everything
/// within is not run, whatever its own conditions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conditions {
    depth: usize,
    first_false: Option<usize>,
}

impl Conditions {
    pub(super) fn is_empty(self) -> bool {
        self.depth == 0
    }

    pub(super) fn all_true(self) -> bool {
        self.first_false.is_none()
    }

    pub(super) fn push(&mut self, value: bool) {
        if !value && self.all_true() {
            self.first_false = Some(self.depth);
        }
        self.depth = self.depth.saturating_add(1);
    }

    /// Negates the innermost; `None` if there is none.
    pub(super) fn toggle(&mut self) -> Option<()> {
        let last = self.depth.checked_sub(1)?;
        match self.first_false {
            None => self.first_false = Some(last),
            Some(first) if first == last => self.first_false = None,
            // One further out is false.
            Some(_) => {}
        }
        Some(())
    }

    /// Leaves the innermost; `None` if there is none.
    pub(super) fn pop(&mut self) -> Option<()> {
        self.depth = self.depth.checked_sub(1)?;
        if self.first_false == Some(self.depth) {
            self.first_false = None;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::Conditions;
    use crate::fixture::Random;

    #[test]
    fn conditions_are_those_of_a_plain_stack() {
        for seed in 0..200 {
            let (mut random, mut model, mut conditions) = (Random(seed), Vec::new(), Conditions::default());
            for step in 0..100 {
                match random.below(5) {
                    0 | 1 => {
                        let value = random.below(2) == 0;
                        model.push(value);
                        conditions.push(value);
                    }
                    2 => assert_eq!(conditions.toggle().is_some(), model.last_mut().map(|top| *top = !*top).is_some()),
                    _ => assert_eq!(conditions.pop().is_some(), model.pop().is_some()),
                }
                let state = (conditions.is_empty(), conditions.all_true());
                assert_eq!(state, (model.is_empty(), model.iter().all(|value| *value)), "seed {seed}, step {step}");
            }
        }
    }
}
