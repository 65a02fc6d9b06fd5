//! Ctrl-C, while a command waits for somebody or something.
//!
//! What is to be done is set while there is something to be done, such as ending a stream or giving a terminal its echo
//! back. Without it, and the second time in any case, the process ends at once.

use std::sync::{Mutex, Once, PoisonError};

/// Exit code of a process that was stopped by Ctrl-C.
pub(in crate::cli) const CODE: i32 = 130;

type Action = Box<dyn FnOnce() + Send>;

static ACTION: Mutex<Option<Action>> = Mutex::new(None);
static INSTALLED: Once = Once::new();

/// Something to be done at Ctrl-C, for as long as this lives.
#[derive(Debug)]
#[must_use = "it is taken back when this is dropped"]
pub(in crate::cli) struct Guard(());

/// Does `action` at Ctrl-C instead of ending the process.
pub(in crate::cli) fn on(action: impl FnOnce() + Send + 'static) -> Guard {
    INSTALLED.call_once(|| {
        if let Err(error) = ctrlc::set_handler(interrupted) {
            tracing::warn!(%error, "Ctrl-C will end the program at once");
        }
    });
    set(Some(Box::new(action)));
    Guard(())
}

impl Drop for Guard {
    fn drop(&mut self) {
        set(None);
    }
}

fn set(action: Option<Action>) {
    *ACTION.lock().unwrap_or_else(PoisonError::into_inner) = action;
}

fn interrupted() {
    let action = ACTION.lock().unwrap_or_else(PoisonError::into_inner).take();
    match action {
        Some(action) => action(),
        None => std::process::exit(CODE),
    }
}
