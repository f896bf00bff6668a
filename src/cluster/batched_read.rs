//! Batches reads that many components request at about the same time into few requests.
//!
//! One request of a kind is in flight at a time. Reads that arrive in the meantime are part of the next one, so an
//! answer is never older than the read, as if it had its own request.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Formatter};
use std::rc::Rc;

use futures::FutureExt;
use futures::future::{LocalBoxFuture, Shared, WeakShared};
use tokio::sync::Mutex;

use crate::cluster::error::ClusterError;

/// The results of a request, by key.
type Answer<K, V> = Result<Rc<BTreeMap<K, V>>, ClusterError>;
type Request<K, V> = LocalBoxFuture<'static, Answer<K, V>>;

/// Batched reads of one kind.
pub struct BatchedRead<K, V> {
    /// The next request to send. It is dropped when no caller waits for it.
    next: RefCell<Option<Batch<K, V>>>,
    turn: Rc<Mutex<()>>,
}

struct Batch<K, V> {
    /// The keys to read; `None` once the request was sent.
    keys: Rc<RefCell<Option<BTreeSet<K>>>>,
    request: WeakShared<Request<K, V>>,
}

impl<K: Ord + Clone + 'static, V: Clone + 'static> BatchedRead<K, V> {
    /// Reads the value of a key as part of a batch; `None` if it was not found. The first caller provides the request
    /// for all.
    ///
    /// # Errors
    /// The error of the request.
    pub async fn read<F>(
        &self,
        key: K,
        send: impl FnOnce(BTreeSet<K>) -> F + 'static,
    ) -> Result<Option<V>, ClusterError>
    where
        F: Future<Output = Result<BTreeMap<K, V>, ClusterError>> + 'static,
    {
        let request = match self.join(&key) {
            Some(request) => request,
            None => self.begin(key.clone(), send),
        };
        Ok(request.await?.get(&key).cloned())
    }

    fn join(&self, key: &K) -> Option<Shared<Request<K, V>>> {
        let next = self.next.borrow();
        let batch = next.as_ref()?;
        let request = batch.request.upgrade()?;
        batch.keys.borrow_mut().as_mut()?.insert(key.clone());
        Some(request)
    }

    fn begin<F>(&self, key: K, send: impl FnOnce(BTreeSet<K>) -> F + 'static) -> Shared<Request<K, V>>
    where
        F: Future<Output = Result<BTreeMap<K, V>, ClusterError>> + 'static,
    {
        let keys = Rc::new(RefCell::new(Some(BTreeSet::from([key]))));
        let (turn, asked) = (Rc::clone(&self.turn), Rc::clone(&keys));
        let request = async move {
            let _turn = turn.lock().await;
            // Yield while keys are added: components that were woken by the same event call one after another.
            let count = || asked.borrow().as_ref().map_or(0, BTreeSet::len);
            let mut before = 0;
            while before < count() {
                before = count();
                tokio::task::yield_now().await;
            }
            let keys = asked.borrow_mut().take().unwrap_or_default();
            send(keys).await.map(Rc::new)
        };
        let request = request.boxed_local().shared();
        if let Some(weak) = request.downgrade() {
            *self.next.borrow_mut() = Some(Batch { keys, request: weak });
        }
        request
    }
}

impl<K, V> Default for BatchedRead<K, V> {
    fn default() -> Self {
        Self { next: RefCell::new(None), turn: Rc::default() }
    }
}

impl<K, V> Debug for BatchedRead<K, V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchedRead").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use std::cell::Cell;
    use tokio::sync::Notify;

    type Sent = Rc<RefCell<Vec<Vec<u32>>>>;

    /// A server that answers when the test allows it.
    #[derive(Clone, Default)]
    struct Server {
        sent: Sent,
        answered: Rc<Notify>,
        is_quick: Rc<Cell<bool>>,
    }

    impl Server {
        async fn answer(self, keys: BTreeSet<u32>) -> Result<BTreeMap<u32, u32>, ClusterError> {
            self.sent.borrow_mut().push(keys.iter().copied().collect());
            if !self.is_quick.get() {
                self.answered.notified().await;
            }
            Ok(keys.into_iter().map(|key| (key, key * 10)).collect())
        }
    }

    async fn read(reads: &BatchedRead<u32, u32>, server: &Server, key: u32) -> Option<u32> {
        let server = server.clone();
        reads.read(key, move |keys| server.answer(keys)).await.unwrap()
    }

    #[tokio::test]
    async fn simultaneous_reads_share_one_request() {
        let (reads, server) = (BatchedRead::default(), Server::default());
        server.is_quick.set(true);
        let found = join_all((0..30).map(|key| read(&reads, &server, key))).await;
        assert_eq!(found, (0..30).map(|key| Some(key * 10)).collect::<Vec<_>>());
        assert_eq!(server.sent.borrow().len(), 1);
    }

    #[tokio::test]
    async fn reads_during_a_request_are_part_of_the_next_one() {
        let (reads, server) = (BatchedRead::default(), Server::default());
        let first = read(&reads, &server, 1);
        let later = async {
            while server.sent.borrow().is_empty() {
                tokio::task::yield_now().await;
            }
            // The request in flight was sent before these reads.
            let again = join_all([read(&reads, &server, 1), read(&reads, &server, 2)]);
            let answer = async {
                tokio::task::yield_now().await;
                server.is_quick.set(true);
                server.answered.notify_one();
            };
            tokio::join!(again, answer);
        };
        tokio::join!(first, later);
        assert_eq!(*server.sent.borrow(), [vec![1], vec![1, 2]]);
    }

    #[tokio::test]
    async fn a_cancelled_read_does_not_block_later_ones() {
        let (reads, server) = (BatchedRead::default(), Server::default());
        let mut given_up = Box::pin(read(&reads, &server, 1));
        while server.sent.borrow().is_empty() {
            assert!(futures::poll!(&mut given_up).is_pending());
            tokio::task::yield_now().await;
        }
        drop(given_up);
        server.is_quick.set(true);
        assert_eq!(read(&reads, &server, 2).await, Some(20));
        assert_eq!(*server.sent.borrow(), [vec![1], vec![2]]);
    }

    #[tokio::test]
    async fn cancelling_the_first_read_does_not_cancel_the_others() {
        let (reads, server) = (BatchedRead::default(), Server::default());
        server.is_quick.set(true);
        let mut first = Box::pin(read(&reads, &server, 1));
        let mut second = Box::pin(read(&reads, &server, 2));
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(second.await, Some(20));
        assert_eq!(*server.sent.borrow(), [vec![1, 2]]);
    }
}
