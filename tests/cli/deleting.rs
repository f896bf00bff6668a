//! `delete`: what goes, what stays, what is asked.

use crate::exit_codes::open_shop;
use crate::support::manifest::application;

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
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), "there is nothing to remove\n"));
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
    hint: there is `web`
    [exit 4]
    ");
}
