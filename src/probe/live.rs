//! Sends requests over HTTP, and runs commands.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use kube::{Client, Config};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::oam::batch_gates::{Header, HeaderValue, placeholders};
use crate::probe::{ProbeError, ProbeRequest, ProbeResponse, Transport};

/// The maximum size of an answer, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// How much of the end of a command's stderr is kept, in bytes; its last line is printed.
const STDERR_BYTES: usize = 64 * 1024;

/// Looks up an environment variable.
pub type Environment = Rc<dyn Fn(&str) -> Option<String>>;

/// A probe that sends requests over HTTP and runs commands.
pub struct LiveProbe {
    environment: Environment,
    /// Clients by scheme, host and port.
    clients: RefCell<BTreeMap<String, Client>>,
}

impl Default for LiveProbe {
    /// A probe without environment variables.
    fn default() -> Self {
        Self::new(Rc::new(|_| None))
    }
}

impl Transport for LiveProbe {
    fn send(&self, request: ProbeRequest) -> LocalBoxFuture<'_, Result<ProbeResponse, ProbeError>> {
        match request {
            ProbeRequest::Http { method, url, headers, body, reads_body } => async move {
                let response = self.request(&method, &url, &headers, body).await?;
                let status = i32::from(response.status().as_u16());
                let body = if reads_body { text(response.into_body()).await? } else { String::new() };
                Ok(ProbeResponse { status, body, stderr: String::new() })
            }
            .boxed_local(),
            ProbeRequest::Exec { command } => async move { run(&command).await }.boxed_local(),
        }
    }

    fn look_up(&self, headers: &[Header], program: Option<&str>) -> Result<(), ProbeError> {
        for Header { key, value } in headers {
            // A pipe can be read only once.
            let is_pipe = matches!(value, HeaderValue::File(path) if std::fs::metadata(path).is_ok_and(|file| !file.is_file()));
            if !is_pipe {
                self.header_value(key, value)?;
            }
        }
        // A placeholder is filled in when the command runs.
        match program.filter(|program| placeholders(program).next().is_none()) {
            Some(program) => self.find_program(program),
            None => Ok(()),
        }
    }
}

impl LiveProbe {
    /// A probe that looks up variables in `environment`.
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
        // The caller decides what to retry.
        config.default_retry = false;
        let client = Client::try_from(config).map_err(|error| ProbeError(cause(&error)))?;
        self.clients.borrow_mut().insert(origin, client.clone());
        Ok(client)
    }

    /// Finds the program of a command as the system does when it starts the command.
    fn find_program(&self, program: &str) -> Result<(), ProbeError> {
        let is_executable = |path: &Path| {
            path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        if program.contains('/') {
            let reason = || ProbeError(format!("`{program}` is not an executable file"));
            return is_executable(Path::new(program)).then_some(()).ok_or_else(reason);
        }
        let Some(path) = (self.environment)("PATH") else { return Ok(()) };
        let is_found = path.split(':').any(|directory| is_executable(&Path::new(directory).join(program)));
        let reason = || ProbeError(format!("command `{program}` is not in `PATH`"));
        is_found.then_some(()).ok_or_else(reason)
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

/// The innermost cause of an error, which is more specific than the outer ones.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

async fn text(body: Body) -> Result<String, ProbeError> {
    let body = Limited::new(body, MAX_BYTES).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return ProbeError("its answer is larger than 1 MiB".to_owned());
        }
        ProbeError(format!("its response was cut off: {error}"))
    })?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

/// Runs a command. If the future is dropped before the end, the command is killed with all processes that it has
/// started.
async fn run(command: &[String]) -> Result<ProbeResponse, ProbeError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(ProbeError("no command is given".to_owned()));
    };
    let failed = |error: io::Error| ProbeError(format!("`{program}` cannot be run: {error}"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let group = ProcessGroup(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let output = async {
        let mut output = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(MAX_BYTES as u64 + 1).read_to_end(&mut output).await.map_err(failed)?;
        }
        match output.len() <= MAX_BYTES {
            true => Ok(output),
            false => Err(ProbeError(format!("`{program}` printed more than 1 MiB"))),
        }
    };
    let stderr = async {
        match stderr {
            Some(stderr) => read_end(stderr).await.map_err(failed),
            None => Ok(Vec::new()),
        }
    };
    let (output, stderr) = tokio::try_join!(output, stderr)?;
    let status = child.wait().await.map_err(failed)?;
    group.has_ended();
    Ok(ProbeResponse {
        status: status.code().unwrap_or(-1),
        body: String::from_utf8_lossy(&output).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).lines().last().unwrap_or_default().to_owned(),
    })
}

/// Reads a stream to its end, and keeps only its last part.
async fn read_end(mut stream: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut end = Vec::new();
    while stream.read_buf(&mut end).await? > 0 {
        if end.len() > 2 * STDERR_BYTES {
            end.drain(..end.len() - STDERR_BYTES);
        }
    }
    Ok(end)
}

/// The process group of a command that was not waited for yet, so that its ID cannot have been reused. Dropping it
/// kills the processes.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// Records that the command was waited for.
    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // The command may have ended by itself.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{BufRead as _, BufReader};

    use super::*;

    fn shell(script: &str) -> ProbeRequest {
        ProbeRequest::Exec { command: ["sh", "-c", script].map(str::to_owned).to_vec() }
    }

    #[tokio::test]
    async fn a_command_answers_with_its_output_and_exit_code() {
        let answer =
            LiveProbe::default().send(shell("echo 4; echo a >&2; echo b >&2; exit 3")).await.unwrap();
        assert_eq!(answer, ProbeResponse { status: 3, body: "4\n".to_owned(), stderr: "b".to_owned() });
    }

    #[tokio::test]
    async fn the_output_of_a_command_is_limited() {
        let error = LiveProbe::default().send(shell("yes")).await.unwrap_err();
        assert_eq!(error.to_string(), "`sh` printed more than 1 MiB");
        let chatty = shell("yes | head -c 4000000 >&2; echo last >&2; echo 1");
        let answer = LiveProbe::default().send(chatty).await.unwrap();
        assert_eq!((answer.body.as_str(), answer.stderr.as_str()), ("1\n", "last"));
    }

    #[test]
    fn programs_are_found_as_the_system_finds_them() {
        let probe = LiveProbe::new(Rc::new(|name| (name == "PATH").then(|| "/absent:/bin".to_owned())));
        let of =
            |program| Transport::look_up(&probe, &[], Some(program)).map_err(|missing| missing.to_string());
        for found in ["sh", "/bin/sh", "{{component}}"] {
            assert_eq!(of(found), Ok(()), "{found}");
        }
        assert_eq!(of("no-such-program"), Err("command `no-such-program` is not in `PATH`".to_owned()));
        for path in ["/bin", "/etc/passwd", "./no-such-program"] {
            assert_eq!(of(path), Err(format!("`{path}` is not an executable file")));
        }
    }

    #[tokio::test]
    async fn dropping_the_future_kills_the_command_and_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let later = "(sleep 20; echo late >&3) & echo started >&3; wait";
        let probe = LiveProbe::default();
        let answer = probe.send(shell(&format!("exec 3> '{}'; {later}", pipe.display())));
        let (started, is_started) = tokio::sync::oneshot::channel();
        // It reads until all processes have closed the pipe.
        let reader = tokio::task::spawn_blocking(move || {
            let mut lines = BufReader::new(File::open(pipe).unwrap()).lines().map(Result::unwrap);
            started.send(lines.next()).unwrap();
            lines.collect::<Vec<_>>()
        });
        tokio::select! {
            _ = answer => panic!("it runs for longer"),
            line = is_started => assert_eq!(line.unwrap().as_deref(), Some("started")),
        }
        assert_eq!(reader.await.unwrap(), Vec::<String>::new());
    }
}
