//! The first key: given as `ADMIN_KEY`, or made once and kept beside the database for its owner alone.

use crate::{Failure, Options, admin_key_file};
use app::App;
use models::{KeyId, Scope, Timestamp, clock::random, fingerprint};
use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};
use store::keys::Key;

pub struct AdminKey {
    pub secret: String,
    /// Whether it was made just now: then it is shown, once.
    pub is_new: bool,
}

impl AdminKey {
    /// Finds or makes the key, and sees that the store knows it, and no earlier one in its place. A kept key that the
    /// store does not know any more was deleted: it stays so, and another one is made.
    pub(crate) async fn prepare(app: &App, options: &Options, folder: &Path) -> Result<Self, Failure> {
        let id = KeyId::new(Timestamp::from_millis(0), [0; 10]);
        let earlier = app.store.find::<Key>(id.as_str()).await?;
        let key = match (&options.admin_key, &options.data_dir) {
            (Some(given), _) => Self { secret: given.clone(), is_new: false },
            (None, Some(_)) => match kept_in(folder)?.filter(|_| earlier.is_some()) {
                Some(secret) => Self { secret, is_new: false },
                None => Self::made_in(folder)?,
            },
            (None, None) => Self { secret: new_secret()?, is_new: true },
        };
        let stored = Key {
            id,
            v: 1,
            version: 1,
            name: "the first key".to_owned(),
            scope: Scope::Admin,
            sha256: fingerprint(&key.secret),
            created_at: app.now(),
        };
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

    fn made_in(folder: &Path) -> Result<Self, Failure> {
        let path = admin_key_file(folder);
        let secret = new_secret()?;
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        writeln!(file, "{secret}")?;
        file.sync_all()?;
        Ok(Self { secret, is_new: true })
    }
}

/// The key that is kept in a folder.
fn kept_in(folder: &Path) -> Result<Option<String>, Failure> {
    let path = admin_key_file(folder);
    match fs::read_to_string(&path) {
        Ok(text) if is_key(text.trim()) => Ok(Some(text.trim().to_owned())),
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(_) => Err(format!("{} holds no key; remove it, and another one is made", path.display()).into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display()).into()),
    }
}

const LEAST_CHARACTERS: usize = 32;

/// Whether a text can be a key: long enough, and fit for a header.
pub fn is_key(text: &str) -> bool {
    text.len() >= LEAST_CHARACTERS && text.chars().all(|c| c.is_ascii_graphic())
}

fn new_secret() -> Result<String, Failure> {
    Ok(format!("sbk_{}", data_encoding::BASE64URL_NOPAD.encode(&random::<32>()?)))
}
