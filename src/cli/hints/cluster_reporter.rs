//! The events of one cluster: named where there are several, with hints that can be typed as they are printed.

use std::cell::RefCell;
use std::rc::Rc;

use crate::cli::hints::flags::HintFlags;
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

impl Reach {
    /// Whether a hint is of use: each command in it reaches something, and it needs no other hint before it.
    fn has(self, hint: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::OwnCommands => !hint.contains("`kubectl "),
            Self::Nothing => {
                !hint.contains("`kubectl ") && !hint.contains("`rollout ") && !hint.starts_with("or ")
            }
        }
    }
}

/// A reporter that names the cluster, adds flags to the commands of hints, omits commands that reach nothing, and names
/// namespaces only where there are several.
pub struct ClusterReporter {
    /// The reporter of the rewritten events, which is that of all clusters.
    pub inner: Rc<RefCell<Box<dyn Reporter + Send>>>,
    /// The name of the cluster; `None` where the command acts on one cluster alone.
    pub cluster: Option<String>,
    /// Which commands are kept.
    pub reach: Reach,
    /// The flags of commands in hints.
    pub flags: HintFlags,
    /// The namespace that those commands act in by themselves.
    pub namespace: String,
    /// Whether events name the namespace: the requests are about several.
    pub names_namespaces: bool,
}

impl Reporter for ClusterReporter {
    fn event(&mut self, event: &Event) {
        let mut event = event.clone();
        if let EventKind::Failed { hints, .. }
        | EventKind::Held { hints, .. }
        | EventKind::Suspended { hints, .. }
        | EventKind::Inconclusive { hints, .. }
        | EventKind::Interrupted { hints, .. } = &mut event.what
        {
            hints.retain(|hint| self.reach.has(hint));
            // A manifest's namespace is in no variable.
            let elsewhere = event.namespace.as_ref().filter(|namespace| **namespace != self.namespace);
            let flags = elsewhere.map(|namespace| self.flags.in_namespace(namespace));
            let flags = flags.as_ref().unwrap_or(&self.flags);
            hints.iter_mut().for_each(|hint| *hint = flags.add_to(hint));
        }
        event.namespace = event.namespace.filter(|_| self.names_namespaces);
        event.cluster.clone_from(&self.cluster);
        self.inner.borrow_mut().event(&event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_without_commands_stay_where_no_command_reaches_anything() {
        let hints = [
            ("give the component another name", [true, true, true]),
            ("see `rollout status web`", [true, true, false]),
            ("see `kubectl describe pod web-1`", [true, false, false]),
            ("or rerun the same command to measure again", [true, true, false]),
        ];
        for (hint, expected) in hints {
            let found = [Reach::Everything, Reach::OwnCommands, Reach::Nothing].map(|reach| reach.has(hint));
            assert_eq!(found, expected, "{hint}");
        }
    }
}
