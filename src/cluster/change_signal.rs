//! Wakes those whom a change is about: what one component waits for does not wake the others.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tokio::sync::watch;

/// Changes of a cache, of each component and of all.
#[derive(Debug)]
pub struct ChangeSignal {
    all: watch::Sender<u64>,
    /// By component, as far as somebody waits for it.
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

    /// Subscribes to the later changes of one component, and to those that are about all.
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

    /// Takes note of a change of these components.
    pub fn touch<'a>(&self, components: impl IntoIterator<Item = &'a str>) {
        let senders = self.components.borrow();
        for sender in components.into_iter().filter_map(|component| senders.get(component)) {
            sender.send_modify(|count| *count += 1);
        }
        self.all.send_modify(|count| *count += 1);
    }

    /// Takes note of a change that is about all components.
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
    fn a_change_wakes_those_that_it_is_about() {
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
