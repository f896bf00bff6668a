//! Applications as a user would write them.

/// An application with a component, its image and its trait's properties, indented by two spaces a level.
pub(crate) fn application(name: &str, component: &str, revision: &str, image: &str, rollout: &str) -> String {
    let rollout: String = rollout.lines().map(|line| format!("            {line}\n")).collect();
    format!(
        "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: {name}
spec:
  components:
    - name: {component}
      type: webservice
      externalRevision: {component}-{revision}
      properties:
        image: {image}
      traits:
        - type: rollout
          properties:
{rollout}"
    )
}

/// The component `web` of the application `shop` with three replicas in batches of one and two.
pub(crate) fn shop(revision: &str, image: &str) -> String {
    application(
        "shop",
        "web",
        revision,
        image,
        "targetSize: 3\nrolloutBatches: [{replicas: 1}, {replicas: 2}]",
    )
}
