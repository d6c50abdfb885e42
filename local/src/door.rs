//! The HTTP door: HTTP/1 on one port, with limits on connections, headers and bodies.

mod body;
mod connections;

use crate::{Limits, stop::stop};
use app::{App, Router};
use connections::{Connections, Place, Stage};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONNECTION, EXPECT, HeaderValue, LOCATION},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, future::pending, io, net::Ipv4Addr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, watch},
    time,
};
use web::{Problem, ReceivedBody, refuse};

/// The read buffer of a connection, which a header section must fit into. It may grow to twice as much.
const MAX_BUFFER_BYTES: usize = 32 * 1024;
/// The pause after a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The path of the console.
pub const CONSOLE: &str = "/console";
/// Connections that the system holds until they are accepted. Beyond that a caller tries again after a second.
const BACKLOG: u32 = 4_096;

struct Door {
    app: Arc<App>,
    router: Router,
    limits: Limits,
    /// Closed once every connection and every request is over.
    _working: mpsc::Sender<()>,
}

/// Listens on a port of the loopback address.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // A restart may take the port while connections of the process before are ending.
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(BACKLOG)
}

/// Serves until `stopped` is set, and then finishes the requests in hand.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    router: Router,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    let (working, mut finished) = mpsc::channel(1);
    let connections = Connections::new(limits.connections);
    let door = Arc::new(Door { app, router, limits, _working: working });
    loop {
        let next = async { (accept(&listener).await, connections.enter().await) };
        let (stream, place) = tokio::select! {
            next = next => next,
            () = stop(&mut stopped) => break,
        };
        tokio::spawn(Arc::clone(&door).serve_connection(stream, place, stopped.clone()));
    }
    drop((listener, door));
    // Nothing is sent: this ends when the last sender is gone.
    let _ = finished.recv().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(cause = %error, "a connection can't be accepted");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Door {
    async fn serve_connection(self: Arc<Self>, stream: TcpStream, place: Place, mut stopped: watch::Receiver<bool>) {
        let service = service_fn(async |request| Ok::<_, Infallible>(self.answer(&place, request).await));
        let mut http = http1::Builder::new();
        // The timeout covers a header section as a whole, and the wait for the next request on a kept connection.
        http.timer(TokioTimer::new()).header_read_timeout(self.limits.header_timeout);
        http.half_close(true).max_buf_size(MAX_BUFFER_BYTES);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        // An error is the caller's: it has left, or what it sends is not HTTP.
        tokio::select! {
            _ = connection.as_mut() => return,
            () = place.given_up() => return,
            () = stop(&mut stopped) => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = connection => {}
            () = place.given_up() => {}
        }
    }

    async fn answer(self: &Arc<Self>, place: &Place, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if let Some(moved) = redirect(&request) {
            return moved;
        }
        let (parts, body) = request.into_parts();
        let waits_to_send =
            parts.headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let admission = self.router.admit(&*self.app, parts).await;
        let is_refused = admission.is_refused();
        if !is_refused {
            place.enter(Stage::Receiving);
        }
        let (body, is_read) = if is_refused && waits_to_send {
            (Ok(ReceivedBody::whole(Bytes::new())), false)
        } else {
            let body = body::read(body, admission.max_body_bytes(), &self.limits).await;
            let is_read = body.is_ok();
            (body, is_read)
        };
        if !place.enter(Stage::Working) {
            return pending().await;
        }
        // A task of its own: a request that was begun is finished, as on Lambda, even if its caller has left.
        let door = Arc::clone(self);
        let answered = tokio::spawn(async move { admission.answer(&door.app, body).await }).await;
        let mut response = answered.unwrap_or_else(|died| refuse(&Problem::internal(died)));
        if !is_read {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        place.enter(Stage::Waiting);
        response.map(Full::from)
    }
}

/// Leads a browser from the bare address to the console.
fn redirect(request: &Request<Incoming>) -> Option<Response<Full<Bytes>>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || !matches!(request.uri().path(), "/" | "/console/") {
        return None;
    }
    let mut response = Response::new(Full::default());
    // A browser remembers a permanent redirect, and another program may have the port tomorrow.
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(CONSOLE));
    Some(response)
}
