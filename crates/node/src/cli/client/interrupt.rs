//! Ctrl-C, while a command waits for somebody or something.
//!
//! What is to be done is set while there is something to be done, such as ending a stream or giving a terminal its echo
//! back. Without it, or once it was done, the process ends at once.

use std::sync::{Arc, Mutex, Once, PoisonError};

/// Exit code of a process that was stopped by Ctrl-C.
pub(in crate::cli) const CODE: i32 = 130;

/// What is done, and whether it is done once only.
type Action = (Arc<dyn Fn() + Send + Sync>, bool);

static ACTION: Mutex<Option<Action>> = Mutex::new(None);
static INSTALLED: Once = Once::new();

/// Something to be done at Ctrl-C, for as long as this lives.
#[derive(Debug)]
#[must_use = "it is taken back when this is dropped"]
pub(in crate::cli) struct Guard(());

/// Does `action` at the first Ctrl-C; the second ends the process.
pub(in crate::cli) fn on(action: impl Fn() + Send + Sync + 'static) -> Guard {
    set(Arc::new(action), true)
}

/// Does `action` at every Ctrl-C: the process must not end before what it started has.
pub(in crate::cli) fn always(action: impl Fn() + Send + Sync + 'static) -> Guard {
    set(Arc::new(action), false)
}

fn set(action: Arc<dyn Fn() + Send + Sync>, once: bool) -> Guard {
    INSTALLED.call_once(|| {
        if let Err(error) = ctrlc::set_handler(interrupted) {
            tracing::warn!(%error, "Ctrl-C will end the program at once");
        }
    });
    *ACTION.lock().unwrap_or_else(PoisonError::into_inner) = Some((action, once));
    Guard(())
}

impl Drop for Guard {
    fn drop(&mut self) {
        *ACTION.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn interrupted() {
    let action = {
        let mut action = ACTION.lock().unwrap_or_else(PoisonError::into_inner);
        if action.as_ref().is_some_and(|(_, once)| *once) { action.take() } else { action.clone() }
    };
    match action {
        Some((action, _)) => action(),
        None => std::process::exit(CODE),
    }
}
