//! What answers hooks and measurements in tests.

use std::cell::RefCell;
use std::rc::Rc;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use rollout::probe::{ProbeError, ProbeRequest, ProbeResponse, Transport};

type Script = Box<dyn FnMut(&ProbeRequest) -> Result<ProbeResponse, ProbeError>>;

/// Answers by a script, at once, and keeps what it was asked.
pub(crate) struct ScriptedProbe {
    script: RefCell<Script>,
    asked: RefCell<Vec<ProbeRequest>>,
}

impl ScriptedProbe {
    pub(crate) fn new(
        script: impl FnMut(&ProbeRequest) -> Result<ProbeResponse, ProbeError> + 'static,
    ) -> Rc<Self> {
        Rc::new(Self { script: RefCell::new(Box::new(script)), asked: RefCell::default() })
    }

    /// One to which everything is good: hooks accept, and each value is 0.
    pub(crate) fn good() -> Rc<Self> {
        Self::new(|request| match request {
            ProbeRequest::Http { .. } => answer(200, ""),
            ProbeRequest::Exec { .. } => answer(0, "0"),
        })
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<ProbeRequest> {
        self.asked.borrow().clone()
    }
}

impl Transport for ScriptedProbe {
    fn send(&self, request: ProbeRequest) -> LocalBoxFuture<'_, Result<ProbeResponse, ProbeError>> {
        let answer = (self.script.borrow_mut())(&request);
        self.asked.borrow_mut().push(request);
        match answer {
            Err(ProbeError(reason)) if reason == NEVER => std::future::pending().boxed_local(),
            answer => async { answer }.boxed_local(),
        }
    }
}

/// The reason that stands for no answer at all, however long it is waited for.
const NEVER: &str = "never";

pub(crate) fn never() -> Result<ProbeResponse, ProbeError> {
    Err(ProbeError(NEVER.to_owned()))
}

pub(crate) fn answer(status: i32, body: &str) -> Result<ProbeResponse, ProbeError> {
    Ok(ProbeResponse { status, body: body.to_owned(), stderr: String::new() })
}
