use super::*;
use proptest::prelude::*;

const READING: &str = r#"{"f":{"subscriber.id":"/user/id","tag":"/tag"}}"#;

fn packed(body: &[u8]) -> Vec<u8> {
    pack(READING, body).unwrap()
}

fn is_restored(reading: &str, body: &[u8]) -> bool {
    unpack(&pack(reading, body).unwrap()) == Ok((reading.to_owned(), body.to_vec()))
}

proptest! {
    #[test]
    fn any_bytes_are_restored(reading in ".{0,80}", body in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(is_restored(&reading, &body));
    }

    #[test]
    fn repetitive_text_is_restored(words in prop::collection::vec("[a-c]{1,9}|\"user\":|é", 0..400)) {
        prop_assert!(is_restored(READING, words.concat().as_bytes()));
    }

    #[test]
    fn other_bytes_are_corrupt_or_restored_within_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok((reading, body)) = unpack(&bytes) {
            prop_assert!(reading.len() + body.len() <= MAX_BYTES);
        }
    }
}

#[test]
fn all_bytes_and_the_longest_matches_are_restored() {
    let all: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    let cases = [Vec::new(), b"x".to_vec(), all, vec![b'x'; MAX_BYTES - READING.len()]];
    for body in cases {
        assert!(is_restored(READING, &body), "{} bytes", body.len());
    }
    assert_eq!(pack(READING, &vec![b'x'; MAX_BYTES]), None);
}

/// Stored events depend on the dictionary and the codes.
#[test]
fn packed_bytes_do_not_change() {
    let body = r#"{"user":{"id":"u-1","name":"Ava Chen"},"tag":"vip","note":"Grüße, до встречи"}"#;
    assert_eq!(data_encoding::BASE64.encode(&packed(body.as_bytes())), PACKED);
}

const PACKED: &str =
    "AAAvAABZ4jELdgOjJMXl6JkAEtvDb1YXK1+J4zjXLnO0IDn0DWzokVV0JtZf2LZiDoq9d97670QuBr9Rr8YNfpuPw+PzfH5rX6nj87r8Q2o=";

#[test]
fn a_person_and_a_message_take_two_thirds() {
    let note = "Could you check with the courier whether the second parcel was left somewhere else? The tracking page says \
                it was handed over at noon; nobody was home then. If it is lost, a refund to my card would be fine.";
    let body = format!(
        r#"{{"user":{{"id":"5c517b7773515eaa3078e2f0","first_name":"Ava","last_name":"Chen","email":"ava@example.com",
        "locale":"en_US","tags":["vip"]}},"message":{{"text":"{note}"}}}}"#
    );
    let ratio = packed(body.as_bytes()).len() as f64 / body.len() as f64;
    assert!(ratio < 0.66, "{ratio}");
}

#[test]
fn an_incomplete_or_oversized_text_is_corrupt() {
    let whole = packed(b"{\"tag\":\"vip\"}");
    for length in 0..whole.len() {
        assert_eq!(unpack(&whole[..length]), Err(Corrupt), "{length}");
    }
    // Sixteen megabytes are declared.
    assert_eq!(unpack(&[&[0xff; 6], &whole[6..]].concat()), Err(Corrupt));
    let before_the_dictionary = [0, 0, 0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(unpack(&before_the_dictionary), Err(Corrupt));
}
