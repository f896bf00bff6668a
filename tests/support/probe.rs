//! What answers hooks and measurements in tests.

use std::cell::RefCell;
use std::rc::Rc;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use rollout::probe::{Answer, ProbeError, Question, Transport};

type Script = Box<dyn FnMut(&Question) -> Result<Answer, ProbeError>>;

/// Answers by a script, at once, and keeps what it was asked.
pub(crate) struct ScriptedProbe {
    script: RefCell<Script>,
    asked: RefCell<Vec<Question>>,
}

impl ScriptedProbe {
    pub(crate) fn new(script: impl FnMut(&Question) -> Result<Answer, ProbeError> + 'static) -> Rc<Self> {
        Rc::new(Self { script: RefCell::new(Box::new(script)), asked: RefCell::default() })
    }

    /// One to which everything is good: hooks accept, and each value is 0.
    pub(crate) fn good() -> Rc<Self> {
        Self::new(|question| match question {
            Question::Http { .. } => answer(200, ""),
            Question::Exec { .. } => answer(0, "0"),
        })
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Question> {
        self.asked.borrow().clone()
    }
}

impl Transport for ScriptedProbe {
    fn ask(&self, question: Question) -> LocalBoxFuture<'_, Result<Answer, ProbeError>> {
        let answer = (self.script.borrow_mut())(&question);
        self.asked.borrow_mut().push(question);
        async { answer }.boxed_local()
    }
}

pub(crate) fn answer(status: i32, body: &str) -> Result<Answer, ProbeError> {
    Ok(Answer { status, body: body.to_owned(), complaint: String::new() })
}
