//! `sandbox`: platforms to try everything with, on <http://127.0.0.1:9100>.

use std::{env, io::Write as _, process::ExitCode};
use tests::sandbox::Sandbox;
use tokio::signal::unix::{SignalKind, signal};

const PORT: u16 = 9100;

fn main() -> ExitCode {
    let run = tokio::runtime::Runtime::new().map_err(|error| error.to_string()).and_then(|runtime| {
        // Requests in hand end with the runtime.
        runtime.block_on(serve())
    });
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), String> {
    let port = match env::var("SANDBOX_PORT") {
        Ok(port) => port.parse().map_err(|error| format!("SANDBOX_PORT: {error}"))?,
        Err(_) => PORT,
    };
    let listen = |kind| signal(kind).map_err(|error| error.to_string());
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let sandbox = Sandbox::start(port)
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}; stop what does, or set SANDBOX_PORT"))?;
    say("ChatBot is played here, with made-up users, segments and stories. Start Switchboard with");
    say(&format!("  CHATBOT_API_URL={}", sandbox.chatbot_url()));
    say(&format!("and give a connection this access token: {}", Sandbox::TOKEN));
    say(&format!("Faults, more users and deliveries: curl {}", sandbox.url));
    say(&format!("listening on {}", sandbox.url));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    say("stopping");
    Ok(())
}

/// To standard error. That nobody reads it is no reason to stop.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
