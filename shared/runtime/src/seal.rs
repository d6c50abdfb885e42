//! Sealing: credentials and hook tokens reach the table encrypted, bound to the record they belong to.

use crate::{Problem, clock::random};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::BASE64URL_NOPAD;
use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("SEALING_KEY_FILE is not set, and nothing can be sealed without a key")]
    NoKey,
    #[error("the sealing key {path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("the sealing key {0} does not hold 32 bytes")]
    WrongLength(PathBuf),
    #[error("the sealing key {0} can be read by others: its mode must be 0600")]
    Exposed(PathBuf),
    #[error("what was sealed cannot be opened with this key for this record")]
    Broken,
    #[error(transparent)]
    Random(#[from] crate::clock::NoRandom),
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        Self::internal(error)
    }
}

/// Seals with AES-256-GCM under a key of its own.
pub struct Sealer(LessSafeKey);

const KEY_BYTES: usize = 32;
/// What a sealed text begins with, so that another kind of sealing can be told apart later.
const PREFIX: &str = "aes256gcm.";

impl Sealer {
    pub fn from_key(key: &[u8; KEY_BYTES]) -> Result<Self, SealError> {
        UnboundKey::new(&AES_256_GCM, key).map(|key| Self(LessSafeKey::new(key))).map_err(|_| SealError::Broken)
    }

    /// Reads the key from a file that only its owner can read.
    pub fn from_file(path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::File { path: path.to_owned(), source };
        if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(SealError::Exposed(path.to_owned()));
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let key = BASE64URL_NOPAD.decode(text.trim().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        Self::from_key(&key.ok_or_else(|| SealError::WrongLength(path.to_owned()))?)
    }

    /// Makes the key file, mode 0600, unless it is there already.
    pub fn create_file(path: &Path) -> Result<(), SealError> {
        let failed = |source| SealError::File { path: path.to_owned(), source };
        let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = match opened {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            other => other.map_err(failed)?,
        };
        writeln!(file, "{}", BASE64URL_NOPAD.encode(&random::<KEY_BYTES>()?)).map_err(failed)?;
        file.sync_all().map_err(failed)
    }

    /// Seals a text for the record with this id; it opens for no other.
    pub fn seal(&self, record: &str, plain: &str) -> Result<String, SealError> {
        let nonce = random::<NONCE_LEN>()?;
        let mut bytes = plain.as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(record), &mut bytes)
            .map_err(|_| SealError::Broken)?;
        Ok(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&[nonce.as_slice(), &bytes].concat())))
    }

    pub fn open(&self, record: &str, sealed: &str) -> Result<String, SealError> {
        let encoded = sealed.strip_prefix(PREFIX).ok_or(SealError::Broken)?;
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| SealError::Broken)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or(SealError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Broken)?;
        let mut sealed = sealed.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::from(record), &mut sealed).map_err(|_| SealError::Broken)?;
        String::from_utf8(plain.to_vec()).map_err(|_| SealError::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_record_alone() {
        let sealer = Sealer::from_key(&[7; 32]).unwrap();
        let sealed = sealer.seal("con_1", "secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_ne!(sealed, sealer.seal("con_1", "secret").unwrap());
        assert_eq!(sealer.open("con_1", &sealed).unwrap(), "secret");
        assert!(sealer.open("con_2", &sealed).is_err());
        assert!(Sealer::from_key(&[8; 32]).unwrap().open("con_1", &sealed).is_err());
        for broken in ["", "aes256gcm.", "aes256gcm.AAAA", "plain"] {
            assert!(sealer.open("con_1", broken).is_err());
        }
    }

    #[test]
    fn the_key_file_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(matches!(Sealer::from_file(&path), Err(SealError::File { .. })));
        Sealer::create_file(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let sealed = Sealer::from_file(&path).unwrap().seal("a", "b").unwrap();
        Sealer::create_file(&path).unwrap();
        assert_eq!(Sealer::from_file(&path).unwrap().open("a", &sealed).unwrap(), "b", "an existing key stays");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Sealer::from_file(&path), Err(SealError::Exposed(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(matches!(Sealer::from_file(&path), Err(SealError::WrongLength(_))));
    }
}
