//! `schema/` describes exactly what the binary prints for programs: every document matches its schema, without
//! undescribed parts, and everything that a schema promises is printed in some situation.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checked_env;
mod facts;
mod published;
mod situations;
#[path = "../support/mod.rs"]
mod support;

use std::thread;

use published::{Schema, Schemas};
use situations::SITUATIONS;

/// Facts that no command prints unless the cluster is tampered with.
const NEVER_SEEN: [&str; 3] = [
    // The claim that takes over moves the superseded run to the past runs.
    "status: .items[].rollingState = \"rolloutAbandoning\"",
    // Every API server sets the creation time of objects.
    "status: .items[].created is null",
    "history: .revisions[].created is null",
];

#[test]
fn the_schema_describes_exactly_what_is_printed() {
    let schemas = Schemas::read();
    let seen = &schemas;
    thread::scope(|scope| {
        for situation in SITUATIONS {
            scope.spawn(move || situation(seen));
        }
    });
    let unseen = schemas.unseen();
    let unexpected: Vec<&String> =
        unseen.iter().filter(|fact| !NEVER_SEEN.contains(&fact.as_str())).collect();
    assert!(unexpected.is_empty(), "described but never printed: {unexpected:#?}");
    let seen: Vec<&str> =
        NEVER_SEEN.into_iter().filter(|fact| !unseen.contains(&(*fact).to_owned())).collect();
    assert!(seen.is_empty(), "printed after all: {seen:#?}");
}

#[test]
fn every_property_is_described_and_required() {
    let complaints: Vec<String> =
        Schemas::read().all().iter().flat_map(|schema| schema.omissions()).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn undescribed_output_is_detected() {
    let schema = Schema::read("event");
    let event = |more: serde_json::Value| {
        let mut event = serde_json::json!({
            "version": 1, "elapsedSeconds": 0.5, "application": "shop", "component": "web", "event": "waiting",
            "on": "pods", "atGate": false,
            "progress": {"batch": 0, "batches": 2, "targetSize": 5, "upgraded": 2, "ready": 1, "source": 3},
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        schema.complaints(&event)
    };
    assert_eq!(event(serde_json::json!({})), [""; 0]);
    let wrong = [
        serde_json::json!({"mood": "good"}),
        serde_json::json!({"event": "wondering"}),
        serde_json::json!({"version": 2}),
        serde_json::json!({"component": 7}),
        serde_json::json!({"holder": "of another kind of event"}),
        serde_json::json!({"progress": {
            "batch": 0, "batches": 2, "targetSize": 5, "upgraded": 2, "ready": 1, "source": 3, "sink": 1,
        }}),
        serde_json::json!({"progress": {"batch": 0}}),
    ];
    for more in wrong {
        assert_ne!(event(more.clone()), [""; 0], "{more}");
    }
}
