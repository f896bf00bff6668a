//! The terminal's echo of Ctrl-C, `^C`, which would displace the progress bars.

use std::os::fd::AsFd;

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcsetattr};

/// Suppresses the echo of control characters on a terminal until it is dropped.
#[derive(Debug)]
pub(crate) struct EchoGuard<F: AsFd>(Option<F>);

impl<F: AsFd> EchoGuard<F> {
    /// Suppresses the echo, if this is a terminal that echoes control characters.
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

/// Restores the echo of control characters.
pub(crate) fn restore(terminal: impl AsFd) {
    if is_ours(&terminal) {
        set(&terminal, |modes| modes.insert(LocalModes::ECHOCTL));
    }
}

/// Whether this process may change the terminal's modes: a background process would be stopped by SIGTTOU.
fn is_ours(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal).map_or(true, |foreground| foreground == getpgrp())
}

/// Changes the modes; returns whether they are different now.
fn set(terminal: impl AsFd, change: impl FnOnce(&mut LocalModes)) -> bool {
    let Ok(mut modes) = tcgetattr(&terminal) else { return false };
    let before = modes.local_modes;
    change(&mut modes.local_modes);
    modes.local_modes != before && tcsetattr(&terminal, OptionalActions::Now, &modes).is_ok()
}
