//! The Application view for kubectl, which lists all components, whichever a command is about.

use serde_json::{Value, json};

use crate::support::manifest::{application, component, shop_of_entries, web};
use crate::support::test_env::TestEnv;

/// The names and the health of the services of the view.
fn services(env: &TestEnv) -> Vec<Value> {
    let views = env.objects("Application");
    let view =
        views.iter().find(|one| one["metadata"]["name"] == "shop").unwrap_or_else(|| panic!("no view"));
    let services = view["status"]["services"].as_array().unwrap();
    services.iter().map(|one| json!([one["name"], one["healthy"]])).collect()
}

#[test]
fn a_command_about_one_component_keeps_the_others() {
    let env = TestEnv::new();
    let shop = |version| application("shop", &[web(version, 3), component("api", 1, 1)]);
    env.write("app.yaml", shop(1));
    env.run_ok("apply app.yaml");
    let definitions = env.run_ok("crds").stdout;
    let definition = |document| serde_yaml::from_str(document).unwrap();
    let definitions: Vec<Value> = definitions.split("\n---\n").map(definition).collect();
    let properties = json!({"objects": definitions});
    let component = json!({"name": "definitions", "type": "k8s-objects", "properties": properties});
    env.write("views.yaml", shop_of_entries(&[&component.to_string()]).replace("name: shop", "name: views"));
    env.run_ok("apply views.yaml");
    env.write("app.yaml", shop(2));
    env.run_ok("apply app.yaml");
    assert_eq!(services(&env), [json!(["web", true]), json!(["api", true])]);
    env.run_ok("scale web --replicas 2");
    assert_eq!(services(&env), [json!(["web", true]), json!(["api", true])]);
}
