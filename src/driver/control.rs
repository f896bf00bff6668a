//! Stopping a run from outside it. Signals are turned into this by the command line.

use tokio::sync::watch;

/// Asks runs to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears whether to stop.
#[derive(Debug, Clone)]
pub struct Control(watch::Receiver<bool>);

/// A stopper and the control that hears it.
#[must_use]
pub fn control() -> (Stopper, Control) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Control(receiver))
}

impl Stopper {
    /// Asks to stop after the write in flight.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Control {
    /// Whether to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// The bare signal, for those who know nothing of runs.
    #[must_use]
    pub fn receiver(&self) -> watch::Receiver<bool> {
        self.0.clone()
    }

    /// Waits until asked to stop; for ever once the stopper is dropped.
    pub async fn stopped(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|is_stopped| *is_stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
