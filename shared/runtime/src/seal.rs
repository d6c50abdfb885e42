//! Sealing: credentials and hook tokens reach the table encrypted, bound to the record they belong to. On AWS a KMS key
//! of the stack does it; on a laptop a key file that only its owner can read.

use crate::{Code, Problem, clock::random};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_sdk_kms::{error::SdkError, primitives::Blob};
use data_encoding::BASE64URL_NOPAD;
use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("neither SEALING_KEY_ARN nor SEALING_KEY_FILE is set, and nothing can be sealed without a key")]
    NoKey,
    #[error("KMS refused a request")]
    Kms(#[source] Box<aws_sdk_kms::Error>),
    #[error("KMS could not be reached")]
    Unreached(#[source] Box<aws_sdk_kms::Error>),
    #[error("cannot use the sealing key {path}")]
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
        match error {
            // Nothing was sealed or opened, and so nothing was done with it.
            SealError::Unreached(_) => {
                Self::new(Code::StoreUnavailable, "KMS could not be reached; try again").caused_by(error)
            }
            error => Self::internal(error),
        }
    }
}

/// Seals texts for records.
pub enum Sealer {
    File(KeyFile),
    Kms(KmsKey),
}

impl Sealer {
    /// Seals a text for the record with this id; it opens for no other.
    pub async fn seal(&self, record: &str, plain: &str) -> Result<String, SealError> {
        match self {
            Self::File(key) => key.seal(record, plain),
            Self::Kms(key) => key.seal(record, plain).await,
        }
    }

    pub async fn open(&self, record: &str, sealed: &str) -> Result<String, SealError> {
        match self {
            Self::File(key) => key.open(record, sealed),
            Self::Kms(key) => key.open(record, sealed).await,
        }
    }
}

/// A KMS key. The record is the encryption context, so that a trail of the key's use tells what was opened.
pub struct KmsKey {
    pub client: aws_sdk_kms::Client,
    pub arn: String,
}

/// What sealed texts begin with, to tell by what they were sealed.
const KMS_PREFIX: &str = "kms.";
const FILE_PREFIX: &str = "aes256gcm.";
const RECORD: &str = "record";

impl KmsKey {
    async fn seal(&self, record: &str, plain: &str) -> Result<String, SealError> {
        let encrypt = self.client.encrypt().key_id(&self.arn).encryption_context(RECORD, record);
        let sealed = encrypt.plaintext(Blob::new(plain)).send().await.map_err(failed)?;
        let bytes = sealed.ciphertext_blob.ok_or(SealError::Broken)?;
        Ok(format!("{KMS_PREFIX}{}", BASE64URL_NOPAD.encode(bytes.as_ref())))
    }

    async fn open(&self, record: &str, sealed: &str) -> Result<String, SealError> {
        let bytes = decode(sealed, KMS_PREFIX)?;
        let decrypt = self.client.decrypt().key_id(&self.arn).encryption_context(RECORD, record);
        let plain = decrypt.ciphertext_blob(Blob::new(bytes)).send().await.map_err(failed)?;
        String::from_utf8(plain.plaintext.ok_or(SealError::Broken)?.into_inner()).map_err(|_| SealError::Broken)
    }
}

fn failed<E, R>(error: SdkError<E, R>) -> SealError
where
    aws_sdk_kms::Error: From<SdkError<E, R>>,
{
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            SealError::Unreached(Box::new(error.into()))
        }
        _ => SealError::Kms(Box::new(error.into())),
    }
}

fn decode(sealed: &str, prefix: &str) -> Result<Vec<u8>, SealError> {
    let encoded = sealed.strip_prefix(prefix).ok_or(SealError::Broken)?;
    BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| SealError::Broken)
}

/// Seals with AES-256-GCM under a key kept in a file.
pub struct KeyFile(LessSafeKey);

const KEY_BYTES: usize = 32;

impl KeyFile {
    fn from_key(key: &[u8; KEY_BYTES]) -> Result<Self, SealError> {
        UnboundKey::new(&AES_256_GCM, key).map(|key| Self(LessSafeKey::new(key))).map_err(|_| SealError::Broken)
    }

    /// Reads the key from a file that only its owner can read.
    pub fn read(path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::File { path: path.to_owned(), source };
        if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(SealError::Exposed(path.to_owned()));
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let key = BASE64URL_NOPAD.decode(text.trim().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        Self::from_key(&key.ok_or_else(|| SealError::WrongLength(path.to_owned()))?)
    }

    /// Makes the file, mode 0600, unless it is there already. It appears whole or not at all: a key that was cut off
    /// would lock out all that is sealed later.
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

    fn seal(&self, record: &str, plain: &str) -> Result<String, SealError> {
        let nonce = random::<NONCE_LEN>()?;
        let mut bytes = plain.as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(record), &mut bytes)
            .map_err(|_| SealError::Broken)?;
        Ok(format!("{FILE_PREFIX}{}", BASE64URL_NOPAD.encode(&[nonce.as_slice(), &bytes].concat())))
    }

    fn open(&self, record: &str, sealed: &str) -> Result<String, SealError> {
        let bytes = decode(sealed, FILE_PREFIX)?;
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
        let sealer = KeyFile::from_key(&[7; 32]).unwrap();
        let sealed = sealer.seal("con_1", "secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_ne!(sealed, sealer.seal("con_1", "secret").unwrap());
        assert_eq!(sealer.open("con_1", &sealed).unwrap(), "secret");
        assert!(sealer.open("con_2", &sealed).is_err());
        assert!(KeyFile::from_key(&[8; 32]).unwrap().open("con_1", &sealed).is_err());
        for broken in ["", "aes256gcm.", "aes256gcm.AAAA", "plain"] {
            assert!(sealer.open("con_1", broken).is_err());
        }
    }

    #[test]
    fn the_key_file_is_for_its_owner() {
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
