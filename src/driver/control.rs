//! Stops a run from outside. The command line maps signals to it.

use tokio::sync::watch;

/// Requests runs to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Tells a run whether to stop.
#[derive(Debug, Clone)]
pub struct Control(watch::Receiver<bool>);

/// A stopper and the control that it stops.
#[must_use]
pub fn control() -> (Stopper, Control) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Control(receiver))
}

impl Stopper {
    /// Requests a stop after the write in flight.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Control {
    /// Whether a stop was requested.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// The underlying signal, for code that does not know runs.
    #[must_use]
    pub fn receiver(&self) -> watch::Receiver<bool> {
        self.0.clone()
    }

    /// Waits until a stop is requested; forever once the stopper is dropped.
    pub async fn stopped(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|is_stopped| *is_stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
