//! Who upgrades: `rollout`, the references and the peers, each from one version to the next of its own components.

use std::path::Path;
use std::process::Command;

use crate::bench::Bench;
use crate::objects::{Fleet, argo_rollout, deployment, rolling_deployment};
use crate::peers::{self, Peers};
use crate::plane::Plane;
use crate::process::{Measured, measure};
use crate::{null_driver, poller};

/// A way to upgrade a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    Rollout,
    Null,
    /// `kubectl scale` and `kubectl rollout status`, twice a batch.
    Script,
    /// The loop of the original.
    Poller,
    Argo,
    Helm,
    /// `kubectl apply --server-side` and `kubectl rollout status`.
    ServerSideApply,
}

impl Driver {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Rollout => "`rollout apply`",
            Self::Null => "null driver",
            Self::Script => "kubectl script (`scale`, `rollout status`)",
            Self::Poller => "the original's loop (5 s)",
            Self::Argo => "Argo Rollouts 1.8.3",
            Self::Helm => "Helm 4.3.1 (`upgrade --wait`)",
            Self::ServerSideApply => "`kubectl apply --server-side`, `rollout status`",
        }
    }

    /// The name of its namespaces.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Rollout => "rollout",
            Self::Null => "null",
            Self::Script => "script",
            Self::Poller => "poller",
            Self::Argo => "argo",
            Self::Helm => "helm",
            Self::ServerSideApply => "apply",
        }
    }

    /// How the audit log names its client.
    pub(crate) fn agent(self) -> &'static str {
        match self {
            Self::Rollout => "rollout/",
            Self::Null => null_driver::COMMAND,
            Self::Poller => poller::COMMAND,
            Self::Script | Self::ServerSideApply => "kubectl",
            Self::Argo => "argo-rollouts",
            Self::Helm => "Helm",
        }
    }
}

/// A driver with its components, at some version.
pub(crate) struct Contestant {
    pub(crate) driver: Driver,
    pub(crate) fleet: Fleet,
    version: usize,
}

impl Contestant {
    /// Creates the namespaces, and the first version by the driver itself or as it would have left it.
    pub(crate) fn new(bench: &mut Bench, driver: Driver, fleet: Fleet, rules: &str) -> Self {
        let plane = bench.plane();
        for namespace in &fleet.namespaces {
            plane.namespace(namespace, rules);
        }
        let mut contestant = Self { driver, fleet, version: 0 };
        contestant.upgrade(bench);
        contestant
    }

    /// Upgrades to the next version, once what happened before has come to rest.
    pub(crate) fn upgrade(&mut self, bench: &mut Bench) -> Measured {
        let (from, to) = (self.version, self.version + 1);
        self.version = to;
        let program = bench.program.clone();
        let plane = bench.plane();
        let mut command = self.command(&program, plane, from, to);
        command.env("KUBECONFIG", &plane.kubeconfig);
        measure(&mut command, &plane.folder().join(format!("{}.log", self.driver.key())))
    }

    /// The version that was applied last.
    pub(crate) fn version(&self) -> usize {
        self.version
    }

    fn command(&self, program: &Path, plane: &Plane, from: usize, to: usize) -> Command {
        let fleet = &self.fleet;
        let namespace = fleet.namespaces[0].as_str();
        let file =
            |text: &str| plane.file(&format!("{}-{to}.yaml", self.driver.key()), text).display().to_string();
        match self.driver {
            Driver::Rollout => {
                let mut command = Command::new(program);
                let folder = plane.folder().join(namespace);
                fleet.write_manifests(to, &folder);
                command.args(["apply", "--quiet"]).arg(folder);
                command
            }
            Driver::Null => itself(&null_driver::arguments(fleet, from, to)),
            Driver::Poller if from == 0 => itself(&null_driver::arguments(fleet, from, to)),
            Driver::Poller => itself(&poller::arguments(fleet, from, to)),
            Driver::Script => shell(&script(plane, namespace, fleet, from, to, &file)),
            Driver::ServerSideApply => {
                let object = rolling_deployment(to, fleet.replicas, fleet.goals()[0]).to_string();
                let kubectl = format!("{} -n {namespace}", plane.kubectl().join(" "));
                shell(&format!(
                    "{kubectl} apply --server-side -f {} && {kubectl} rollout status deployment/web",
                    file(&object)
                ))
            }
            Driver::Helm => {
                let chart = peers::chart(plane, &rolling_deployment(0, fleet.replicas, fleet.goals()[0]));
                let mut command = Command::new(Peers::folder().join("helm"));
                command.args(["upgrade", "--install", "web", "--wait", "--namespace", namespace]);
                command.arg(format!("--set-string=version={to}")).arg(chart);
                command
            }
            Driver::Argo => {
                let object = argo_rollout(to, fleet).to_string();
                let kubectl = format!("{} -n {namespace}", plane.kubectl().join(" "));
                let wait = peers::wait_arguments(namespace, to).join(" ");
                let itself = std::env::current_exe().unwrap();
                shell(&format!("{kubectl} apply -f {} && {} {wait}", file(&object), itself.display()))
            }
        }
    }
}

/// This program as one of its drivers.
fn itself(arguments: &[String]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments);
    command
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("set -euo pipefail; {script}")]);
    command
}

/// What somebody writes who has nothing but kubectl.
fn script(
    plane: &Plane,
    namespace: &str,
    fleet: &Fleet,
    from: usize,
    to: usize,
    file: &dyn Fn(&str) -> String,
) -> String {
    let kubectl = format!("{} -n {namespace}", plane.kubectl().join(" "));
    let name = &fleet.shares()[0].1[0];
    let first = if from == 0 { fleet.replicas } else { 0 };
    let mut lines = vec![format!("{kubectl} create -f {}", file(&deployment(name, to, first).to_string()))];
    let mut resize = |version: usize, replicas: usize| {
        lines.push(format!("{kubectl} scale deployment/{name}-v{version} --replicas={replicas}"));
        lines.push(format!("{kubectl} rollout status deployment/{name}-v{version}"));
    };
    if from == 0 {
        resize(to, fleet.replicas);
    } else {
        for goal in fleet.goals() {
            resize(to, goal);
            resize(from, fleet.replicas - goal);
        }
        lines.push(format!("{kubectl} delete deployment/{name}-v{from} --wait=false"));
    }
    lines.join("\n")
}
