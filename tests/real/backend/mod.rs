//! A real cluster's namespace as the backend of a scenario: with the server's history from watches, and real time.

mod history;
mod rest;

use std::rc::Rc;
use std::sync::Arc;

use futures::future::LocalBoxFuture;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use rollout::cluster::clock::Clock;
use rollout::sandbox::Change;
use serde_json::Value;

use crate::control_plane::{ControlPlane, Kubelet, Loan};
use crate::support::backend::Backend;
use crate::support::fault::Tap;
use crate::support::tapped_client;
use history::History;
use rest::Rest;

/// A namespace of a real cluster.
pub(crate) struct RealBackend {
    namespace: String,
    client: Client,
    kubelet: Kubelet,
    _loan: Loan,
    clock: Clock,
    history: Rc<History>,
    rest: Rest,
}

impl RealBackend {
    /// Creates a namespace whose pods follow the rules, given as YAML. Needs a tokio runtime, to which the client
    /// belongs.
    pub(crate) async fn open(plane: &ControlPlane, scenario: &str, rules: &str) -> Self {
        let kubelet = plane.kubelet.as_ref().expect("stories say what they need");
        let namespace = &plane.namespace(scenario);
        let client = plane.kubectl.client(namespace).await;
        kubelet.script(namespace, rules);
        let named = ObjectMeta { name: Some(namespace.clone()), ..ObjectMeta::default() };
        let object = Namespace { metadata: named, ..Namespace::default() };
        Api::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        let rest = Rest::default();
        rest.rules_are(rules);
        Self {
            history: Rc::new(History::follow(&client).await),
            _loan: plane.lend(namespace),
            namespace: namespace.clone(),
            client,
            kubelet: kubelet.clone(),
            clock: Clock::system(),
            rest,
        }
    }
}

impl RealBackend {
    fn trouble(&self) -> Option<String> {
        let objects = self.history.objects();
        self.rest.trouble(&objects.iter().collect::<Vec<_>>())
    }
}

impl Backend for RealBackend {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn client(&self) -> Client {
        self.client.clone()
    }

    fn tapped(&self, tap: Arc<Tap>) -> Client {
        tapped_client::tapped(self.client.clone(), tap)
    }

    fn set_pod_rules(&self, rules: &str) {
        self.kubelet.script(&self.namespace, rules);
        self.rest.rules_are(rules);
    }

    fn history(&self) -> Vec<Change> {
        self.history.changes()
    }

    fn objects(&self) -> Vec<Value> {
        self.history.objects()
    }

    fn catch_up(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(self.history.catch_up())
    }

    fn settle(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(async {
            self.history.catch_up().await;
            let settled = self.history.until(|objects| self.rest.trouble(objects).is_none());
            if self.clock.within(rest::LIMIT, settled).await.is_none() {
                panic!("it does not come to rest: {:?}", self.trouble());
            }
        })
    }
}
