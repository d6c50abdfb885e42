//! The first admin key: given as `ADMIN_KEY`, or created once and stored beside the database for its owner alone.

use crate::{BoxError, Options, admin_key_file, sync_folder};
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
    /// True if the key was just created: then it is shown, once.
    pub is_new: bool,
}

impl AdminKey {
    /// Finds or creates the key, and stores it in place of an earlier one. If a stored key is missing in the database,
    /// it was deleted: it stays deleted, and another one is created.
    pub(crate) async fn prepare(app: &App, options: &Options, folder: &Path) -> Result<Self, BoxError> {
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
            subscribe: Vec::new(),
            created_at: app.now(),
            expires_at: None,
            expires: None,
        };
        if earlier.as_ref().is_none_or(|earlier| earlier.sha256 != stored.sha256) {
            if let Some(earlier) = earlier {
                app.store.remove_key(&earlier).await?;
            }
            app.store.put_key(&stored).await?;
        }
        Ok(key)
    }

    /// Prints a newly created key. `folder` is the folder that stores it.
    pub fn announce(&self, folder: Option<&Path>) {
        if !self.is_new {
            return;
        }
        // A closed standard error is no reason to stop.
        let _ = writeln!(io::stderr(), "the admin key, shown this once: {}", self.secret);
        if let Some(folder) = folder {
            let _ = writeln!(io::stderr(), "stored in {}", admin_key_file(folder).display());
        }
    }

    fn made_in(folder: &Path) -> Result<Self, BoxError> {
        let path = admin_key_file(folder);
        let secret = new_secret()?;
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        writeln!(file, "{secret}")?;
        file.sync_all()?;
        sync_folder(folder)?;
        Ok(Self { secret, is_new: true })
    }
}

/// The key stored in a folder.
fn kept_in(folder: &Path) -> Result<Option<String>, BoxError> {
    let path = admin_key_file(folder);
    match fs::read_to_string(&path) {
        Ok(text) if is_key(text.trim()) => Ok(Some(text.trim().to_owned())),
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(_) => Err(format!("{} contains no key; remove it to create another", path.display()).into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display()).into()),
    }
}

const MIN_CHARACTERS: usize = 32;

/// True for a valid key: long enough, and only characters allowed in a header.
pub fn is_key(text: &str) -> bool {
    text.len() >= MIN_CHARACTERS && text.chars().all(|c| c.is_ascii_graphic())
}

fn new_secret() -> Result<String, BoxError> {
    Ok(format!("sbk_{}", data_encoding::BASE64URL_NOPAD.encode(&random::<32>()?)))
}
