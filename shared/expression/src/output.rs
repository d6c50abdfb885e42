//! Output of an expression, up to its size limit.

use std::io;

/// Largest request body, in bytes.
pub const MAX_OUTPUT_BYTES: usize = 1 << 20;

/// A text of up to 1 MB. Bytes beyond the limit are counted, but not kept.
#[derive(Default)]
pub struct Output {
    text: Vec<u8>,
    bytes: usize,
}

impl Output {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        if self.bytes <= MAX_OUTPUT_BYTES {
            self.text.extend_from_slice(bytes);
        } else {
            self.text = Vec::new();
        }
    }

    pub fn push_text(&mut self, text: &str) {
        // Writing to memory can't fail, and any text is valid JSON.
        let _ = serde_json::to_writer(self, text);
    }

    pub const fn is_too_large(&self) -> bool {
        self.bytes > MAX_OUTPUT_BYTES
    }

    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn into_text(self) -> Vec<u8> {
        self.text
    }
}

impl io::Write for &mut Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
