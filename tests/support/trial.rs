//! Generated tests, which report the case that failed.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use libtest_mimic::{Failed, Trial};
use tokio::runtime::Builder;

thread_local! {
    /// The current case of this thread's trial; `None` if the built-in harness runs a test.
    static CASE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Sets the current case, which is printed if the test fails.
#[allow(clippy::print_stdout, reason = "the built-in harness shows it when the test fails")]
pub(crate) fn case(what: &str) {
    CASE.with_borrow_mut(|case| match case {
        Some(case) => what.clone_into(case),
        None => println!("{what}"),
    });
}

/// A test with paused time. A failure prints its case.
pub(crate) fn trial(name: String, body: impl AsyncFnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        CASE.set(Some(String::new()));
        catch_unwind(AssertUnwindSafe(|| in_paused_time(body()))).map_err(|panic| {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
            Failed::from(format!("{}\n{message}", CASE.take().unwrap_or_default()))
        })
    })
}

/// Runs a future on paused time, which advances when all tasks wait.
pub(crate) fn in_paused_time<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}
