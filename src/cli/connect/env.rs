//! The environment of every command that talks to an API: the connection, and the context of operations over it.

use std::rc::Rc;
use std::time::Duration;

use crate::cli::connect::client::{self, Access, Connection};
use crate::cli::failure::CommandError;
use crate::cli::flags::args::GlobalArgs;
use crate::cli::selection;
use crate::cli::terminal::ui::Ui;
use crate::cluster::clock::Clock;
use crate::cluster::session::{Session, Timeouts};
use crate::ops::Context;
use crate::ops::component::ComponentSelector;
use crate::probe::{LiveProbe, Probe};

/// A command's environment.
pub struct Env {
    /// The connection to the API.
    pub connection: Connection,
    /// The context of read-only operations, which reports nothing.
    pub context: Context,
}

impl Env {
    /// Connects to the cluster that the flags select. Sends nothing.
    ///
    /// # Errors
    ///
    /// If the client cannot be built.
    pub async fn open(global: &GlobalArgs, access: Access, ui: &mut Ui) -> Result<Self, CommandError> {
        let only = selection::only(global)?;
        if selection::is_fleet(global) {
            // kubectl does not know the fleet's file.
            ui.set_flags(ui.flags().in_cluster(&only));
        }
        Self::open_with(&only, access, None, ui).await
    }

    /// Connects to the one cluster that the flags select, with the given clock if there is one. Sends nothing.
    ///
    /// # Errors
    ///
    /// If the client cannot be built.
    pub async fn open_with(
        global: &GlobalArgs,
        access: Access,
        clock: Option<Clock>,
        ui: &mut Ui,
    ) -> Result<Self, CommandError> {
        let clock = clock.unwrap_or_else(Clock::system);
        let connection = client::connect(global, access, &clock, ui).await?;
        let request = connection.request_timeout.unwrap_or(Duration::ZERO);
        let patience = Timeouts { request, ..Timeouts::default() };
        let session = Session::seeded(fastrand::u64(..), connection.client.clone(), clock, patience)
            .with_server(connection.server.clone())
            .with_most_requests(global.max_requests);
        let identity = global.identity.clone().unwrap_or_else(default_identity);
        let probe: Rc<dyn Probe> = Rc::new(LiveProbe::new(Rc::new(variable)));
        Ok(Self { connection, context: Context { probe: Some(probe), ..Context::new(session, identity) } })
    }

    /// The namespace of names that do not specify one.
    pub fn namespace(&self) -> &str {
        self.connection.namespaces.resolve(None)
    }

    /// The namespace of an object whose manifest may specify one.
    pub fn resolve<'a>(&'a self, manifest: Option<&'a str>) -> &'a str {
        self.connection.namespaces.resolve(manifest)
    }

    /// The component that an argument selects.
    pub fn component(&self, name: Option<&str>) -> ComponentSelector {
        ComponentSelector { namespace: self.namespace().to_owned(), name: name.map(str::to_owned) }
    }
}

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// User, host and process: unique to the run, and readable to the users who wait for it.
fn default_identity() -> String {
    let user = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "someone".to_owned());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}/{}", std::process::id())
}
