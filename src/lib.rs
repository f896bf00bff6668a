//! Batched rollouts for Kubernetes, driven from outside the cluster.
//!
//! Modules in reading order: a manifest becomes an [`oam`] application, [`plan`] decides the next step from what is
//! observed and what is desired, [`cluster`] performs steps and watches, [`driver`] runs the control loop, [`probe`]
//! calls hooks and measures metrics, [`report`] formats and draws events, [`ops`] has a function for each command,
//! [`cli`] is the command line, and [`sandbox`] is a Kubernetes API for trying all of it without a cluster.
//!
//! # Example
//!
//! Applies a manifest to a sandbox:
//!
//! ```
//! use std::sync::Arc;
//!
//! use rollout::cluster::clock::Clock;
//! use rollout::cluster::session::{Session, Timeouts};
//! use rollout::ops::{ComponentOutcome, Context, Overrides, apply, manifest};
//! use rollout::sandbox::{Options, RulesSource, Sandbox};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = "examples/express-server-v1.yaml";
//! let source = manifest::Source { name: file.to_owned(), bytes: std::fs::read(file)? };
//! let applications = manifest::parse_manifest(&[source])?;
//!
//! let clock = Clock::system();
//! let now = clock.clone();
//! let rules = RulesSource::Given(Vec::new());
//! let now = Arc::new(move || now.now());
//! let sandbox = Sandbox::open(Options { file: None, rules, now, record_history: false })?;
//! let session = Session::new(sandbox.client("default"), clock, Timeouts::default());
//!
//! let context = Context::new(session, "me".to_owned());
//! let requests = apply::requests(&applications, &Overrides::default(), |namespace| namespace.unwrap_or("default"))
//!     .map_err(|failure| failure.reason)?;
//! let outcomes = apply::apply(&context, &requests).await;
//! assert_eq!(outcomes[0].components[0].1, ComponentOutcome::Succeeded { changed: true });
//! # Ok(())
//! # }
//! ```

#![warn(clippy::wildcard_enum_match_arm)]

pub mod cli;
pub mod cluster;
pub mod driver;
pub mod oam;
pub mod ops;
pub mod plan;
pub mod probe;
pub mod report;
#[expect(clippy::wildcard_enum_match_arm, reason = "it matches on JSON values, never on enums of its own")]
pub mod sandbox;
