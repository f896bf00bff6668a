//! An in-process Kubernetes cluster behind a real [`kube::Client`]: no port, no process, no node.
//!
//! It serves the kinds that applications consist of with the API server's semantics, and runs the controllers and a
//! kubelet behind them on a clock that the caller provides. The state is in memory or in a file that several processes
//! may share. The sandbox knows only the Kubernetes API, and nothing of what this crate does with it; otherwise tests
//! could not detect mistakes that both share.
//!
//! Its responses are those of a real API server, including status code, reason and message: `tests/real/conformance`
//! sends the same requests to both and compares the responses. It does not implement
//!
//! * protobuf, `Table` and `PartialObjectMetadata` responses, compression, OpenAPI and aggregated discovery;
//! * the field managers of objects that controllers create (ReplicaSets, their pods, events): the objects of clients
//!   have all of them; apply to `/scale`; field by field ownership of lists in custom resources;
//! * authentication, authorization and admission: every request is allowed, and access reviews answer so; quotas,
//!   limits, disruption budgets, autoscalers, cron jobs, ingresses, network policies and roles are stored and have no
//!   effect;
//! * the schemas of CustomResourceDefinitions: their objects are kept as they are;
//! * missing namespaces: every namespace exists, whether or not there is a Namespace object, and none contains the
//!   objects that controllers create in a new one (`kube-root-ca.crt`, the default service account);
//! * waiting for a future resource version: it is rejected at once, as a server does after seconds;
//! * the texts in which Go's decoders describe input that they cannot read, and warnings and rules about pods that no
//!   rollout can trigger.
//!
//! Dependencies point one way:
//! `transport → api → simulation → controllers → kubelet → store → validation → object`.
//!
//! | folder | what it stands for |
//! |---|---|
//! | `object` | apimachinery: kinds, metadata, selectors, quantities, errors |
//! | `validation` | the scheme: decoding, defaults and rules of each kind |
//! | `store` | etcd and the generic registry: create, update, delete, watch cache, work queue, the file |
//! | `kubelet` | the scheduler and the kubelet, scripted by [`rules`] |
//! | `controllers` | kube-controller-manager and OpenKruise's manager |
//! | `simulation` | transactions, the file and time |
//! | `api` | the API server's handlers |
//! | `transport` | the connection, scripted by [`fault`]s |

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

/// The clock of a sandbox, its only source of time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a sandbox is opened.
pub struct Options {
    /// The file that keeps the state between processes; without one it is kept in memory.
    pub file: Option<PathBuf>,
    /// The kubelet's rules.
    pub rules: RulesSource,
    /// The clock.
    pub now: Now,
    /// Whether [`Sandbox::history`] records changes.
    pub record_history: bool,
}

/// Where the kubelet's rules come from.
#[derive(Debug, Clone, PartialEq)]
pub enum RulesSource {
    /// Rules from the caller, which are stored in the file.
    Given(Vec<Rule>),
    /// The rules in the file, which are kept: for commands that only read.
    Stored,
}

/// An in-process cluster. Its controllers run until the last handle is dropped; clients keep only its state alive.
#[derive(Clone)]
pub struct Sandbox {
    simulation: Arc<Simulation>,
    is_persistent: bool,
    _engine: Arc<Engine>,
}

/// The task that runs the controllers. Dropping it aborts the task and compacts the file.
struct Engine {
    controllers: JoinHandle<()>,
    simulation: Arc<Simulation>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.controllers.abort();
        // If the file cannot be written now, it is unchanged, and nothing is lost.
        self.simulation.compact().ok();
    }
}

/// Whether a sandbox has used this file: each creates a lock file next to it.
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
        let controllers = tokio::spawn(async move { running.run().await });
        let engine = Engine { controllers, simulation: Arc::clone(&simulation) };
        Ok(Self { simulation, is_persistent, _engine: Arc::new(engine) })
    }

    /// Whether its state is in a file, and outlives this process.
    pub fn is_persistent(&self) -> bool {
        self.is_persistent
    }

    /// A client of the sandbox.
    pub fn client(&self, default_namespace: &str) -> kube::Client {
        kube::Client::new(Transport::new(Arc::clone(&self.simulation), None), default_namespace)
    }

    /// A client whose requests pass through a fault.
    pub fn client_with(&self, default_namespace: &str, fault: Arc<dyn Fault>) -> kube::Client {
        kube::Client::new(Transport::new(Arc::clone(&self.simulation), Some(fault)), default_namespace)
    }

    /// Waits, for at most `limit`, until the controllers have finished the work that follows immediately from earlier
    /// writes, so that the file is settled when its last writer exits.
    pub async fn settle(&self, limit: Duration) {
        let settled = async {
            while self.simulation.is_busy() {
                tokio::time::sleep(CONTROLLER_DELAY.unsigned_abs()).await;
            }
        };
        tokio::time::timeout(limit, settled).await.ok();
    }

    /// Every object, as the API serves it.
    pub fn objects(&self) -> Vec<Value> {
        self.simulation.objects()
    }

    /// Every accepted change in order, if [`Options::record_history`] is on.
    pub fn history(&self) -> Vec<Change> {
        self.simulation.history().into_iter().map(Change::from).collect()
    }

    /// Uninstalls OpenKruise: removes the CustomResourceDefinition of CloneSets.
    #[must_use]
    pub fn without_kruise(self) -> Self {
        // If the file cannot be written, the next request fails and reports it.
        self.simulation.uninstall_group(validation::custom::cloneset::GROUP).ok();
        self
    }

    /// Forgets all changes so far, as an API server does after some minutes: watches and lists that request an older
    /// version get 410 Gone.
    pub fn forget(&self) {
        self.simulation.forget();
    }

    /// Stalls controllers and the kubelet for this long, as if they were restarted.
    pub fn stall_controllers(&self, lasting: Duration) {
        self.simulation.stall(lasting);
    }

    /// Replaces the kubelet's rules, for existing pods as well.
    pub fn set_rules(&self, rules: Vec<Rule>) {
        // If the file cannot be written, the next request fails and reports it.
        self.simulation.set_rules(rules).ok();
    }
}
