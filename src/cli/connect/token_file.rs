//! Tokens in files: of a pod's service account, or named by a kubeconfig's `tokenFile`.
//!
//! Tokens are renewed by rewriting their file, so it is read for each request. kube's own reader keeps the trailing
//! newline in the token, which is then not a valid header value.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{AUTHORIZATION, HeaderValue};
use http::{HeaderMap, Request};

/// A token in a file.
#[derive(Clone)]
pub struct TokenFile {
    path: PathBuf,
    /// The token that was last read: some tools remove the file once the process has started.
    last: Arc<Mutex<Option<HeaderValue>>>,
}

impl TokenFile {
    /// Reads the file for the first time.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or does not contain a token.
    pub fn open(path: PathBuf) -> anyhow::Result<Self> {
        let text = fs::read_to_string(&path)?;
        let header = header(&text)?;
        Ok(Self { path, last: Arc::new(Mutex::new(Some(header))) })
    }

    /// Adds the token to a request.
    pub fn authorise<B>(&self, mut request: Request<B>) -> Request<B> {
        self.put(request.headers_mut());
        request
    }

    fn put(&self, headers: &mut HeaderMap) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(text) = fs::read_to_string(&self.path)
            && let Ok(header) = header(&text)
        {
            *last = Some(header);
        }
        if let Some(header) = &*last {
            headers.insert(AUTHORIZATION, header.clone());
        }
    }
}

fn header(text: &str) -> anyhow::Result<HeaderValue> {
    let token = text.trim();
    anyhow::ensure!(!token.is_empty(), "it is empty");
    let mut header = HeaderValue::from_str(&format!("Bearer {token}"))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(file: &TokenFile) -> String {
        let request = file.authorise(Request::new(()));
        request.headers()[AUTHORIZATION].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_token_is_reread_and_trimmed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "one\n").unwrap();
        let file = TokenFile::open(path.clone()).unwrap();
        assert_eq!(sent(&file), "Bearer one");
        fs::write(&path, "two\r\n").unwrap();
        assert_eq!(sent(&file), "Bearer two");
        fs::remove_file(&path).unwrap();
        assert_eq!(sent(&file), "Bearer two");
    }

    #[test]
    fn invalid_tokens_are_rejected() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for text in ["", "\n", "a\u{1}b"] {
            fs::write(&path, text).unwrap();
            assert!(TokenFile::open(path.clone()).is_err(), "{text:?}");
        }
    }
}
