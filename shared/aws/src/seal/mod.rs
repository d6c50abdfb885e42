//! Sealing: credentials, hook tokens and routes' secrets are encrypted before they are stored, each bound to its
//! record's id. On AWS a KMS key of the stack wraps the data keys; on a laptop the key is a file that only its owner
//! can read.

mod cipher;
mod key_file;
mod kms;

pub use key_file::KeyFile;
pub use kms::KmsKey;

use data_encoding::BASE64URL_NOPAD;
use models::{Failure, FailureKind, failure::Service};
use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("set SEALING_KEY_ARN or SEALING_KEY_FILE: secrets can't be stored without a key")]
    NoKey,
    #[error("KMS rejected a request")]
    Refused(#[source] Box<aws_sdk_kms::Error>),
    #[error("KMS is unavailable")]
    Unavailable(#[source] Box<aws_sdk_kms::Error>),
    #[error("cannot use the sealing key {path}")]
    File { path: PathBuf, source: io::Error },
    #[error("the sealing key {0} does not hold 32 bytes")]
    WrongLength(PathBuf),
    #[error("the sealing key {0} can be read by others; set its mode to 0600")]
    Exposed(PathBuf),
    #[error("a sealed text can't be decrypted with this key for this record")]
    Broken,
    #[error(transparent)]
    Random(#[from] models::clock::NoRandom),
}

impl Failure for SealError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Unavailable(_) => FailureKind::StoreUnavailable(Service::Kms),
            Self::NoKey
            | Self::Refused(_)
            | Self::File { .. }
            | Self::WrongLength(_)
            | Self::Exposed(_)
            | Self::Broken
            | Self::Random(_) => FailureKind::Internal,
        }
    }
}

/// Encrypts texts for records.
pub enum Sealer {
    File(KeyFile),
    Kms(Box<KmsKey>),
}

impl Sealer {
    /// Seals a text for the record with this id. It can't be opened for another.
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

fn decode(encoded: &str) -> Result<Vec<u8>, SealError> {
    BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| SealError::Broken)
}
