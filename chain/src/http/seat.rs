//! Which connections wait for a request. When there is no room for a new one, the one that has waited longest makes room: so
//! peers that open connections and say nothing only push out each other.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;

/// The connections that wait for a request, in the order in which they began to.
#[derive(Default)]
pub(super) struct Hall {
    waiting: Mutex<Waiting>,
    entered: Notify,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    seats: BTreeMap<u64, Arc<Notify>>,
}

impl Hall {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that is done under the lock panics.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the connection that has waited longest to go. Gives whether there was one.
    pub(super) fn dismiss_oldest(&self) -> bool {
        let oldest = self.waiting().seats.pop_first();
        oldest.inspect(|(_, dismissed)| dismissed.notify_one()).is_some()
    }

    /// Waits until a connection has begun to wait since the last call.
    pub(super) async fn entered(&self) {
        self.entered.notified().await;
    }
}

/// One connection's place, from its opening to its end.
pub(super) struct Seat {
    hall: Arc<Hall>,
    dismissed: Arc<Notify>,
    /// Its number while it waits.
    number: Mutex<Option<u64>>,
}

impl Seat {
    /// The place of a connection that was just opened, and waits.
    pub(super) fn take(hall: &Arc<Hall>) -> Arc<Self> {
        let seat = Self { hall: hall.clone(), dismissed: Arc::default(), number: Mutex::new(None) };
        seat.wait();
        Arc::new(seat)
    }

    fn number(&self) -> MutexGuard<'_, Option<u64>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection waits for a request, from now on.
    fn wait(&self) {
        let mut waiting = self.hall.waiting();
        waiting.next += 1;
        let number = waiting.next;
        waiting.seats.insert(number, self.dismissed.clone());
        drop(waiting);
        *self.number() = Some(number);
        self.hall.entered.notify_one();
    }

    /// A request has come. Gives whether it can be served: not once the connection was told to go.
    pub(super) fn begin(&self) -> bool {
        let number = self.number().take();
        number.is_some_and(|number| self.hall.waiting().seats.remove(&number).is_some())
    }

    /// Waits until the connection is told to go.
    pub(super) async fn dismissed(&self) {
        self.dismissed.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.begin();
    }
}

/// The body of an answer. When the connection has all of it, it counts as waiting for the next request, after all others that wait:
/// should it be told to go before its peer has read the rest, there were none.
pub(super) struct Answer {
    body: Body,
    seat: Arc<Seat>,
}

impl Answer {
    pub(super) fn new(body: Body, seat: Arc<Seat>) -> Self {
        Self { body, seat }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.seat.wait();
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
