//! Notifies subscribers of changes by component, so that a change of one component does not wake the others.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tokio::sync::watch;

/// Signals the changes of a cache, by component and for all components.
#[derive(Debug)]
pub struct ChangeSignal {
    all: watch::Sender<u64>,
    /// By component, for those that have subscribers.
    components: RefCell<BTreeMap<String, watch::Sender<u64>>>,
}

impl Default for ChangeSignal {
    fn default() -> Self {
        Self { all: watch::Sender::new(0), components: RefCell::default() }
    }
}

impl ChangeSignal {
    /// Subscribes to every later change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.all.subscribe()
    }

    /// Subscribes to later changes of one component, including those that affect all components.
    #[must_use]
    pub fn subscribe_to(&self, component: &str) -> watch::Receiver<u64> {
        let mut components = self.components.borrow_mut();
        match components.get(component) {
            Some(sender) => sender.subscribe(),
            None => {
                components.entry(component.to_owned()).or_insert_with(|| watch::Sender::new(0)).subscribe()
            }
        }
    }

    /// Signals a change of these components.
    pub fn touch<'a>(&self, components: impl IntoIterator<Item = &'a str>) {
        let senders = self.components.borrow();
        for sender in components.into_iter().filter_map(|component| senders.get(component)) {
            sender.send_modify(|count| *count += 1);
        }
        self.all.send_modify(|count| *count += 1);
    }

    /// Signals a change that affects all components.
    pub fn touch_all(&self) {
        for sender in self.components.borrow().values() {
            sender.send_modify(|count| *count += 1);
        }
        self.all.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_wakes_only_subscribers_of_its_component() {
        let signal = ChangeSignal::default();
        let receivers = || [signal.subscribe_to("web"), signal.subscribe_to("api"), signal.subscribe()];
        type Change = fn(&ChangeSignal);
        let cases: [(Change, [bool; 3]); 4] = [
            (|signal| signal.touch(["web"]), [true, false, true]),
            (|signal| signal.touch(["web", "api"]), [true, true, true]),
            (|signal| signal.touch(["worker"]), [false, false, true]),
            (ChangeSignal::touch_all, [true, true, true]),
        ];
        for (change, expected) in cases {
            let receivers = receivers();
            change(&signal);
            assert_eq!(receivers.map(|receiver| receiver.has_changed().unwrap()), expected);
        }
    }
}
