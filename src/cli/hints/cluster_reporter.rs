//! The events of one cluster: named if there are several, with hints that can be typed as printed.

use std::cell::RefCell;
use std::rc::Rc;

use crate::cli::hints::flags::HintFlags;
use crate::report::event::{Event, EventKind, Reporter};
use crate::report::message::RESUME_HINT;

/// Which commands reach the cluster once the process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Commands of `rollout` and of kubectl.
    Everything,
    /// Only commands of `rollout`: kubectl cannot reach a sandbox.
    OwnCommands,
    /// No commands: a sandbox without a file ends with its process.
    Nothing,
}

impl Reach {
    /// Whether a hint is useful: the cluster is still there for its commands, and it does not continue an omitted hint.
    fn has(self, hint: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::OwnCommands => !hint.contains("`kubectl "),
            Self::Nothing => {
                !hint.contains("`kubectl ")
                    && !hint.contains("`rollout ")
                    && !hint.starts_with("or ")
                    && hint != RESUME_HINT
            }
        }
    }
}

/// A reporter that names the cluster, adds flags to the commands in hints, omits hints that are of no use afterwards,
/// and names namespaces only if there are several.
pub struct ClusterReporter {
    /// The reporter that receives the rewritten events of all clusters.
    pub inner: Rc<RefCell<Box<dyn Reporter + Send>>>,
    /// The name of the cluster; `None` if the command acts on a single cluster.
    pub cluster: Option<String>,
    /// Which commands may appear in hints.
    pub reach: Reach,
    /// The flags of commands in hints.
    pub flags: HintFlags,
    /// The namespace in which those commands act by default.
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
        | EventKind::DependencyHeld { hints, .. }
        | EventKind::Inconclusive { hints, .. }
        | EventKind::Interrupted { hints, .. } = &mut event.what
        {
            hints.retain(|hint| self.reach.has(hint));
            // Neither flags nor variables set the manifest's namespace.
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
    fn hints_with_unreachable_commands_are_omitted() {
        let hints = [
            ("give the component another name", [true, true, true]),
            ("see `rollout status web`", [true, true, false]),
            (RESUME_HINT, [true, true, false]),
            ("see `kubectl describe pod web-1`", [true, false, false]),
            ("or rerun the same command to measure again", [true, true, false]),
        ];
        for (hint, expected) in hints {
            let found = [Reach::Everything, Reach::OwnCommands, Reach::Nothing].map(|reach| reach.has(hint));
            assert_eq!(found, expected, "{hint}");
        }
    }
}
