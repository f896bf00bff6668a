//! Rules for the kubelet of a sandbox: which pods become ready, how soon, and how the others fail.

/// All pods are ready practically at once.
pub(crate) const READY: &str = "- {image: '*', readyAfter: 20ms}\n";

/// All pods are ready after some time.
pub(crate) fn ready_after(time: &str) -> String {
    slow("*", time)
}

/// Pods with such an image are ready after some time; all others at once.
pub(crate) fn slow(image: &str, time: &str) -> String {
    format!("- {{image: '{image}', readyAfter: {time}}}\n{READY}")
}

/// Pods with such an image fail; all others are ready at once.
pub(crate) fn failing(image: &str, failure: &str) -> String {
    format!("- {{image: '{image}', fail: {failure}}}\n{READY}")
}
