//! Names that must be unique among all applications of a command.
//!
//! Rejects names that several documents use. Includes documents that are rejected for other reasons, so that all
//! problems are reported at once.

use std::collections::HashMap;

use crate::oam::manifest::problem::{MAX_PROBLEMS, Problem};
use crate::oam::manifest::walk::{At, Walk};

/// The names seen so far, and the clashes among them.
#[derive(Default)]
pub(super) struct UniqueNames {
    seen: HashMap<Name, String>,
    problems: Vec<(usize, Problem)>,
}

/// [`UniqueNames`], for one of the sources.
pub(super) struct SourceNames<'s> {
    names: &'s mut UniqueNames,
    source: usize,
}

/// A name that must be unique in a namespace.
#[derive(PartialEq, Eq, Hash)]
struct Name {
    role: SharedName,
    namespace: Option<String>,
    name: String,
}

/// What a name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum SharedName {
    /// An application's name.
    Application,
    /// A component's name: selectors and revisions use it without the application's.
    Component,
    /// A revision's name, which may be that of a Deployment.
    ExternalRevision,
}

impl UniqueNames {
    pub(super) fn names_of_source(&mut self, source: usize) -> SourceNames<'_> {
        SourceNames { names: self, source }
    }

    pub(super) fn problems(self) -> Vec<(usize, Problem)> {
        self.problems
    }
}

impl SourceNames<'_> {
    /// Records a name; a second one of the same role and namespace is a problem.
    pub(super) fn note(
        &mut self,
        walk: &Walk<'_>,
        at: &At<'_>,
        role: SharedName,
        namespace: Option<&str>,
        name: &str,
    ) {
        let origin = walk.origin(at);
        let namespace = namespace.map(str::to_owned);
        let key = Name { role, namespace, name: name.to_owned() };
        let place = format!("{}:{}:{}", origin.file, origin.line, origin.column);
        let Some(first) = self.names.seen.get(&key) else {
            self.names.seen.insert(key, place);
            return;
        };
        if self.names.problems.len() >= MAX_PROBLEMS {
            return;
        }
        let thing = match role {
            SharedName::Application => "application",
            SharedName::Component => "component",
            SharedName::ExternalRevision => "revision",
        };
        let hint = match role {
            SharedName::Application => None,
            SharedName::Component => {
                Some("components share selectors and revisions by name within a namespace")
            }
            SharedName::ExternalRevision => Some("a revision belongs to one component"),
        };
        let problem = Problem {
            file: origin.file,
            line: origin.line,
            column: origin.column,
            path: at.path.clone(),
            message: format!("{thing} `{name}` appears twice, first at {first}"),
            hint: hint.map(str::to_owned),
        };
        self.names.problems.push((self.source, problem));
    }
}
