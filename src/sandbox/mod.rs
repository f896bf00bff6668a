//! An in-process Kubernetes API under a real [`kube::Client`]: no cluster, no port.
//!
//! It serves the kinds that a rollout needs, with the API server's semantics, and runs the controllers and a
//! kubelet behind them on the clock it is given. State lives in memory or in a file that several processes
//! may share. It knows the Kubernetes API and nothing of what this crate does with it, so that tests on it
//! do not agree with themselves.
//!
//! Where it answers, it answers as a real API server does, to the code, the reason and the message:
//! `tests/real/conformance` asks both the same and compares. Not served are:
//!
//! * protobuf, `Table` and `PartialObjectMetadata` answers, compression, OpenAPI and aggregated discovery;
//! * managers of fields that do not apply: `managedFields` names appliers only, and an apply conflicts with them
//!   only; apply to `/scale`;
//! * authentication, authorization, admission: everybody may do everything, and reviews say so; quotas, limits, disruption
//!   budgets and autoscalers are kept, and nothing acts on them;
//! * the absence of namespaces: every namespace is there, also where no Namespace object says so, and none has
//!   the objects that controllers put into a new one (`kube-root-ca.crt`, the default service account);
//! * waiting for a version that has not come to be: it is refused at once, as a server does after seconds;
//! * the words in which Go's decoders speak of a text that they cannot read, and the warnings and rules about pods
//!   that no rollout can meet.
//!
//! In reading order: [`rules`] script the kubelet and [`fault`]s the transport; `service` takes a request,
//! `route` understands it, `api` and `list` serve it, `write` and `deletion` make changes to
//! the `store`; `world` ties transactions,
//! the `file` and time together; `controllers` and `kubelet` act on what changed, and `watch` tells of it.

mod api;
mod controllers;
mod error;
mod event_recorder;
pub mod fault;
mod kubelet;
mod object;
pub mod rules;
mod simulation;
mod store;
mod transport;
mod validation;

use jiff::Timestamp;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

pub use error::SandboxError;
pub use store::change::{Actor, Change};

use fault::Fault;
use rules::Rule;
use simulation::{Recording, Simulation};
use store::file::{self, DataFile};
use store::queue::CONTROLLER_DELAY;
use transport::Transport;

/// Reads the time. The sandbox has no other source of it.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a sandbox is opened.
pub struct Options {
    /// Where the state is kept between processes; in memory if nowhere.
    pub file: Option<PathBuf>,
    /// How the kubelet treats pods.
    pub rules: RulesSource,
    /// What time it is.
    pub now: Now,
    /// Whether [`Sandbox::history`] has anything to tell.
    pub record_history: bool,
}

/// Where the kubelet's rules come from.
#[derive(Debug, Clone, PartialEq)]
pub enum RulesSource {
    /// From the caller. The file keeps them.
    Given(Vec<Rule>),
    /// From the file; a command that only looks changes nothing.
    Stored,
}

/// A cluster in this process. Time passes in it until its last handle is dropped; clients keep its state.
#[derive(Clone)]
pub struct Sandbox {
    simulation: Arc<Simulation>,
    is_persistent: bool,
    _engine: Arc<Engine>,
}

/// The task in which time passes.
struct Engine(JoinHandle<()>);

impl Drop for Engine {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether a file has been a sandbox's: each leaves its lock beside.
#[must_use]
pub fn is_sandbox_file(path: &Path) -> bool {
    file::lock_of(path).exists()
}

impl Sandbox {
    /// Opens a sandbox, and brings a stored one up to date. Must be called inside a tokio runtime.
    pub fn open(options: Options) -> Result<Self, SandboxError> {
        let is_persistent = options.file.is_some();
        let file = options.file.map(DataFile::new).transpose()?;
        let rules = match options.rules {
            RulesSource::Given(rules) => Some(rules),
            RulesSource::Stored => None,
        };
        let recording = if options.record_history { Recording::On } else { Recording::Off };
        let simulation = Arc::new(Simulation::open(file, rules, options.now, recording)?);
        let running = Arc::clone(&simulation);
        let engine = tokio::spawn(async move { running.run().await });
        Ok(Self { simulation, is_persistent, _engine: Arc::new(Engine(engine)) })
    }

    /// Whether it outlives this process, in a file.
    pub fn is_persistent(&self) -> bool {
        self.is_persistent
    }

    /// A client of the sandbox.
    pub fn client(&self, default_namespace: &str) -> kube::Client {
        kube::Client::new(Transport::new(Arc::clone(&self.simulation), None), default_namespace)
    }

    /// A client whose requests a fault decides about.
    pub fn client_with(&self, default_namespace: &str, fault: Arc<dyn Fault>) -> kube::Client {
        kube::Client::new(Transport::new(Arc::clone(&self.simulation), Some(fault)), default_namespace)
    }

    /// Waits until the controllers have done what follows at once from what was written, at most `limit`: so that
    /// a file is at rest when its last writer leaves.
    pub async fn settle(&self, limit: Duration) {
        let settled = async {
            while self.simulation.is_busy() {
                tokio::time::sleep(CONTROLLER_DELAY.unsigned_abs()).await;
            }
        };
        tokio::time::timeout(limit, settled).await.ok();
    }

    /// Every object, as the API would give it.
    pub fn objects(&self) -> Vec<Value> {
        self.simulation.objects()
    }

    /// Every accepted change in order, if they are recorded.
    pub fn history(&self) -> Vec<Change> {
        self.simulation.history().into_iter().map(Change::from).collect()
    }

    /// Makes this a cluster without OpenKruise: nobody has installed the definition of CloneSets.
    #[must_use]
    pub fn without_kruise(self) -> Self {
        // A file that cannot be written fails the next request, which can say so.
        self.simulation.uninstall_group(validation::custom::cloneset::GROUP).ok();
        self
    }

    /// Forgets what led to the present, as an API server does after some minutes: watches from before now are
    /// told that their version is too old.
    pub fn forget(&self) {
        self.simulation.forget();
    }

    /// Replaces the kubelet's rules, for pods that are there as well.
    pub fn set_rules(&self, rules: Vec<Rule>) {
        // A file that cannot be written fails the next request, which can say so.
        self.simulation.set_rules(rules).ok();
    }
}
