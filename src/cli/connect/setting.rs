//! What every command that talks to an API needs: the session, and who it says it is.

use std::time::Duration;

use crate::cli::connect::client::{self, Connection};
use crate::cli::failure::{Failure, Kind};
use crate::cli::flags::args::GlobalArgs;
use crate::cli::terminal::ui::Ui;
use crate::cluster::clock::Clock;
use crate::cluster::error::ClusterError;
use crate::cluster::session::{Session, Timeouts};

/// A command's surroundings.
pub struct Setting {
    /// The way to the API.
    pub connection: Connection,
    /// The talk over it.
    pub session: Session,
    /// The name that this process goes by.
    pub identity: String,
}

/// Connects as the flags say. Sends nothing.
///
/// # Errors
///
/// Whatever keeps a client from being made.
pub async fn open(global: &GlobalArgs, access: client::Access, ui: &mut Ui) -> Result<Setting, Failure> {
    let clock = Clock::system();
    let connection = client::connect(global, access, &clock, ui).await?;
    let identity = global.identity.clone().unwrap_or_else(default_identity);
    Ok(Setting::over(connection, clock, identity))
}

impl Setting {
    /// Surroundings over a connection that there is.
    pub fn over(connection: Connection, clock: Clock, identity: String) -> Self {
        let timeouts =
            Timeouts { request: connection.request_timeout.unwrap_or(Duration::ZERO), ..Timeouts::default() };
        let session = Session::seeded(fastrand::u64(..), connection.client.clone(), clock, timeouts)
            .with_server(connection.server.clone());
        Self { connection, session, identity }
    }
}

/// User, host and process: different for every run, and telling for whoever waits for it.
fn default_identity() -> String {
    #[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "someone".to_owned());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}/{}", std::process::id())
}

/// A request of the command's own that failed.
pub fn unreachable(error: ClusterError) -> Failure {
    let hint = match &error {
        ClusterError::Forbidden(_) => {
            Some("request the missing permission, or use another `--context` or `--user`")
        }
        error => error.hint(),
    };
    let kind = if matches!(error, ClusterError::Forbidden(_)) { Kind::Refused } else { Kind::Cluster };
    let failure = Failure::new(kind, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
