//! What `local` is started with: environment variables, the same as on Lambda, with defaults for a laptop.

use crate::admin_key::is_key;
use runtime::config::{BadSetting, Settings};
use std::path::{Path, PathBuf};

pub struct Options {
    /// 0 takes any free one.
    pub port: u16,
    /// None keeps nothing.
    pub data_dir: Option<PathBuf>,
    pub admin_key: Option<String>,
    settings: Settings,
}

const DEFAULT_PORT: u16 = 9000;

impl Options {
    pub fn read(settings: Settings) -> Result<Self, BadSetting> {
        let admin_key = settings.get("ADMIN_KEY").map(str::to_owned);
        if admin_key.as_deref().is_some_and(|key| !is_key(key)) {
            let fault = "has fewer than 32 characters, or others than visible ASCII".to_owned();
            return Err(BadSetting { name: "ADMIN_KEY".to_owned(), fault });
        }
        Ok(Self {
            port: settings.parse("PORT")?.unwrap_or(DEFAULT_PORT),
            data_dir: match settings.get("DATA_DIR").unwrap_or(".data") {
                ":memory:" => None,
                folder => Some(PathBuf::from(folder)),
            },
            admin_key,
            settings,
        })
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
            ("LOG_FORMAT", "pretty".to_owned()),
        ];
        self.settings.with_defaults(defaults)
    }
}
