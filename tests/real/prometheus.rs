//! A real Prometheus, which scrapes metrics set by tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::real_env::pass;
use crate::support::http_server::HttpServer;
use crate::support::pod_rules;

/// The maximum number of queries for an expected sample: scraping begins after five seconds.
const MAX_LOOKS: usize = 600;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A Prometheus, which ends when this is dropped.
pub(crate) struct Prometheus {
    pub(crate) address: String,
    samples: Arc<Mutex<String>>,
    process: Child,
    _folder: TempDir,
}

impl Prometheus {
    pub(crate) fn start(program: &Path) -> Self {
        let samples: Arc<Mutex<String>> = Arc::default();
        let exported = Arc::clone(&samples);
        let exporter = HttpServer::open(pod_rules::READY, move |_| {
            Some((200, "text/plain; version=0.0.4", exported.lock().unwrap().clone()))
        });
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let scrapes = format!(
            "global: {{scrape_interval: 100ms}}\nscrape_configs: [{{job_name: shop, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]\n",
            exporter.port
        );
        std::fs::write(&config, scrapes).unwrap();
        let mut process = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let listening = lines.find(|line| line.contains("Listening on")).unwrap();
        let address = listening.rsplit("address=").next().unwrap().to_owned();
        // Keeps reading its output, so that it never blocks.
        thread::spawn(move || lines.for_each(drop));
        Self { address, samples, process, _folder: folder }
    }

    /// Sets the value of a metric, and returns once it has been scraped.
    pub(crate) fn set(&self, metric: &str, value: &str) {
        *self.samples.lock().unwrap() = format!("{metric} {value}\n");
        let is_scraped = |_| {
            pass(BETWEEN_LOOKS);
            let answer = get(&self.address, &format!("/api/v1/query?query={metric}"));
            let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
            answer.pointer("/data/result/0/value/1").is_some_and(|found| *found == *value)
        };
        assert!((0..MAX_LOOKS).any(is_scraped), "{metric} is never scraped");
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The body of the response; empty if there is none.
fn get(address: &str, path: &str) -> String {
    let mut answer = String::new();
    let asked = TcpStream::connect(address).and_then(|mut stream| {
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    });
    asked.ok().and_then(|_| Some(answer.split_once("\r\n\r\n")?.1.to_owned())).unwrap_or_default()
}
