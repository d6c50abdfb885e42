//! The signal to stop, which every background task and the HTTP door wait for.

use tokio::sync::watch;

pub async fn stop(stopped: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone, which is a stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
