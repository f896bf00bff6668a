//! `delete`: what goes, what stays, what is asked.

use crate::exit_codes::open_shop;
use crate::support::Desk;
use crate::support::manifest::application;
use crate::support::screen::Screen;

#[test]
fn everything_of_an_application_goes_and_nothing_else() {
    let desk = open_shop();
    desk.write("other.yaml", application("other", "pot", "v1", "x:1", "targetSize: 1"));
    desk.done("apply other.yaml");
    desk.done("apply v2.yaml --partition 0");
    insta::assert_snapshot!(desk.run("delete shop --dry-run=client").transcript(), @"
    deployment.apps/web-v1 would be deleted
    deployment.apps/web-v2 would be deleted
    controllerrevision.apps/web-v1 would be deleted
    controllerrevision.apps/web-v2 would be deleted
    configmap/rollout-web would be deleted
    --- stderr
    [exit 0]
    ");
    assert_eq!(desk.deployments(), ["pot-v1 1/1", "web-v1 2/2", "web-v2 1/1"]);
    insta::assert_snapshot!(desk.run("delete v1.yaml").transcript(), @"
    deployment.apps/web-v1 deleted
    deployment.apps/web-v2 deleted
    controllerrevision.apps/web-v1 deleted
    controllerrevision.apps/web-v2 deleted
    configmap/rollout-web deleted
    --- stderr
    [exit 0]
    ");
    desk.settle();
    assert_eq!(desk.deployments(), ["pot-v1 1/1"]);
    for kind in ["ControllerRevision", "ConfigMap", "Lease"] {
        let names: Vec<String> =
            desk.objects(kind).iter().map(|object| object["metadata"]["name"].to_string()).collect();
        assert!(names.iter().all(|name| !name.contains("web") && !name.contains("shop")), "{kind} {names:?}");
        assert_eq!(names.len(), 1, "{kind} of the other: {names:?}");
    }
    let again = desk.run("delete v1.yaml");
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), "nothing to delete\n"));
}

#[test]
fn a_service_goes_with_its_component() {
    let desk = open_shop();
    let exposed = application("tea", "pot", "v1", "pot:1", "targetSize: 1")
        .replace("image: pot:1", "image: pot:1\n        ports: [{port: 80, expose: true}]");
    desk.write("tea.yaml", exposed);
    desk.done("apply tea.yaml");
    assert_eq!(desk.objects("Service").len(), 1);
    desk.done("delete pot");
    assert!(desk.objects("Service").is_empty());
    assert_eq!(desk.deployments(), ["web-v1 3/3"]);
}

#[test]
fn an_unknown_name_is_refused() {
    insta::assert_snapshot!(open_shop().run("delete nobody").transcript(), @"
    --- stderr
    error: nothing named `nobody` has been rolled out in namespace `default`
    hint: the namespace has `web`
    [exit 4]
    ");
}

/// What stands on a terminal when it was asked, and the answer given.
fn answered(desk: &Desk, line: &str, answer: &str) -> String {
    let mut screen = Screen::start(desk.command(line), 80);
    screen.until("[y/N]").types(&format!("{answer}\n"));
    screen.end()
}

#[test]
fn a_terminal_is_asked_and_only_yes_is_yes() {
    let desk = open_shop();
    for answer in ["", "n", "no", "yep"] {
        let screen = answered(&desk, "delete shop", answer);
        assert!(screen.ends_with("error: nothing was changed\n[exit 4]"), "{answer}: {screen}");
        assert_eq!(desk.deployments(), ["web-v1 3/3"]);
    }
    insta::assert_snapshot!(answered(&desk, "delete shop", "y"), @"
    To be deleted from namespace `default`, with all pods:
      deployment.apps/web-v1
      controllerrevision.apps/web-v1
      configmap/rollout-web
    Delete? [y/N] y
    deployment.apps/web-v1 deleted
    controllerrevision.apps/web-v1 deleted
    configmap/rollout-web deleted
    [exit 0]
    ");
    assert!(desk.deployments().is_empty());
}

#[test]
fn the_end_of_the_keyboard_is_no() {
    let desk = open_shop();
    let mut screen = Screen::start(desk.command("delete shop"), 80);
    assert!(screen.until("[y/N]").types("\u{4}").end().ends_with("[exit 4]"));
    assert_eq!(desk.deployments(), ["web-v1 3/3"]);
}

#[test]
fn a_terminal_is_not_asked_where_yes_was_said() {
    let desk = open_shop();
    let screen = Screen::start(desk.command("delete shop --yes"), 80).end();
    assert!(screen.starts_with("deployment.apps/web-v1 deleted\n"), "{screen}");
    assert!(screen.ends_with("[exit 0]"), "{screen}");
}

/// Killed between the last record and the Lease.
#[test]
fn a_lease_that_a_killed_removal_left_goes_with_the_next() {
    let desk = open_shop();
    desk.edit(|objects| objects.retain(|object| object["kind"] == "Lease"));
    assert_eq!(desk.objects("Lease").len(), 1);
    desk.done("delete v1.yaml --dry-run=client");
    assert_eq!(desk.objects("Lease").len(), 1);
    assert_eq!(desk.done("delete v1.yaml").stderr, "nothing to delete\n");
    assert!(desk.objects("Lease").is_empty());
}
