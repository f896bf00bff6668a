//! Hints of a run, as commands that can be typed as they are printed.

use std::collections::BTreeMap;

use crate::cli::hints::repeat::Flags;
use crate::report::event::{Event, EventKind, Reporter};

/// Which commands reach the cluster once the process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Those of `rollout` and of kubectl.
    Everything,
    /// Those of `rollout`: no kubectl reaches a sandbox.
    OwnCommands,
    /// None: a sandbox without a file ends with its process.
    Nothing,
}

/// A reporter that adds flags to the commands of hints, and omits commands that reach nothing.
pub struct HintRewriter {
    /// The reporter of the rewritten events.
    pub inner: Box<dyn Reporter>,
    /// Which commands are kept.
    pub reach: Reach,
    /// The flags for commands about an application, by its name.
    pub flags: BTreeMap<String, Flags>,
    /// The flags for commands about any other.
    pub default_flags: Flags,
}

impl Reporter for HintRewriter {
    fn event(&mut self, event: &Event) {
        let mut event = event.clone();
        if let EventKind::Failed { hints, .. }
        | EventKind::Held { hints, .. }
        | EventKind::Suspended { hints, .. }
        | EventKind::Inconclusive { hints, .. }
        | EventKind::Interrupted { hints, .. } = &mut event.what
        {
            match self.reach {
                Reach::Everything => {}
                Reach::OwnCommands => hints.retain(|hint| !hint.contains("`kubectl ")),
                Reach::Nothing => hints.clear(),
            }
            let flags = self.flags.get(&event.application).unwrap_or(&self.default_flags);
            hints.iter_mut().for_each(|hint| *hint = flags.repeated(hint));
        }
        self.inner.event(&event);
    }
}
