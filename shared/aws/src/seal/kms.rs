//! Envelope encryption: KMS creates and wraps a data key for each sealed text, and the text is encrypted here. So its
//! length is not limited to the 4,096 bytes that KMS encrypts. The record's id is the encryption context of the data
//! key and the associated data of the text.

use super::{SealError, cipher::Cipher, decode};
use aws_sdk_kms::{
    error::{ProvideErrorMetadata as _, SdkError},
    primitives::Blob,
    types::DataKeySpec,
};
use data_encoding::BASE64URL_NOPAD;
use models::{cache::Cache, clock::Clock};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Prefix of a wrapped data key, `.`, and the text encrypted with that key.
const PREFIX: &str = "kms2.";
/// Prefix of a text encrypted by KMS itself, as in earlier releases.
const DIRECT_PREFIX: &str = "kms.";
const RECORD: &str = "record";

/// Lifetime of an unwrapped data key in a process. A disabled key or a revoked permission takes effect within it. In
/// `deliver`, which caches decrypted targets for as long, it takes effect within twice this time.
const CACHE_SECONDS: u64 = 300;
const MAX_CACHED: usize = 1_000;

type Bytes = Arc<Zeroizing<Vec<u8>>>;

/// A KMS key.
pub struct KmsKey {
    client: aws_sdk_kms::Client,
    arn: String,
    clock: Arc<dyn Clock>,
    /// Decrypted data, by record and ciphertext, so that a warm `deliver` opens a route without a request.
    decrypted: Cache<String, Bytes, CACHE_SECONDS, MAX_CACHED>,
}

impl KmsKey {
    pub fn new(client: aws_sdk_kms::Client, arn: String, clock: Arc<dyn Clock>) -> Self {
        Self { client, arn, clock, decrypted: Cache::default() }
    }

    /// Seals a text with a data key of its own: no nonce can repeat, and a leaked data key opens one text. Only saving
    /// a connection, a hook or a route seals, so one request each is cheap.
    pub async fn seal(&self, record: &str, plain: &str) -> Result<String, SealError> {
        let generate = self.client.generate_data_key().key_id(&self.arn).key_spec(DataKeySpec::Aes256);
        let made = generate.encryption_context(RECORD, record).send().await.map_err(failed)?;
        let (Some(key), Some(wrapped)) = (made.plaintext, made.ciphertext_blob) else { return Err(SealError::Broken) };
        let text = Cipher::new(&Zeroizing::new(key.into_inner()))?.seal(record, plain)?;
        Ok(format!("{PREFIX}{}.{}", BASE64URL_NOPAD.encode(wrapped.as_ref()), BASE64URL_NOPAD.encode(&text)))
    }

    pub async fn open(&self, record: &str, sealed: &str) -> Result<String, SealError> {
        if let Some(encoded) = sealed.strip_prefix(DIRECT_PREFIX) {
            let plain = self.decrypt(record, encoded).await?;
            return String::from_utf8(plain.to_vec()).map_err(|_| SealError::Broken);
        }
        let parts = sealed.strip_prefix(PREFIX).and_then(|parts| parts.split_once('.'));
        let (wrapped, text) = parts.ok_or(SealError::Broken)?;
        let text = decode(text)?;
        Cipher::new(&self.decrypt(record, wrapped).await?)?.open(record, &text)
    }

    async fn decrypt(&self, record: &str, encoded: &str) -> Result<Bytes, SealError> {
        let (name, now) = (format!("{record} {encoded}"), self.clock.now());
        if let Some(bytes) = self.decrypted.get(&name, now) {
            return Ok(bytes);
        }
        let decrypt = self.client.decrypt().key_id(&self.arn).encryption_context(RECORD, record);
        let opened = decrypt.ciphertext_blob(Blob::new(decode(encoded)?)).send().await.map_err(failed)?;
        let bytes = Arc::new(Zeroizing::new(opened.plaintext.ok_or(SealError::Broken)?.into_inner()));
        self.decrypted.put(name, Arc::clone(&bytes), now);
        Ok(bytes)
    }
}

/// Errors of the request itself. Others are temporary: throttling, a lost connection, a key or permission that does not
/// exist yet.
const PERMANENT_ERRORS: [&str; 4] =
    ["InvalidCiphertextException", "IncorrectKeyException", "InvalidKeyUsageException", "ValidationException"];

fn failed<E, R>(error: SdkError<E, R>) -> SealError
where
    aws_sdk_kms::Error: From<SdkError<E, R>>,
{
    let error = Box::new(aws_sdk_kms::Error::from(error));
    match error.code() {
        Some(code) if PERMANENT_ERRORS.contains(&code) => SealError::Refused(error),
        _ => SealError::Unavailable(error),
    }
}

#[cfg(test)]
#[path = "kms_tests.rs"]
mod tests;
