//! The terminal's own echo of Ctrl-C, `^C`: between bars it would push them out of place.

use std::os::fd::AsFd;

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcsetattr};

/// Keeps control characters from being echoed on a terminal until it is dropped.
#[derive(Debug)]
pub(crate) struct EchoGuard<F: AsFd>(Option<F>);

impl<F: AsFd> EchoGuard<F> {
    /// Begins; does nothing where there is nothing to keep.
    pub(crate) fn on(terminal: F) -> Self {
        let is_done = is_ours(&terminal) && set(&terminal, |modes| modes.remove(LocalModes::ECHOCTL));
        Self(is_done.then_some(terminal))
    }
}

impl<F: AsFd> Drop for EchoGuard<F> {
    fn drop(&mut self) {
        if let Some(terminal) = &self.0 {
            restore(terminal);
        }
    }
}

/// Lets control characters be echoed as usual.
pub(crate) fn restore(terminal: impl AsFd) {
    if is_ours(&terminal) {
        set(&terminal, |modes| modes.insert(LocalModes::ECHOCTL));
    }
}

/// Whether this process may change a terminal: one in the background would be stopped for it.
fn is_ours(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal).map_or(true, |foreground| foreground == getpgrp())
}

/// Changes the modes; whether that made a difference.
fn set(terminal: impl AsFd, change: impl FnOnce(&mut LocalModes)) -> bool {
    let Ok(mut modes) = tcgetattr(&terminal) else { return false };
    let before = modes.local_modes;
    change(&mut modes.local_modes);
    modes.local_modes != before && tcsetattr(&terminal, OptionalActions::Now, &modes).is_ok()
}
