//! `demo`: Switchboard with made-up data, on <http://127.0.0.1:9010>. Nothing is kept.

use std::{env, io::Write as _, process::ExitCode, time::Duration};
use tests::demo::Demo;
use tokio::signal::unix::{SignalKind, signal};

const PORT: u16 = 9010;
/// Average time between two events.
const PAUSE: Duration = Duration::from_secs(2);

const USAGE: &str = "usage: demo
Serves Switchboard with made-up data on http://127.0.0.1:9010 until it is interrupted. Nothing is kept.
DEMO_PORT sets another port.";

fn main() -> ExitCode {
    if let Some(argument) = env::args().nth(1) {
        say(USAGE);
        return if ["--help", "-h"].contains(&argument.as_str()) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let run =
        tokio::runtime::Runtime::new().map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(serve()));
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), String> {
    let port = match env::var("DEMO_PORT") {
        Ok(port) => port.parse().map_err(|_| "DEMO_PORT: must be a whole number from 0 to 65535, such as 9010")?,
        Err(_) => PORT,
    };
    let listen = |kind| signal(kind).map_err(|error| error.to_string());
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let demo = tokio::select! {
        demo = Demo::start(port, PAUSE) => demo.map_err(|error| error.to_string().replace("set PORT", "set DEMO_PORT"))?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    say("a Switchboard with made-up people and events, kept in memory only");
    say(&format!("an admin key for it: {}", demo.local.admin_key.secret));
    say(&format!("the console: {}", demo.local.console_url()));
    say("Ctrl+C ends it");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    say("stopping");
    demo.stop().await.map_err(|error| error.to_string())
}

/// Writes a line to standard error, and ignores a closed pipe.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
