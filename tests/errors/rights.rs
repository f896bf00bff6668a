//! The requests of each command, and the permissions that they require.

use std::collections::BTreeSet;

use rollout::cluster::permissions::{self, Operation, Right, RightPurpose};
use rollout::driver::context::Context;
use rollout::driver::preview::preview_request;
use rollout::oam::kind::WorkloadKind;
use rollout::ops::component::ComponentSelector;
use rollout::ops::{history, status};
use rollout::sandbox::fault::{Verb, Verdict};

use crate::support::command::Command;
use crate::support::fault::{Fate, PASS, status as failed_status};
use crate::support::manifest::{Component, NAMESPACE, component, request_for, web};
use crate::support::pod_rules;
use crate::support::process::{Process, Run};
use crate::support::scenario::{IDENTITY, process};
use crate::support::test_cluster::TestCluster;

/// All permissions of an operation in the table.
fn table(operation: Operation) -> Vec<Right<'static>> {
    let kinds = [WorkloadKind::Deployment, WorkloadKind::CloneSet, WorkloadKind::StatefulSet];
    let purposes =
        [RightPurpose::Runs, RightPurpose::Services, RightPurpose::Diagnosis, RightPurpose::Checks];
    let purposes = kinds.map(RightPurpose::Workloads).into_iter().chain(purposes);
    purposes.flat_map(|purpose| permissions::rights_of(operation, purpose)).collect()
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "get",
        Verb::List => "list",
        Verb::Watch => "watch",
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Patch => "patch",
        Verb::Delete => "delete",
    }
}

/// The permissions that a run has used, without discovery and access reviews, which every user has.
fn asked(run: &Run) -> BTreeSet<(&'static str, String)> {
    let requests = run.requests.iter().map(|request| (verb(request.seen.verb), request.seen.kind.clone()));
    requests.filter(|(_, kind)| !kind.is_empty() && !kind.ends_with("reviews")).collect()
}

fn assert_in_table(operation: Operation, run: &Run, what: &str) {
    let rights = table(operation);
    for (verb, kind) in asked(run) {
        let is_in = rights.iter().any(|right| right.verb == verb && right.resource == kind);
        assert!(is_in, "{what}: {verb} {kind} is not in the table for {operation:?}");
    }
}

/// The requests of a run match the table of permissions.
#[tokio::test(start_paused = true)]
async fn a_run_sends_only_requests_in_the_table_of_permissions() {
    let mut process = Process::new(IDENTITY);
    process.limits.batch = std::time::Duration::from_secs(60);
    let cluster = TestCluster::open(
        "- {image: '*:9', fail: CrashLoopBackOff, log: 'no'}\n- {image: '*', readyAfter: 1s}",
    )
    .await;
    let all = |version: u32| {
        [
            web(version, 2).exposing(80),
            component("db", version, 2).of("statefulset"),
            component("set", version, 2).of("cloneset-service"),
        ]
    };
    let mut all_asked = BTreeSet::new();
    for version in [1, 2, 9] {
        let run = cluster.run(&process, &request_for(&all(version))).await;
        assert_in_table(Operation::Apply, &run, "apply");
        all_asked.extend(asked(&run));
    }
    for purpose in [RightPurpose::Checks, RightPurpose::Diagnosis] {
        let is_used = |right: &Right<'_>| all_asked.contains(&(right.verb, right.resource.to_owned()));
        let rights = permissions::rights_of(Operation::Apply, purpose);
        assert!(rights.iter().all(is_used), "the table has more than is asked: {all_asked:?}");
    }
}

/// The same for commands without a manifest.
#[tokio::test(start_paused = true)]
async fn a_command_sends_only_requests_that_its_role_permits() {
    let exposed = |version: u32| web(version, 3).exposing(80).batches(&["1", "2"]);
    for (command, operation) in [
        (Command::Pause, Operation::Pause),
        (Command::Resume, Operation::Rerun),
        (Command::Promote, Operation::Rerun),
        (Command::PromoteFull, Operation::Rerun),
        (Command::Abort, Operation::Rerun),
        (Command::Undo, Operation::Rerun),
        (Command::UndoNow, Operation::Rerun),
        (Command::Delete, Operation::Delete),
        (Command::DeleteComponent, Operation::Delete),
    ] {
        let cluster = TestCluster::open(pod_rules::READY).await;
        cluster.apply(&[exposed(1)]).await;
        cluster.apply(&[exposed(2).partition(0)]).await;
        let run = command.run(&cluster, &process()).await.succeeded();
        assert_in_table(operation, &run, &format!("{command:?}"));
    }
    let cluster = TestCluster::open(pod_rules::READY).await;
    cluster.apply(&[exposed(1)]).await;
    let run = Command::Scale(5).run(&cluster, &process()).await.succeeded();
    assert_in_table(Operation::Rerun, &run, "scale");
    let web = ComponentSelector { namespace: NAMESPACE.to_owned(), name: Some("web".to_owned()) };
    let reading = async |context: &Context| {
        status::statuses_with_drivers(context, NAMESPACE, None).await.unwrap();
        Vec::new()
    };
    assert_in_table(Operation::Status, &cluster.perform(&process(), reading).await, "status");
    let reading = async |context: &Context| {
        history::history(context, &web).await.unwrap();
        Vec::new()
    };
    assert_in_table(Operation::History, &cluster.perform(&process(), reading).await, "history");
    let request = request_for(&[exposed(2)]);
    let reading = async |context: &Context| {
        preview_request(&context.session, &request).await.unwrap();
        Vec::new()
    };
    assert_in_table(Operation::Plan, &cluster.perform(&process(), reading).await, "plan");
}

/// Many objects are read with one list, which needs another permission than reading each.
#[tokio::test(start_paused = true)]
async fn many_services_do_not_require_the_list_permission() {
    let may_not_list = Process::with(IDENTITY, |seen| match (seen.verb, seen.kind.as_str()) {
        (Verb::List, "services") => {
            let message = "services is forbidden: User \"ci\" cannot list resource \"services\"";
            Fate::Verdict(Verdict::Answer(failed_status(403, "Forbidden", message)))
        }
        _ => PASS,
    });
    let cluster = TestCluster::open(pod_rules::READY).await;
    let components: Vec<Component> =
        (0..10).map(|index| component(&format!("c{index}"), 1, 1).exposing(80)).collect();
    cluster.run(&may_not_list, &request_for(&components)).await.succeeded();
    assert_eq!(
        cluster.objects("Service").iter().filter(|one| one["spec"]["selector"]["app"].is_null()).count(),
        10
    );
}

/// If the user may not drive the run, it is better to keep it paused.
#[tokio::test(start_paused = true)]
async fn a_pause_is_kept_if_the_user_may_not_drive() {
    for command in [Command::Resume, Command::Promote] {
        let cluster = TestCluster::open(pod_rules::READY).await;
        cluster.apply(&[web(1, 3)]).await;
        cluster.apply(&[web(2, 3).batches(&["1", "2"]).partition(0)]).await;
        Command::Pause.run(&cluster, &process()).await.succeeded();
        let before = cluster.record("web");
        let limited = Process::with(IDENTITY, |seen| match seen.kind.as_str() {
            "selfsubjectrulesreviews" | "selfsubjectaccessreviews" => {
                let body = r#"{"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {},
                    "status": {"allowed": false, "resourceRules": [], "nonResourceRules": [], "incomplete": false}}"#;
                let body = body.replace(
                    "SelfSubjectAccessReview",
                    match seen.kind.as_str() {
                        "selfsubjectrulesreviews" => "SelfSubjectRulesReview",
                        _ => "SelfSubjectAccessReview",
                    },
                );
                Fate::Verdict(Verdict::Answer(crate::support::fault::answer(201, "application/json", &body)))
            }
            _ => PASS,
        });
        let run = command.run(&cluster, &limited).await;
        let reason = &run.failures()[0].reason;
        assert!(reason.starts_with("missing permissions in namespace `default`: "), "{reason}");
        assert!(run.effects().is_empty(), "{}", run.transcript());
        assert_eq!(cluster.record("web"), before, "{command:?}");
    }
}
