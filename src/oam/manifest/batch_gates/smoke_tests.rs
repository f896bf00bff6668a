//! `smokeTests`: Jobs that run before or after a batch.

use serde_json::Value;

use super::{read_list, without_twins};
use crate::oam::manifest::names;
use crate::oam::manifest::schema::read_any;
use crate::oam::manifest::walk::{At, Object, Walk};
use crate::oam::smoke_test::{BatchSide, SmokeTest};

const SIDES: [(&str, BatchSide); 2] = [("before", BatchSide::Before), ("after", BatchSide::After)];

pub(super) fn read_smoke_tests(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<Vec<SmokeTest>> {
    let tests = read_list(walk, object, ("smokeTests", "a list of smoke tests"), read_smoke_test)?;
    without_twins(walk, object, "smoke test", tests, |test| &test.name)
}

fn read_smoke_test(walk: &mut Walk<'_>, at: &At<'_>) -> Option<SmokeTest> {
    let object = walk.object_of(at, &["name", "when", "spec"], |name| match name {
        "job" | "template" => Some("write the spec of the Job in `spec`"),
        _ => None,
    })?;
    let name = walk.required_text(&object, "name", names::LABEL);
    let when = object.optional("when", |at| walk.choice(at, &SIDES));
    let expected = "the spec of a Job";
    let spec = walk.required(&object, "spec", expected).and_then(|at| {
        let spec = read_any(walk, &at)?;
        let containers = spec.pointer("/template/spec/containers").and_then(Value::as_array);
        if containers.is_none_or(Vec::is_empty) {
            walk.refuse(&at, "missing `template.spec.containers`, expected at least one container");
            return None;
        }
        Some(spec)
    });
    Some(SmokeTest { name: name?, when: when?.unwrap_or_default(), spec: spec? })
}
