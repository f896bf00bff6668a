//! An API server on a local port: a sandbox behind HTTP, with responses that a test can replace.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread;

use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use rollout::cluster::clock::Clock;
use rollout::sandbox::rules::parse_rules;
use rollout::sandbox::{Options, RulesSource, Sandbox};
use tokio::net::{TcpListener, TcpStream};

/// A received request.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedRequest {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

/// A response that replaces the sandbox's: code, content type, body.
pub(crate) type Answer = (u16, &'static str, String);

type Meddle = Arc<dyn Fn(&ReceivedRequest) -> Option<Answer> + Send + Sync>;

/// A server that lives as long as the test's process.
pub(crate) struct HttpServer {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<ReceivedRequest>>>,
}

impl HttpServer {
    /// Serves a sandbox whose pods follow these rules; responses of `meddle` replace those of the sandbox.
    pub(crate) fn open(
        rules: &str,
        meddle: impl Fn(&ReceivedRequest) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (noted, meddle, rules) = (asked.clone(), Arc::new(meddle), rules.to_owned());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, &rules, meddle, noted));
        });
        Self { port, asked }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn asked(&self) -> Vec<ReceivedRequest> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    listener: std::net::TcpListener,
    rules: &str,
    meddle: Meddle,
    noted: Arc<Mutex<Vec<ReceivedRequest>>>,
) {
    let clock = Clock::system();
    let options = Options {
        file: None,
        rules: RulesSource::Given(parse_rules("rules", rules).unwrap()),
        now: Arc::new(move || clock.now()),
        record_history: false,
    };
    let sandbox = Sandbox::open(options).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (client, meddle, noted) = (sandbox.client("default"), meddle.clone(), noted.clone());
        // Errors are ignored: the client may go away in the middle of a response.
        tokio::spawn(async move { drop(answer(&stream, &client, &*meddle, &noted).await) });
    }
}

async fn answer(
    stream: &TcpStream,
    client: &Client,
    meddle: &(dyn Fn(&ReceivedRequest) -> Option<Answer> + Send + Sync),
    noted: &Mutex<Vec<ReceivedRequest>>,
) -> io::Result<()> {
    let Some(request) = read(stream).await? else { return Ok(()) };
    let (parts, body) = request.into_parts();
    let asked = ReceivedRequest {
        method: parts.method.clone(),
        uri: parts.uri.clone(),
        headers: parts.headers.clone(),
    };
    noted.lock().unwrap().push(asked.clone());
    let response = match meddle(&asked) {
        Some((code, kind, text)) => {
            let response = Response::builder().status(code).header("content-type", kind);
            response.body(Body::from(text.into_bytes())).unwrap()
        }
        None => client.send(Request::from_parts(parts, Body::from(body))).await.map_err(io::Error::other)?,
    };
    let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", response.status());
    for (name, value) in response.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    head.push_str("\r\n");
    write(stream, head.as_bytes()).await?;
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(io::Error::other)?;
        write(stream, frame.data_ref().map_or(&[], |data| data)).await?;
    }
    Ok(())
}

/// A whole request; `None` if the client went away, or uses another protocol.
async fn read(stream: &TcpStream) -> io::Result<Option<Request<Vec<u8>>>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        // TLS does not begin with a letter.
        if !more(stream, &mut bytes).await? || !bytes[0].is_ascii_alphabetic() {
            return Ok(None);
        }
    };
    let Ok(head) = String::from_utf8(bytes[..end].to_vec()) else { return Ok(None) };
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    let length =
        request.headers_ref().and_then(|headers| headers.get("content-length")?.to_str().ok()?.parse().ok());
    let length: usize = length.unwrap_or(0);
    while bytes.len() < end + 4 + length {
        if !more(stream, &mut bytes).await? {
            return Ok(None);
        }
    }
    Ok(request.body(bytes.split_off(end + 4)).ok())
}

/// Reads more; `false` at the end.
async fn more(stream: &TcpStream, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 4096];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => {
                let read = read?;
                bytes.extend_from_slice(&piece[..read]);
                return Ok(read > 0);
            }
        }
    }
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => bytes = &bytes[written?..],
        }
    }
    Ok(())
}
