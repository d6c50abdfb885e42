//! Cursors of lists. A cursor holds a position and a digest that binds it to its list and filters, so that a cursor of
//! another list is rejected. It grants no access, so the digest needs no secret.

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::BASE64URL_NOPAD;

const DIGEST_BYTES: usize = 9;

fn digest(list: &str, position: &str) -> [u8; DIGEST_BYTES] {
    let mut digest = Context::new(&SHA256);
    digest.update(&(list.len() as u64).to_be_bytes());
    digest.update(list.as_bytes());
    digest.update(position.as_bytes());
    let mut bytes = [0; DIGEST_BYTES];
    bytes.copy_from_slice(&digest.finish().as_ref()[..DIGEST_BYTES]);
    bytes
}

/// Length of a cursor for a position of this size.
pub const fn length(position_bytes: usize) -> usize {
    ((DIGEST_BYTES + position_bytes) * 4).div_ceil(3)
}

/// Encodes a cursor. `list` names the list with all its filters.
pub fn encode(list: &str, position: &str) -> String {
    let mut bytes = digest(list, position).to_vec();
    bytes.extend_from_slice(position.as_bytes());
    BASE64URL_NOPAD.encode(&bytes)
}

/// The position in a cursor of this list.
pub fn decode(list: &str, cursor: &str) -> Option<String> {
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
    let (check, position) = bytes.split_at_checked(DIGEST_BYTES)?;
    let position = std::str::from_utf8(position).ok()?;
    (check == digest(list, position)).then(|| position.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_is_valid_only_for_its_list(list in ".*", other in ".*", position in ".*") {
            let cursor = encode(&list, &position);
            prop_assert_eq!(decode(&list, &cursor), Some(position));
            prop_assert_eq!(decode(&other, &cursor).is_some(), other == list);
        }

        #[test]
        fn random_text_is_not_a_cursor(text in ".*") {
            prop_assert_eq!(decode("events", &text), None);
        }
    }
}
