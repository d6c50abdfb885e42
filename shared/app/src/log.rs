//! Structured logs: one line per request, and each failure once, where it is handled. A log line never contains a body,
//! a path (paths hold tokens), a credential or personal data.

use crate::{Config, config::LogFormat};
use std::io::{self, IsTerminal as _};
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Libraries whose finer log levels include tokens, credentials and bodies.
const LIBRARIES: [&str; 7] = ["aws", "h2", "hyper", "lambda", "reqwest", "rustls", "tower"];

/// Logs every error answer of a direct invocation. Such an answer is not a failure, and may quote the platform.
const LAMBDA_ERRORS: &str = "lambda_runtime::layers::panic";

/// Starts logging. Lambda reads a function's standard output; `local` keeps that for its user.
pub fn start(config: &Config) {
    let asked: Targets = config.rust_log.parse().unwrap_or_default();
    let filter = LIBRARIES.iter().fold(asked, |filter, library| filter.with_target(*library, LevelFilter::WARN));
    let filter = filter.with_target(LAMBDA_ERRORS, LevelFilter::OFF);
    let registry = tracing_subscriber::registry();
    match config.log_format {
        LogFormat::Json => {
            let json = fmt::layer().json().flatten_event(true).with_current_span(false).with_target(false);
            let json = json.with_writer(io::stdout);
            registry.with(json.with_filter(filter)).init();
        }
        LogFormat::Pretty => {
            let colours = io::stderr().is_terminal();
            let pretty = fmt::layer().with_target(false).with_ansi(colours).with_writer(io::stderr);
            registry.with(pretty.with_filter(filter)).init();
        }
    }
}
