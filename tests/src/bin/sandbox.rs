//! `sandbox`: platforms to try everything with, on <http://127.0.0.1:9100>.

use std::{env, io::Write as _, process::ExitCode};
use tests::sandbox::Sandbox;
use tokio::signal::unix::{SignalKind, signal};

const PORT: u16 = 9100;

const USAGE: &str = "usage: sandbox
Plays ChatBot, BotDistrikt and Botmother on http://127.0.0.1:9100 until it is interrupted.
SANDBOX_PORT sets another port.";

fn main() -> ExitCode {
    if let Some(argument) = env::args().nth(1) {
        say(USAGE);
        return if ["--help", "-h"].contains(&argument.as_str()) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
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
        Ok(port) => port.parse().map_err(|_| "SANDBOX_PORT: must be a whole number from 0 to 65535, such as 9100")?,
        Err(_) => PORT,
    };
    let listen = |kind| signal(kind).map_err(|error| error.to_string());
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let sandbox = Sandbox::start(port)
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}; stop what does, or set SANDBOX_PORT"))?;
    say("BotStar, ChatBot, BotDistrikt and Botmother are simulated; everything is made up. Start Switchboard with");
    say(&sandbox.settings());
    say("and give a connection");
    say(&sandbox.credentials());
    say(&format!("Faults, deliveries and other answers: curl {}", sandbox.url));
    say(&format!("listening on {}", sandbox.url));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    say("stopping");
    Ok(())
}

/// Writes a line to standard error, and ignores a closed pipe.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
