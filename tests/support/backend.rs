//! The Kubernetes API that a scenario runs on: the sandbox, or a real control plane.
//!
//! A scenario needs a client, a way to script the kubelet, the server's own history and a clock, and nothing else. So
//! the same scenarios and checks run on the sandbox with paused time and on a real control plane.

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

    /// The clock of whatever runs here.
    fn clock(&self) -> &Clock;

    /// A client whose requests go their usual way.
    fn client(&self) -> Client;

    /// A client whose requests meet what a process's tap says.
    fn tapped(&self, tap: Arc<Tap>) -> Client;

    /// Replaces the pod rules, also for existing pods.
    fn set_pod_rules(&self, rules: &str);

    /// Lets controllers do nothing for so long, where this backend can.
    fn stall_controllers(&self, _lasting: Duration) {}

    /// What the server has accepted, in its order.
    fn history(&self) -> Vec<Change>;

    /// Every object as it is now.
    fn objects(&self) -> Vec<Value>;

    /// Waits until the history has everything that has been answered.
    fn catch_up(&self) -> LocalBoxFuture<'_, ()>;

    /// Lets everything happen that follows from what was done.
    fn settle(&self) -> LocalBoxFuture<'_, ()>;
}

/// The cluster in this process, whose time is paused.
pub(crate) struct SandboxBackend {
    sandbox: Sandbox,
    clock: Clock,
}

/// Long enough for everything that follows a run to have happened.
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
