//! The first key: given as `ADMIN_KEY`, or made once and kept beside the database for its owner alone.

use crate::{Failure, Options, admin_key_file};
use models::{KeyId, Timestamp};
use runtime::{
    App,
    auth::{Scope, fingerprint},
    clock::random,
    store::keys::Key,
};
use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

pub struct AdminKey {
    pub secret: String,
    /// Whether it was made just now: then it is shown, once.
    pub is_new: bool,
}

impl AdminKey {
    /// Finds or makes the key, and sees that the store knows it, and no earlier one in its place.
    pub(crate) async fn prepare(app: &App, options: &Options, folder: &Path) -> Result<Self, Failure> {
        let key = match (&options.admin_key, &options.data_dir) {
            (Some(given), _) => Self { secret: given.clone(), is_new: false },
            (None, Some(_)) => Self::kept_in(folder)?,
            (None, None) => Self { secret: new_secret()?, is_new: true },
        };
        let id = KeyId::new(Timestamp::from_millis(0), [0; 10]);
        let stored = Key {
            id: id.clone(),
            v: 1,
            version: 1,
            name: "the first key".to_owned(),
            scope: Scope::Admin,
            sha256: fingerprint(&key.secret),
            created_at: app.now(),
        };
        let earlier = app.store.find::<Key>(id.as_str()).await?;
        if earlier.as_ref().is_none_or(|earlier| earlier.sha256 != stored.sha256) {
            if let Some(earlier) = earlier {
                app.store.remove_key(&earlier).await?;
            }
            app.store.put_key(&stored).await?;
        }
        Ok(key)
    }

    /// Shows a key that was made just now. The folder is where it is kept.
    pub fn announce(&self, folder: Option<&Path>) {
        if !self.is_new {
            return;
        }
        // That nobody reads it is no reason to stop.
        let _ = writeln!(io::stderr(), "the admin key, shown this once: {}", self.secret);
        if let Some(folder) = folder {
            let _ = writeln!(io::stderr(), "it is kept in {}", admin_key_file(folder).display());
        }
    }

    fn kept_in(folder: &Path) -> Result<Self, Failure> {
        let path = admin_key_file(folder);
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => return Ok(Self { secret: text.trim().to_owned(), is_new: false }),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(format!("cannot read {}: {error}", path.display()).into());
            }
            _ => {}
        }
        let secret = new_secret()?;
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        writeln!(file, "{secret}")?;
        file.sync_all()?;
        Ok(Self { secret, is_new: true })
    }
}

fn new_secret() -> Result<String, Failure> {
    Ok(format!("sbk_{}", data_encoding::BASE64URL_NOPAD.encode(&random::<32>()?)))
}
