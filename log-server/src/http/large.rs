//! Large answers take room until they are sent: a client that reads slowly must not make the log hold any number of them.
//!
//! The room is taken when the answer is there and given back with its last byte. Who finds none is told at once; waiting
//! would hold the answer in memory all the same.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};
use proto::code::Code;
use service::caps::client_key;
use service::client_addr::ClientAddr;
use service::problem::Problem;

use super::app::App;

/// Answers up to this size take no room: with 4,096 connections they are 256 MiB at most, which the cap on connections
/// bounds already. Tiles, single claims and usual pages are smaller.
const SMALL_BYTES: u64 = 64 * 1024;

/// When who found no room should come again: usual readers have an answer within seconds.
const RETRY: Duration = Duration::from_secs(5);

/// Bytes of large answers that are being sent.
#[derive(Debug, Clone, Copy)]
pub struct LargeLimits {
    /// Of all clients together.
    pub bytes: u64,
    /// Of one address (IPv6: of one /64); one answer it always gets.
    pub bytes_per_address: u64,
}

impl Default for LargeLimits {
    /// A quarter of a GiB, which is fifty of the largest pages; an eighth of it for one address, which is a hundred usual
    /// bundles at once.
    fn default() -> LargeLimits {
        LargeLimits { bytes: 256 << 20, bytes_per_address: 32 << 20 }
    }
}

/// What is being sent. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct LargeAnswers {
    limits: LargeLimits,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: u64,
    by_address: HashMap<IpAddr, u64>,
}

/// Room for one answer, until it is dropped.
#[derive(Debug)]
struct Room {
    held: Arc<Mutex<Held>>,
    address: IpAddr,
    bytes: u64,
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LargeAnswers {
    pub(super) fn new(limits: LargeLimits) -> LargeAnswers {
        LargeAnswers { limits, held: Arc::default() }
    }

    fn take(&self, address: IpAddr, bytes: u64) -> Result<Room, Problem> {
        let address = client_key(address);
        let mut held = lock(&self.held);
        let own = held.by_address.get(&address).copied().unwrap_or(0);
        if own > 0 && own + bytes > self.limits.bytes_per_address {
            let detail = "This address has more large answers under way than it reads; read them first.";
            return Err(Problem::new(Code::LimitAddress, detail).retry_after(RETRY));
        }
        // One that is larger than all the room goes alone.
        if held.bytes > 0 && held.bytes + bytes > self.limits.bytes {
            let detail =
                "The log is sending as many large answers as it has room for; ask again, or for a smaller page.";
            return Err(Problem::new(Code::QueueFull, detail).retry_after(RETRY));
        }
        held.bytes += bytes;
        held.by_address.insert(address, own + bytes);
        drop(held);
        Ok(Room { held: self.held.clone(), address, bytes })
    }

    #[cfg(test)]
    fn bytes(&self) -> (u64, usize) {
        let held = lock(&self.held);
        (held.bytes, held.by_address.len())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        held.bytes -= self.bytes;
        if let Some(own) = held.by_address.get_mut(&self.address) {
            *own -= self.bytes;
            if *own == 0 {
                held.by_address.remove(&self.address);
            }
        }
    }
}

/// Bytes that hold room. The HTTP library lets go of a body when it has taken its last piece, long before that piece is
/// sent, so the room goes with the pieces.
struct Sending {
    bytes: Bytes,
    _room: Arc<Room>,
}

impl AsRef<[u8]> for Sending {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Takes room for an answer of known length that is large.
pub(super) async fn hold_room(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let Some(bytes) = response.body().size_hint().exact().filter(|bytes| *bytes > SMALL_BYTES) else {
        return response;
    };
    match app.large().take(address, bytes) {
        Ok(room) => response.map(|body| sending(body, room)),
        Err(problem) => problem.into_response(),
    }
}

fn sending(body: Body, room: Room) -> Body {
    Body::new(SendingBody { body, room: Arc::new(room) })
}

/// A body whose pieces hold room.
struct SendingBody {
    body: Body,
    room: Arc<Room>,
}

impl HttpBody for SendingBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let hold = |bytes| Bytes::from_owner(Sending { bytes, _room: self.room.clone() });
        polled.map_ok(|frame| frame.map_data(hold))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
    const C: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 3));

    fn answers() -> LargeAnswers {
        LargeAnswers::new(LargeLimits { bytes: 100, bytes_per_address: 60 })
    }

    #[test]
    fn room_is_bounded_for_an_address_and_for_all() {
        let answers = answers();
        let first = answers.take(A, 50).expect("room");
        assert_eq!(answers.take(A, 20).expect_err("its share").code(), Code::LimitAddress);
        let second = answers.take(B, 50).expect("room");
        assert_eq!(answers.take(C, 1).expect_err("full").code(), Code::QueueFull);
        drop(first);
        assert!(answers.take(C, 50).is_ok());
        drop(second);
        assert_eq!(answers.bytes(), (0, 0), "nothing is left behind");
        assert!(answers.take(A, 1000).is_ok(), "alone, any answer is sent");
    }

    #[tokio::test]
    async fn room_is_held_until_the_last_piece_is_sent_not_only_taken() {
        let answers = answers();
        let room = answers.take(A, 50).expect("room");
        let mut body = sending(Body::from(vec![7; 50]), room);
        assert_eq!(body.size_hint().exact(), Some(50), "its length is sent first");
        let piece = body.frame().await.expect("a piece").expect("whole").into_data().expect("data");
        drop(body);
        assert_eq!((piece.len(), answers.bytes().0), (50, 50));
        drop(piece);
        assert_eq!(answers.bytes(), (0, 0));
    }
}
