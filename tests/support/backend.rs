//! The Kubernetes API that a scenario runs on: the sandbox, or a real control plane.
//!
//! A scenario needs only a client, a way to script the kubelet, the server's own history and a clock. So the same
//! scenarios and checks run on the sandbox with paused time and on a real control plane.

use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use kube::Client;
use rollout::cluster::clock::Clock;
use rollout::sandbox::rules::parse_rules;
use rollout::sandbox::{Change, Options, RulesSource, Sandbox};
use serde_json::Value;

use super::fault::Tap;
use super::manifest::NAMESPACE;

/// A namespace of some cluster.
pub(crate) trait Backend {
    /// The scenario's own namespace.
    fn namespace(&self) -> &str;

    /// The clock of the processes.
    fn clock(&self) -> &Clock;

    /// A client without faults.
    fn client(&self) -> Client;

    /// A client whose requests pass through a process's tap.
    fn tapped(&self, tap: Arc<Tap>) -> Client;

    /// Replaces the pod rules, including those of existing pods.
    fn set_pod_rules(&self, rules: &str);

    /// Stalls controllers for this long, if the backend supports it.
    fn stall_controllers(&self, _lasting: Duration) {}

    /// The changes that the server has accepted, in order.
    fn history(&self) -> Vec<Change>;

    /// All objects in their current state.
    fn objects(&self) -> Vec<Value>;

    /// Waits until the history contains every change that was acknowledged.
    fn catch_up(&self) -> LocalBoxFuture<'_, ()>;

    /// Waits until the controllers have handled all changes.
    fn settle(&self) -> LocalBoxFuture<'_, ()>;
}

/// The in-process cluster, with paused time.
pub(crate) struct SandboxBackend {
    sandbox: Sandbox,
    clock: Clock,
}

/// Long enough for controllers to handle all changes of a run.
const SETTLED: Duration = Duration::from_secs(90);

impl SandboxBackend {
    /// A cluster whose pods follow the rules, given as YAML.
    pub(crate) fn open(rules: &str) -> Self {
        let clock = Clock::starting_at("2026-03-01T12:00:00Z".parse().unwrap());
        let hands = clock.clone();
        let sandbox = Sandbox::open(Options {
            file: None,
            rules: RulesSource::Given(parse_rules("rules", rules).unwrap()),
            now: Arc::new(move || hands.now()),
            record_history: true,
        });
        Self { sandbox: sandbox.unwrap(), clock }
    }
}

impl Backend for SandboxBackend {
    fn namespace(&self) -> &str {
        NAMESPACE
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn client(&self) -> Client {
        self.sandbox.client(NAMESPACE)
    }

    fn tapped(&self, tap: Arc<Tap>) -> Client {
        self.sandbox.client_with(NAMESPACE, tap)
    }

    fn set_pod_rules(&self, rules: &str) {
        self.sandbox.set_rules(parse_rules("rules", rules).unwrap());
    }

    fn stall_controllers(&self, lasting: Duration) {
        self.sandbox.stall_controllers(lasting);
    }

    fn history(&self) -> Vec<Change> {
        self.sandbox.history()
    }

    fn objects(&self) -> Vec<Value> {
        self.sandbox.objects()
    }

    fn catch_up(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn settle(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(self.clock.pause(SETTLED))
    }
}
