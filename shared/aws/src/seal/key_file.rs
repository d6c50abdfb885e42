//! Sealing key of a laptop: 32 random bytes in a file.

use super::{
    SealError,
    cipher::{Cipher, KEY_BYTES},
    decode,
};
use data_encoding::BASE64URL_NOPAD;
use models::clock::random;
use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};
use zeroize::Zeroizing;

const PREFIX: &str = "aes256gcm.";

pub struct KeyFile(Cipher);

impl KeyFile {
    /// Reads the key from a file that only its owner can read.
    pub fn read(path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::File { path: path.to_owned(), source };
        if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(SealError::Exposed(path.to_owned()));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
        let key = BASE64URL_NOPAD.decode(text.trim().as_bytes()).map(Zeroizing::new);
        let cipher = key.ok().and_then(|key| Cipher::new(&key).ok());
        cipher.map(Self).ok_or_else(|| SealError::WrongLength(path.to_owned()))
    }

    /// Creates the file with mode 0600, unless it exists. It appears complete or not at all: a truncated key would make
    /// everything that is sealed later unreadable.
    pub fn create(path: &Path) -> Result<(), SealError> {
        let failed = |source| SealError::File { path: path.to_owned(), source };
        if path.try_exists().map_err(failed)? {
            return Ok(());
        }
        let part = path.with_extension("part");
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(failed)?;
        writeln!(file, "{}", BASE64URL_NOPAD.encode(&random::<KEY_BYTES>()?)).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        fs::rename(part, path).map_err(failed)
    }

    pub fn seal(&self, record: &str, plain: &str) -> Result<String, SealError> {
        Ok(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&self.0.seal(record, plain)?)))
    }

    pub fn open(&self, record: &str, sealed: &str) -> Result<String, SealError> {
        self.0.open(record, &decode(sealed.strip_prefix(PREFIX).ok_or(SealError::Broken)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> KeyFile {
        KeyFile(Cipher::new(&[byte; KEY_BYTES]).unwrap())
    }

    #[test]
    fn a_sealed_text_opens_only_for_its_record() {
        let sealer = key(7);
        let sealed = sealer.seal("con_1", "secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_ne!(sealed, sealer.seal("con_1", "secret").unwrap());
        assert_eq!(sealer.open("con_1", &sealed).unwrap(), "secret");
        assert!(sealer.open("con_2", &sealed).is_err());
        assert!(key(8).open("con_1", &sealed).is_err());
        for broken in ["", "aes256gcm.", "aes256gcm.AAAA", "plain"] {
            assert!(sealer.open("con_1", broken).is_err());
        }
    }

    #[test]
    fn texts_sealed_by_an_earlier_release_open() {
        for (sealed, plain) in [
            ("aes256gcm.2Zn_EXjqm_tGoZjaAThnR1NvzrDuHXM5ZkQKOjcuPeu3Xw", "secret"),
            ("aes256gcm.KivkMJUjhAFVitv-BkUBWO03jX9LoPc1FVjQsw", ""),
            (
                "aes256gcm.2huHN5xvF1D8OqA0uOOQdkHVsC1rgBuO8yYT4MpuyIMfAJduXIylO2MPOKRxQ7RuAijLsiiSsJsp_G1QTw",
                "{\"access_token\":\"tok\\u00e9n ☃\"}",
            ),
        ] {
            assert_eq!(key(7).open("con_1", sealed).unwrap(), plain);
            assert!(matches!(key(7).open("con_2", sealed), Err(SealError::Broken)));
        }
    }

    #[test]
    fn only_the_owner_can_read_the_key_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(matches!(KeyFile::read(&path), Err(SealError::File { .. })));
        KeyFile::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let sealed = KeyFile::read(&path).unwrap().seal("a", "b").unwrap();
        KeyFile::create(&path).unwrap();
        assert_eq!(KeyFile::read(&path).unwrap().open("a", &sealed).unwrap(), "b", "an existing key stays");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(KeyFile::read(&path), Err(SealError::Exposed(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(matches!(KeyFile::read(&path), Err(SealError::WrongLength(_))));
    }
}
