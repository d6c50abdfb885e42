//! AES-256-GCM with a random nonce, and the record's id as associated data. The result is nonce, ciphertext and tag in
//! one.

use super::SealError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

pub const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

pub struct Cipher(RandomizedNonceKey);

impl Cipher {
    /// Fails unless the key has 32 bytes.
    pub fn new(key: &[u8]) -> Result<Self, SealError> {
        RandomizedNonceKey::new(&AES_256_GCM, key).map(Self).map_err(|_| SealError::Broken)
    }

    pub fn seal(&self, record: &str, plain: &str) -> Result<Vec<u8>, SealError> {
        // Includes capacity for the tag, so that no reallocation leaves a copy of the plaintext in memory.
        let mut bytes = Vec::with_capacity(plain.len() + TAG_BYTES);
        bytes.extend_from_slice(plain.as_bytes());
        let nonce = self.0.seal_in_place_append_tag(Aad::from(record), &mut bytes).map_err(|_| SealError::Broken)?;
        Ok([nonce.as_ref().as_slice(), &bytes].concat())
    }

    pub fn open(&self, record: &str, sealed: &[u8]) -> Result<String, SealError> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Broken)?;
        let mut bytes = sealed.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::from(record), &mut bytes).map_err(|_| SealError::Broken)?;
        let length = plain.len();
        bytes.truncate(length);
        String::from_utf8(bytes).map_err(|_| SealError::Broken)
    }
}
