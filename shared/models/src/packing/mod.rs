//! Compression of an event's reading and body, for events that then take fewer of DynamoDB's write units.
//!
//! Deflate makes codes for each input and describes them in its output, which is dear for 1 KB. So this is LZ77 with a
//! dictionary, and Huffman codes that are constant; `docs/performance.md` compares it with libraries. A packed event is the
//! lengths of reading and body, three bytes each, and then literals and matches until both are complete: a code for a byte,
//! or one for the length of a match followed by its distance. The dictionary is what precedes the first byte.

mod codes;
mod dictionary;

use codes::{DISTANCES, Reader, SYMBOLS, Writer};
use dictionary::DICTIONARY;
use std::sync::LazyLock;

/// Most bytes of a reading and a body together, packed or unpacked: a body has at most 256 KB, and DynamoDB's items 400.
pub const MAX_BYTES: usize = 512 * 1024;

/// Shortest match, in bytes.
const SHORTEST: usize = 4;
/// Longest match, in bytes. A longer one becomes several.
const LONGEST: usize = 1 << 17;
/// Symbol of the shortest match lengths, after those of the bytes.
const MATCH: usize = 256;
/// Bits of a stated length.
const LENGTH_BITS: u32 = 24;
/// Bits of a hash of four bytes.
const HASH_BITS: u32 = 11;

/// Bytes that [`pack`] did not make.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the packed body is corrupt")]
pub struct Corrupt;

/// The last position of four bytes, by their hash.
type Positions = [u32; 1 << HASH_BITS];

/// The positions in the dictionary.
static IN_DICTIONARY: LazyLock<Positions> = LazyLock::new(|| {
    let mut positions = [0; 1 << HASH_BITS];
    for (position, bytes) in (0_u32..).zip(DICTIONARY.windows(SHORTEST)) {
        if let Some(bytes) = bytes.first_chunk() {
            positions[hash(*bytes)] = position;
        }
    }
    positions
});

fn hash(bytes: [u8; SHORTEST]) -> usize {
    (u32::from_le_bytes(bytes).wrapping_mul(2_654_435_761) >> (u32::BITS - HASH_BITS)) as usize
}

/// Packs a reading and a body; none if they are too large.
pub fn pack(reading: &str, body: &[u8]) -> Option<Vec<u8>> {
    let length = reading.len() + body.len();
    if length > MAX_BYTES {
        return None;
    }
    let text = [DICTIONARY, reading.as_bytes(), body].concat();
    let mut positions = *IN_DICTIONARY;
    let (symbols, distances) = (&*SYMBOLS, &*DISTANCES);
    let mut writer = Writer::with_capacity(length);
    for length in [reading.len(), body.len()] {
        writer.write_bits(length as u32, LENGTH_BITS);
    }
    let mut at = DICTIONARY.len();
    while let Some(bytes) = text[at..].first_chunk::<SHORTEST>() {
        let position = &mut positions[hash(*bytes)];
        let earlier = *position as usize;
        *position = at as u32;
        if text[earlier..].first_chunk() != Some(bytes) {
            writer.write(symbols, usize::from(bytes[0]));
            at += 1;
            continue;
        }
        let pairs = text[earlier..].iter().zip(&text[at..]).take(LONGEST);
        let matched = pairs.take_while(|(earlier, now)| earlier == now).count();
        writer.write_number(symbols, MATCH, (matched - SHORTEST + 1) as u32);
        writer.write_number(distances, 0, (at - earlier) as u32);
        at += matched;
        if let Some(bytes) = text[at - 2..].first_chunk() {
            positions[hash(*bytes)] = (at - 2) as u32;
        }
    }
    for byte in &text[at..] {
        writer.write(symbols, usize::from(*byte));
    }
    Some(writer.finish())
}

/// The reading and the body of a packed event.
pub fn unpack(packed: &[u8]) -> Result<(String, Vec<u8>), Corrupt> {
    let mut reader = Reader::new(packed);
    let body_at = DICTIONARY.len() + reader.read_bits(LENGTH_BITS)?;
    let end = body_at + reader.read_bits(LENGTH_BITS)?;
    if end > DICTIONARY.len() + MAX_BYTES {
        return Err(Corrupt);
    }
    let mut text = Vec::with_capacity(end);
    text.extend_from_slice(DICTIONARY);
    let (symbols, distances) = (&*SYMBOLS, &*DISTANCES);
    while text.len() < end {
        let symbol = reader.read(symbols)?;
        match u8::try_from(symbol) {
            Ok(byte) => text.push(byte),
            Err(_) => {
                let matched = reader.read_number(symbol - MATCH)? + SHORTEST - 1;
                let class = reader.read(distances)?;
                repeat(&mut text, reader.read_number(class)?, matched, end)?;
            }
        }
    }
    reader.finish()?;
    let body = text.split_off(body_at);
    let reading = text.split_off(DICTIONARY.len());
    Ok((String::from_utf8(reading).map_err(|_| Corrupt)?, body))
}

/// Appends earlier bytes, which may overlap with the appended ones.
fn repeat(text: &mut Vec<u8>, distance: usize, matched: usize, end: usize) -> Result<(), Corrupt> {
    let start = text.len().checked_sub(distance).ok_or(Corrupt)?;
    if text.len() + matched > end {
        return Err(Corrupt);
    }
    if matched <= distance {
        text.extend_from_within(start..start + matched);
    } else {
        for at in start..start + matched {
            text.push(text[at]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
