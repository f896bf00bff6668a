//! A fleet of three real clusters: rolled out wave by wave, killed and resumed, and rolled back in all of them.

use std::path::PathBuf;
use std::process::Command;
use std::thread;

use kube::config::{Context, Kubeconfig, NamedContext};
use rustix::process::Signal;

use crate::control_plane::ControlPlane;
use crate::real_env::{QUICK, RealEnv, v1, v2};
use crate::support::child::Child;
use crate::support::manifest::{Component, application, component};
use crate::support::pod_rules::failing;
use crate::support::test_env::CommandOutput;

const NAMES: [&str; 3] = ["eu", "us", "asia"];

/// Slow enough for a batch to be in progress when something happens.
const SLOW: &str = "- {image: '*', readyAfter: 3s}\n";

/// Three clusters.
struct Fleet<'a> {
    clusters: [RealEnv<'a>; 3],
    kubeconfig: PathBuf,
    file: PathBuf,
}

impl Fleet<'_> {
    fn command(&self, wanted: &Component, more: &[&str]) -> Command {
        let name = format!("{}.yaml", wanted.target);
        let manifest = application("rollout-trait-test", std::slice::from_ref(wanted));
        let manifest = self.clusters[0].file(&name, &manifest);
        let mut command = self.clusters[0].command(&["apply", manifest.to_str().unwrap()]);
        command.arg("--fleet").arg(&self.file).arg("--kubeconfig").arg(&self.kubeconfig).args(more);
        command
    }

    fn apply_to(&self, wanted: &Component, more: &[&str], code: i32) -> CommandOutput {
        let ran = CommandOutput::of(self.command(wanted, more).output().unwrap());
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        ran
    }

    /// The Deployments of each cluster.
    fn deployments(&self) -> [Vec<(String, String)>; 3] {
        [0, 1, 2].map(|index| self.clusters[index].deployments())
    }
}

fn whole(revision: &str) -> Vec<(String, String)> {
    vec![(format!("express-server-{revision}"), "5/5".to_owned())]
}

/// A kubeconfig with a context for each cluster.
fn kubeconfig(clusters: &[RealEnv<'_>; 3]) -> String {
    let mut merged = Kubeconfig::default();
    for (name, env) in NAMES.into_iter().zip(clusters) {
        let mut one = Kubeconfig::read_from(&env.plane.kubectl.kubeconfig).unwrap();
        let (mut cluster, mut user) = (one.clusters.remove(0), one.auth_infos.remove(0));
        name.clone_into(&mut cluster.name);
        name.clone_into(&mut user.name);
        merged.clusters.push(cluster);
        merged.auth_infos.push(user);
        let context = Context { cluster: name.to_owned(), user: Some(name.to_owned()), ..Context::default() };
        merged.contexts.push(NamedContext {
            name: name.to_owned(),
            context: Some(context),
            ..NamedContext::default()
        });
    }
    serde_json::to_string(&merged).unwrap()
}

pub(crate) fn three_clusters(first: &ControlPlane) {
    let (second, third) = thread::scope(|scope| {
        let others = [(); 2].map(|()| scope.spawn(|| first.another()));
        let [second, third] = others.map(|other| other.join().unwrap());
        (second, third)
    });
    let clusters = [first, &second, &third].map(|plane| plane.env("fleet"));
    let waves =
        "waves: [{clusters: [{context: eu}], soak: 1s}, {clusters: [{context: us}, {context: asia}]}]";
    let (config, file) =
        (clusters[0].file("config", &kubeconfig(&clusters)), clusters[0].file("fleet.yaml", waves));
    let fleet = Fleet { clusters, kubeconfig: config, file };
    let ran = fleet.apply_to(&v1(), &[], 0);
    assert_eq!(ran.stdout.matches("rolloutSucceed").count(), 3, "{}", ran.stdout);
    assert_eq!(fleet.deployments(), [(); 3].map(|()| whole("v1")));

    // After a kill in the second wave, the rerun finds the first one finished.
    fleet.clusters[1].script(SLOW);
    let mut killed = Child::spawn(fleet.command(&v2(), &[]));
    killed.until("us/express-server: batch 1 of 2: waiting").signal(Signal::KILL);
    killed.end();
    fleet.clusters[1].script(QUICK);
    let ran = fleet.apply_to(&v2(), &[], 0);
    assert!(ran.stderr.contains("eu/express-server: nothing to do"), "{ran:#?}");
    assert!(ran.stderr.contains("us/express-server: resuming"), "{ran:#?}");
    assert_eq!(fleet.deployments(), [(); 3].map(|()| whole("v2")));

    // A failure in the last cluster is rolled back in all clusters.
    let v3 = component("express-server", 3, 5).image("bad:3").batches(&["2", "3"]);
    fleet.clusters[2].script(&format!("{}{QUICK}", failing("bad:*", "ImagePullBackOff")));
    let more = ["--on-failure", "undo-all", "--batch-timeout", "3s"];
    let ran = fleet.apply_to(&v3, &more, 3);
    assert!(ran.stderr.contains("asia/express-server: failed in batch 1 of 2"), "{ran:#?}");
    assert_eq!(fleet.deployments(), [(); 3].map(|()| whole("v2")));
}
