//! What every run of a process shares.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::cluster::clock::Moment;
use crate::cluster::record_watch::RecordCache;
use crate::cluster::session::Session;
use crate::cluster::workload_cache::WorkloadCache;
use crate::cluster::workload_watch::WatchScope;
use crate::driver::control::Control;
use crate::oam::kind::WorkloadKind;
use crate::report::event::{Event, EventKind, Reporter};

/// What every run of a process shares.
#[derive(Clone)]
pub struct Context {
    /// The talk with the API server.
    pub session: Session,
    /// Who hears the events.
    pub reporter: Rc<RefCell<dyn Reporter>>,
    /// Whether to stop.
    pub control: Control,
    /// Who this process says it is.
    pub identity: String,
    /// How long to wait for what.
    pub limits: Limits,
    /// Not before then any of the runs looks at pods again; see [`crate::driver::component_run`].
    pub next_check: Rc<Cell<Option<Moment>>>,
}

/// How long to wait for what; zero is no limit.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the whole run of a component.
    pub run: Duration,
    /// For each batch.
    pub batch: Duration,
    /// For another run of the same application to end.
    pub lock: Duration,
    /// What a sign that waiting will not help means.
    pub fail_fast: FailFast,
    /// What becomes of a component whose pods do not become ready.
    pub on_failure: OnFailure,
    /// How many lines of a failing pod's log are shown.
    pub logs: u32,
}

/// What becomes of a component whose pods do not become ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// It stays as it is.
    #[default]
    Hold,
    /// The caller takes it back where its run began.
    Undo,
}

/// What a sign that waiting will not help means for a run, such as an image that cannot be pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailFast {
    /// It is told, and the batch has its time.
    #[default]
    Off,
    /// The run ends.
    On,
}

/// The workloads of one namespace, as they are watched.
#[derive(Debug)]
pub struct NamespaceWatch {
    /// What is watched, a kind each.
    pub scopes: Vec<WatchScope>,
    /// What is known.
    pub cache: WorkloadCache,
    /// What has been heard of their run records.
    pub records: RecordCache,
}

impl NamespaceWatch {
    /// What is watched of a kind.
    #[must_use]
    pub fn scope(&self, kind: WorkloadKind) -> Option<&WatchScope> {
        self.scopes.iter().find(|scope| scope.kind == kind)
    }
}

impl Context {
    /// Tells the reporter.
    pub fn emit(&self, application: &str, component: Option<&str>, what: EventKind) {
        let event = Event {
            elapsed: self.session.clock().elapsed(),
            application: application.to_owned(),
            component: component.map(str::to_owned),
            what,
        };
        self.reporter.borrow_mut().event(&event);
    }
}
