//! Questions that are really asked.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::rc::Rc;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use kube::{Client, Config};
use tokio::process::Command;

use crate::oam::batch_gates::{Header, HeaderValue};
use crate::probe::{Answer, ProbeError, Question, Transport};

/// The most that an answer may say, in bytes.
const MOST_BYTES: usize = 1024 * 1024;

/// Looks up a variable of the environment.
pub type Environment = Rc<dyn Fn(&str) -> Option<String>>;

/// Asks over HTTP, and by running commands.
pub struct LiveProbe {
    environment: Environment,
    /// By scheme, host and port.
    clients: RefCell<BTreeMap<String, Client>>,
}

impl Default for LiveProbe {
    /// One that knows no variables.
    fn default() -> Self {
        Self::new(Rc::new(|_| None))
    }
}

impl Transport for LiveProbe {
    fn ask(&self, question: Question) -> LocalBoxFuture<'_, Result<Answer, ProbeError>> {
        match question {
            Question::Http { method, url, headers, body, reads_body } => async move {
                let response = self.request(&method, &url, &headers, body).await?;
                let status = i32::from(response.status().as_u16());
                let body = if reads_body { text(response.into_body()).await? } else { String::new() };
                Ok(Answer { status, body, complaint: String::new() })
            }
            .boxed_local(),
            Question::Exec { command } => async move { run(&command).await }.boxed_local(),
        }
    }
}

impl LiveProbe {
    /// One that looks up variables here.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self { environment, clients: RefCell::default() }
    }

    async fn request(
        &self,
        method: &str,
        url: &str,
        headers: &[Header],
        body: Option<String>,
    ) -> Result<Response<Body>, ProbeError> {
        let address: Uri =
            url.parse().map_err(|error| ProbeError(format!("`{url}` is not a valid address: {error}")))?;
        let path = address.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let client = self.client(&address)?;
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(http::header::CONTENT_TYPE, "application/json");
        }
        for Header { key, value } in headers {
            request = request.header(key, self.header_value(key, value)?);
        }
        let request = request
            .body(Body::from(body.unwrap_or_default().into_bytes()))
            .map_err(|error| ProbeError(error.to_string()))?;
        client.send(request).await.map_err(|error| ProbeError(cause(&error)))
    }

    fn client(&self, address: &Uri) -> Result<Client, ProbeError> {
        let mut origin = address.clone().into_parts();
        origin.path_and_query = None;
        let origin = format!(
            "{}://{}",
            origin.scheme.map(|scheme| scheme.to_string()).unwrap_or_default(),
            origin.authority.map(|authority| authority.to_string()).unwrap_or_default(),
        );
        if let Some(client) = self.clients.borrow().get(&origin) {
            return Ok(client.clone());
        }
        let root: Uri = origin
            .parse()
            .map_err(|error| ProbeError(format!("`{origin}` is not a valid address: {error}")))?;
        let mut config = Config::new(root);
        // Who asks decides what is tried again.
        config.default_retry = false;
        let client = Client::try_from(config).map_err(|error| ProbeError(cause(&error)))?;
        self.clients.borrow_mut().insert(origin, client.clone());
        Ok(client)
    }

    fn header_value(&self, key: &str, value: &HeaderValue) -> Result<http::HeaderValue, ProbeError> {
        let text = match value {
            HeaderValue::Text(text) => text.clone(),
            HeaderValue::Env(name) => (self.environment)(name)
                .ok_or_else(|| ProbeError(format!("header `{key}`: variable `{name}` is not set")))?,
            HeaderValue::File(path) => std::fs::read_to_string(path)
                .map_err(|error| ProbeError(format!("header `{key}`: `{path}` cannot be read: {error}")))?,
        };
        let mut value: http::HeaderValue = text
            .trim()
            .parse()
            .map_err(|_| ProbeError(format!("header `{key}`: its value cannot be sent in a header")))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// The innermost cause of an error, which says more than what wraps it.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

async fn text(body: Body) -> Result<String, ProbeError> {
    let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return ProbeError("its answer is larger than 1 MiB".to_owned());
        }
        ProbeError(format!("its answer broke off: {error}"))
    })?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

async fn run(command: &[String]) -> Result<Answer, ProbeError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(ProbeError("no command is given".to_owned()));
    };
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| ProbeError(format!("`{program}` cannot be run: {error}")))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    Ok(Answer {
        status: output.status.code().unwrap_or(-1),
        body: String::from_utf8_lossy(&output.stdout).into_owned(),
        complaint: complaint.lines().last().unwrap_or_default().to_owned(),
    })
}
