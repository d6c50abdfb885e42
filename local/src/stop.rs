//! The stop signal, which all background tasks and the HTTP server wait for.

use tokio::sync::watch;

pub async fn stop(stopped: &mut watch::Receiver<bool>) {
    // An error means that the sender was dropped, which is a stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
