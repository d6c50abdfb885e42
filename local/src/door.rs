//! HTTP server: HTTP/1 on one port, with limits on connections, headers and bodies.

mod body;
mod connections;

use crate::{Limits, stop::stop};
use app::{App, Router};
use connections::{Connections, Slot, Stage};
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
    sync::{Semaphore, mpsc, watch},
    time,
};
use web::{Problem, ReceivedBody, refuse};

/// Read buffer of a connection, which must hold a header section. It may grow to twice this size.
const MAX_BUFFER_BYTES: usize = 32 * 1024;
/// Pause after a failed accept, for example because of too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Limit on events that are stored at once. The database stores one after another, so more would only take memory.
const MAX_ACCEPTS: usize = 64;
/// The path of the console.
pub const CONSOLE: &str = "/console";
/// Connections that the system queues until they are accepted. Beyond this, clients retry after a second.
const BACKLOG: u32 = 4_096;

struct Door {
    app: Arc<App>,
    router: Router,
    limits: Limits,
    accepts: Arc<Semaphore>,
    /// Closed once all connections and requests have ended.
    _working: mpsc::Sender<()>,
}

/// Listens on a loopback port.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // A restart may reuse the port while connections of the previous process are ending.
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(BACKLOG)
}

/// Serves until `stopped` is set, then finishes the running requests.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    router: Router,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    let (working, mut finished) = mpsc::channel(1);
    let connections = Connections::new(limits.connections);
    let accepts = Arc::new(Semaphore::new(MAX_ACCEPTS));
    let door = Arc::new(Door { app, router, limits, accepts, _working: working });
    loop {
        let next = async { (accept(&listener).await, connections.enter().await) };
        let (stream, slot) = tokio::select! {
            next = next => next,
            () = stop(&mut stopped) => break,
        };
        tokio::spawn(Arc::clone(&door).serve_connection(stream, slot, stopped.clone()));
    }
    drop((listener, door));
    // Nothing is sent: this returns when the last sender is dropped.
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
    async fn serve_connection(self: Arc<Self>, stream: TcpStream, slot: Slot, mut stopped: watch::Receiver<bool>) {
        // Boxed: an idle connection keeps room for the future of a request.
        let service = service_fn(|request| Box::pin(async { Ok::<_, Infallible>(self.answer(&slot, request).await) }));
        let mut http = http1::Builder::new();
        // The timeout covers a whole header section, and the wait for the next request on a kept connection.
        http.timer(TokioTimer::new()).header_read_timeout(self.limits.header_timeout);
        http.half_close(true).max_buf_size(MAX_BUFFER_BYTES);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        // An error is caused by the client: it has disconnected, or does not send HTTP.
        tokio::select! {
            _ = connection.as_mut() => return,
            () = slot.closed() => return,
            () = stop(&mut stopped) => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = connection => {}
            () = slot.closed() => {}
        }
    }

    async fn answer(self: &Arc<Self>, slot: &Slot, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if let Some(moved) = redirect(&request) {
            return moved;
        }
        let (parts, body) = request.into_parts();
        let waits_to_send =
            parts.headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let admission = self.router.admit(&*self.app, parts).await;
        let is_refused = admission.is_refused();
        if !is_refused {
            slot.enter(Stage::Receiving);
        }
        let (body, is_read) = if is_refused && waits_to_send {
            (Ok(ReceivedBody::whole(Bytes::new())), false)
        } else {
            let body = body::read(body, admission.max_body_bytes(), &self.limits).await;
            let is_read = body.is_ok();
            (body, is_read)
        };
        if !slot.enter(Stage::Working) {
            return pending().await;
        }
        let permit = if admission.is_webhook() { Arc::clone(&self.accepts).acquire_owned().await.ok() } else { None };
        // A task of its own: a started request completes, as on Lambda, even if its client has disconnected.
        let door = Arc::clone(self);
        let working = async move {
            let _permit = permit;
            let (response, log) = admission.answer(&door.app, body).await;
            log.write();
            response
        };
        let answered = tokio::spawn(working).await;
        let mut response = answered.unwrap_or_else(|died| refuse(&Problem::internal(died)));
        if !is_read {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        slot.enter(Stage::Waiting);
        response.map(Full::from)
    }
}

/// Redirects a browser from the root to the console.
fn redirect(request: &Request<Incoming>) -> Option<Response<Full<Bytes>>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || !matches!(request.uri().path(), "/" | "/console/") {
        return None;
    }
    let mut response = Response::new(Full::default());
    // Browsers remember a permanent redirect, and another program may use the port tomorrow.
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(CONSOLE));
    Some(response)
}
