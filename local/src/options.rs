//! Options of `local`: environment variables, the same as on Lambda, with defaults for a laptop.

use crate::{BoxError, admin_key::is_key};
use aws::{Environment, signed::SignedClient};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use web::settings::{SettingError, Settings};

pub struct Options {
    /// 0 means any free port.
    pub port: u16,
    /// None stores nothing.
    pub data_dir: Option<PathBuf>,
    pub admin_key: Option<String>,
    pub limits: Limits,
    settings: Settings,
}

/// Limits of the HTTP server.
#[derive(Debug, Clone)]
pub struct Limits {
    pub connections: usize,
    /// For a whole header section, and for an idle connection.
    pub header_timeout: Duration,
    /// For the wait for the next part of a body.
    pub body_idle_timeout: Duration,
    /// For a whole body.
    pub body_timeout: Duration,
}

impl Limits {
    fn read(settings: &Settings) -> Result<Self, SettingError> {
        let seconds = |name, default| settings.number(name, default, 1, MAX_TIMEOUT_SECONDS).map(Duration::from_secs);
        let connections = settings.number("MAX_CONNECTIONS", DEFAULT_CONNECTIONS, 1, MAX_CONNECTIONS)?;
        Ok(Self {
            connections: usize::try_from(connections).unwrap_or(usize::MAX),
            header_timeout: seconds("HEADER_TIMEOUT_SECONDS", 30)?,
            body_idle_timeout: seconds("BODY_IDLE_TIMEOUT_SECONDS", 30)?,
            body_timeout: seconds("BODY_TIMEOUT_SECONDS", 300)?,
        })
    }
}

const DEFAULT_PORT: u64 = 9000;
const DEFAULT_CONNECTIONS: u64 = 512;
const MAX_CONNECTIONS: u64 = 65_536;
const MAX_TIMEOUT_SECONDS: u64 = 3_600;

/// The port to listen on; 0 means any free one.
fn port(settings: &Settings) -> Result<u16, SettingError> {
    let port = settings.number("PORT", DEFAULT_PORT, 0, u16::MAX.into())?;
    Ok(port.try_into().unwrap_or(u16::MAX))
}

impl Options {
    pub fn read(settings: Settings) -> Result<Self, SettingError> {
        let admin_key = settings.get("ADMIN_KEY").map(str::to_owned);
        if admin_key.as_deref().is_some_and(|key| !is_key(key)) {
            let fault = "must have at least 32 characters, all visible ASCII".to_owned();
            return Err(SettingError { name: "ADMIN_KEY".to_owned(), fault });
        }
        Ok(Self {
            port: port(&settings)?,
            data_dir: match settings.get("DATA_DIR").unwrap_or(".data") {
                ":memory:" => None,
                folder => Some(PathBuf::from(folder)),
            },
            admin_key,
            limits: Limits::read(&settings)?,
            settings,
        })
    }

    /// The client for AWS targets, if an emulator of AWS and its credentials are set. Without an emulator there is none, so
    /// that credentials that happen to be in the environment reach no account.
    pub(crate) fn aws_client(&self) -> Result<Option<SignedClient>, BoxError> {
        let (url, get) = (self.settings.url("AWS_ENDPOINT_URL")?, |name| self.settings.get(name).map(str::to_owned));
        let (Some(url), Some(access_key_id), Some(secret_access_key)) =
            (url, get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY"))
        else {
            return Ok(None);
        };
        // Requests are signed for the region of the target's ARN.
        let region = get("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned());
        let session_token = get("AWS_SESSION_TOKEN");
        let endpoint_url = Some(url.into());
        let sdk =
            aws::sdk_config(Environment { access_key_id, secret_access_key, session_token, region, endpoint_url })?;
        Ok(Some(SignedClient::new(&sdk)?))
    }

    /// The settings of the functions, with a laptop's defaults.
    pub(crate) fn settings(&self, port: u16, sealing_key: &Path) -> Settings {
        let defaults = [
            ("CONTROL_TABLE", "switchboard-control".to_owned()),
            ("EVENTS_TABLE", "switchboard-events".to_owned()),
            ("RECORDS_TABLE", "switchboard-records".to_owned()),
            ("DELIVERIES_TABLE", "switchboard-deliveries".to_owned()),
            ("PUBLIC_URL", format!("http://127.0.0.1:{port}")),
            ("SEALING_KEY_FILE", sealing_key.display().to_string()),
            ("TRUSTED_ROOTS", "system".to_owned()),
            ("LOG_FORMAT", "pretty".to_owned()),
        ];
        self.settings.with_defaults(defaults)
    }
}
