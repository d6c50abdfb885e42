//! `local` serves everything on <http://127.0.0.1:9000>. `local database --env-file FILE` serves only the database, for
//! functions under `cargo lambda watch`.

use app::{Config, log};
use local::{BoxError, Local, Options, serve_database};
use models::clock::SystemClock;
use std::{env, io::Write as _, iter, path::Path, process::ExitCode, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};
use web::settings::Settings;

const USAGE: &str = "usage: local [database --env-file FILE]
Serves all functions on http://127.0.0.1:9000, or with `database` only the database, and writes its settings to FILE.
Settings are environment variables: see docs/settings.md.";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["--help" | "-h"] = arguments.as_slice() {
        print_line(USAGE);
        return ExitCode::SUCCESS;
    }
    let run = tokio::runtime::Runtime::new().map_err(BoxError::from).and_then(|runtime| {
        runtime.block_on(async {
            let settings = Settings::from_env();
            start_log(&settings)?;
            let options = Options::read(settings)?;
            match arguments.as_slice() {
                [] => serve(options).await,
                ["database", "--env-file", file] => database(options, Path::new(file)).await,
                _ => Err(USAGE.into()),
            }
        })
    });
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes: String =
                iter::successors(error.source(), |cause| cause.source()).map(|cause| format!(": {cause}")).collect();
            print_line(&format!("error: {error}{causes}"));
            ExitCode::FAILURE
        }
    }
}

fn start_log(settings: &Settings) -> Result<(), BoxError> {
    let tables =
        ["CONTROL_TABLE", "EVENTS_TABLE", "RECORDS_TABLE", "DELIVERIES_TABLE"].map(|name| (name, name.to_owned()));
    let settings = settings.with_defaults(tables).with_defaults([("LOG_FORMAT", "pretty".to_owned())]);
    log::start(&Config::read(&settings, &registry::settings())?);
    Ok(())
}

/// Prints to standard error. A closed one is no reason to stop.
fn print_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

async fn serve(options: Options) -> Result<(), BoxError> {
    let folder = options.data_dir.clone();
    let stopped = stopped()?;
    let local = Local::start(options, Arc::new(SystemClock)).await?;
    local.admin_key.announce(folder.as_deref());
    print_line(&format!("the console: {}", local.console_url()));
    print_line(&format!("listening on {}", local.url));
    stopped.await;
    print_line("stopping");
    local.stop().await
}

async fn database(options: Options, env_file: &Path) -> Result<(), BoxError> {
    serve_database(options, env_file, stopped()?).await
}

/// Resolves on SIGINT or SIGTERM.
fn stopped() -> Result<impl Future<Output = ()> + Send + 'static, BoxError> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
