//! The probe that answers hooks and measurements in tests.

use std::cell::RefCell;
use std::rc::Rc;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use rollout::oam::batch_gates::Header;
use rollout::probe::{ProbeError, ProbeRequest, ProbeResponse, Transport};

type Script = Box<dyn FnMut(&ProbeRequest) -> Result<ProbeResponse, ProbeError>>;

/// Answers at once by a script, and records the requests.
pub(crate) struct ScriptedProbe {
    script: RefCell<Script>,
    asked: RefCell<Vec<ProbeRequest>>,
    lacks_programs: bool,
}

impl ScriptedProbe {
    pub(crate) fn new(
        script: impl FnMut(&ProbeRequest) -> Result<ProbeResponse, ProbeError> + 'static,
    ) -> Rc<Self> {
        Self::on_machine(script, false)
    }

    /// A probe on a machine that may lack every program.
    pub(crate) fn on_machine(
        script: impl FnMut(&ProbeRequest) -> Result<ProbeResponse, ProbeError> + 'static,
        lacks_programs: bool,
    ) -> Rc<Self> {
        let script = RefCell::new(Box::new(script) as Script);
        Rc::new(Self { script, asked: RefCell::default(), lacks_programs })
    }

    /// A probe whose hooks all succeed and whose values are all 0.
    pub(crate) fn good() -> Rc<Self> {
        Self::new(|request| match request {
            ProbeRequest::Http { .. } => answer(200, ""),
            ProbeRequest::Exec { .. } => answer(0, "0"),
        })
    }

    /// The requests so far.
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

    fn look_up(&self, _: &[Header], program: Option<&str>) -> Result<(), ProbeError> {
        match program.filter(|_| self.lacks_programs) {
            Some(program) => Err(ProbeError(format!("command `{program}` does not exist"))),
            None => Ok(()),
        }
    }
}

/// The reason that stands for never answering.
const NEVER: &str = "never";

pub(crate) fn never() -> Result<ProbeResponse, ProbeError> {
    Err(ProbeError(NEVER.to_owned()))
}

pub(crate) fn answer(status: i32, body: &str) -> Result<ProbeResponse, ProbeError> {
    Ok(ProbeResponse { status, body: body.to_owned(), stderr: String::new() })
}
