//! All of Switchboard in one process, for a laptop: every function behind one HTTP server, with an embedded DynamoDB.
//! The handlers are the same as on Lambda; only the server differs.

mod admin_key;
mod background;
mod database;
mod door;
mod functions;
mod history;
mod open_files;
mod options;
mod queue;
mod stop;
mod tables;

use app::{App, Config, Router};
use aws::seal::KeyFile;
use background::Background;
use embedded::{Database, Directory, Location};
use models::clock::Clock;
use std::{
    error::Error,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle, time};

pub use admin_key::AdminKey;
pub use database::serve_database;
pub use open_files::make_room;
pub use options::{Limits, Options};

const STOP_WITHIN: Duration = Duration::from_secs(5);

pub type BoxError = Box<dyn Error + Send + Sync>;

/// A running Switchboard.
pub struct Local {
    pub url: String,
    pub admin_key: AdminKey,
    pub app: Arc<App>,
    pub database: Database,
    stop: watch::Sender<bool>,
    door: JoinHandle<()>,
    background: Background,
}

/// State before serving: the database with its tables, and the keys.
struct Environment {
    app: Arc<App>,
    database: Database,
    admin_key: AdminKey,
}

impl Environment {
    async fn prepare(options: &Options, port: u16, clock: Arc<dyn Clock>) -> Result<Self, BoxError> {
        let location = options.data_dir.clone().map_or(Location::Temporary, Location::Directory);
        let directory = Directory::lock(location)?;
        let folder = directory.path().to_owned();
        let sealing_key = folder.join("sealing-key");
        prepare_sealing_key(&folder, &sealing_key)?;
        let database = Database::open_in(directory)?;
        let config = Config::read(&options.settings(port, &sealing_key), &registry::settings())?;
        database.create_tables(&tables::specs(&config.tables))?;
        let client = aws_sdk_dynamodb::Client::from_conf(database.sdk_config());
        flow::aws_target::check_setting(&config)?;
        let app = Arc::new(App::new(config, client, None, clock));
        if let Some(client) = options.aws_client()? {
            app.set_aws(client);
        }
        let admin_key = AdminKey::prepare(&app, options, &folder).await?;
        Ok(Self { app, database, admin_key })
    }
}

impl Local {
    /// The console's URL.
    pub fn console_url(&self) -> String {
        format!("{}{}", self.url, door::CONSOLE)
    }

    /// Starts everything, and returns once it serves.
    pub async fn start(options: Options, clock: Arc<dyn Clock>) -> Result<Self, BoxError> {
        let listener = door::listen(options.port).map_err(|error| {
            format!("cannot listen on 127.0.0.1:{}: {error}; stop the other program, or set PORT", options.port)
        })?;
        let port = listener.local_addr()?.port();
        let environment = Environment::prepare(&options, port, clock).await?;
        let functions: Vec<_> = catalog::functions().collect();
        let router = Router::new(&functions)?;
        let (stop, stopped) = watch::channel(false);
        let background = Background::start(&environment.app, &environment.database, stopped.clone()).await?;
        let limits = Limits { connections: make_room(options.limits.connections), ..options.limits };
        let door = tokio::spawn(door::serve(listener, Arc::clone(&environment.app), router, limits, stopped));
        Ok(Self {
            url: format!("http://127.0.0.1:{port}"),
            admin_key: environment.admin_key,
            app: environment.app,
            database: environment.database,
            stop,
            door,
            background,
        })
    }

    /// Finishes running requests and events, and stops. Requests that do not end in time are abandoned.
    pub async fn stop(self) -> Result<(), BoxError> {
        // If no receiver is left, everything has stopped.
        let _ = self.stop.send(true);
        let finish = async {
            self.door.await?;
            self.background.finish().await;
            Ok(())
        };
        time::timeout(STOP_WITHIN, finish).await.unwrap_or_else(|_| {
            tracing::warn!("stopped before all work was finished");
            Ok(())
        })
    }
}

/// Creates the sealing key, before anything is sealed. The folder is locked: of two keys, one would be lost.
fn prepare_sealing_key(folder: &Path, key: &Path) -> Result<(), BoxError> {
    if folder.join(embedded::DATABASE_FILE).exists() && !key.exists() {
        let text = "is missing; the database's secrets can't be decrypted without it; restore it";
        return Err(format!("{} {text}", key.display()).into());
    }
    KeyFile::create(key)?;
    KeyFile::read(key)?;
    // Before the database exists: with it alone on disk after a power failure, the next start would be refused.
    sync_folder(folder)
}

/// Makes new files in a folder outlive a power failure. Syncing a file doesn't include its name.
fn sync_folder(folder: &Path) -> Result<(), BoxError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(synced.map_err(|error| format!("cannot sync the directory {}: {error}", folder.display()))?)
}

/// The path of a folder's admin key.
fn admin_key_file(folder: &Path) -> PathBuf {
    folder.join("admin-key")
}
