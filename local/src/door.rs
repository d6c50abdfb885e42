//! The HTTP door.

use axum::{
    body::Body,
    extract::State,
    http::{Request as HttpRequest, Response},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use runtime::{
    App, Code, Problem,
    function::{Request, Router, refuse},
};
use std::{io, sync::Arc};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};

/// A larger body is read no further; up to this, its sender sees the answer.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

struct Door {
    app: Arc<App>,
    router: Router,
    /// Held by each request in hand.
    working: mpsc::Sender<()>,
}

/// Serves until it is told to stop, and then finishes the requests in hand.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let (working, mut done) = mpsc::channel(1);
    let service = axum::Router::new().fallback(answer).with_state(Arc::new(Door { app, router, working }));
    let stop = async move {
        // An error says that the sender is gone, which is a stop as well.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    axum::serve(listener, service).with_graceful_shutdown(stop).await?;
    // Nobody sends: this ends when nothing is in hand any more.
    let _ = done.recv().await;
    Ok(())
}

async fn answer(State(door): State<Arc<Door>>, request: HttpRequest<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => {
            let problem = match error.is::<LengthLimitError>() {
                true => Problem::new(Code::BodyTooLarge, "the body has more than 10 MB"),
                false => Problem::new(Code::UnreadableBody, "the body did not arrive whole"),
            };
            return refuse(&problem).map(Body::from);
        }
    };
    let request = Request::received(parts, body);
    // A task of its own: a request that was begun is finished, as on Lambda, even if its caller has left.
    let answered = tokio::spawn(async move {
        let _working = door.working.clone();
        door.router.answer(&door.app, request).await
    });
    let answered = answered.await;
    answered.unwrap_or_else(|died| refuse(&Problem::internal(died))).map(Body::from)
}
