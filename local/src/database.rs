//! The database on its own, for functions that run as processes of their own.

use crate::{BoxError, Environment, Options, background::Background};
use models::clock::{SystemClock, random};
use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, sync::Arc};
use tokio::{net::TcpListener, sync::watch};

/// Serves only the database, over HTTP with a random key, and dispatches its stream. When it is ready, `env_file`
/// contains the functions' settings as shell assignments.
pub async fn serve_database(
    options: Options,
    env_file: &Path,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), BoxError> {
    let ground = Environment::prepare(&options, options.port, Arc::new(SystemClock)).await?;
    ground.admin_key.announce(options.data_dir.as_deref());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let access_key = data_encoding::BASE32_NOPAD.encode(&random::<20>()?);
    let (stop, stopped) = watch::channel(false);
    let background = Background::start(&ground.app, &ground.database, stopped).await?;
    let config = &ground.app.config;
    let sealing_key = config.sealing_key_file.as_ref().map(fs::canonicalize).transpose()?.unwrap_or_default();
    let public_url = config.public_url.as_ref().map_or_else(String::new, ToString::to_string);
    write_settings(
        env_file,
        &[
            ("AWS_ENDPOINT_URL", &endpoint),
            ("AWS_REGION", "local"),
            ("AWS_ACCESS_KEY_ID", &access_key),
            ("AWS_SECRET_ACCESS_KEY", "not-verified"),
            ("CONTROL_TABLE", &config.tables.control),
            ("EVENTS_TABLE", &config.tables.events),
            ("RECORDS_TABLE", &config.tables.records),
            ("DELIVERIES_TABLE", &config.tables.deliveries),
            ("PUBLIC_URL", public_url.trim_end_matches('/')),
            ("SEALING_KEY_FILE", &sealing_key.display().to_string()),
        ],
    )?;
    embedded::serve(ground.database.clone(), listener, access_key, shutdown).await?;
    let _ = stop.send(true);
    background.finish().await;
    Ok(())
}

/// Writes the file atomically, because a reader waits for it.
fn write_settings(file: &Path, settings: &[(&str, &str)]) -> Result<(), BoxError> {
    let part = file.with_extension("part");
    let mut writer = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    for (name, value) in settings {
        writeln!(writer, "{name}='{}'", value.replace('\'', r"'\''"))?;
    }
    Ok(fs::rename(part, file)?)
}
