//! Canonical Huffman codes with constant lengths, and the bits that they are written in, the highest first.

use super::{
    Corrupt,
    dictionary::{DISTANCE_LENGTHS, SYMBOL_LENGTHS},
};
use std::{iter, sync::LazyLock};

pub static SYMBOLS: LazyLock<Codes> = LazyLock::new(|| Codes::new(SYMBOL_LENGTHS));
pub static DISTANCES: LazyLock<Codes> = LazyLock::new(|| Codes::new(DISTANCE_LENGTHS));

/// Longest code, in bits.
const LONGEST: u32 = 12;

#[derive(Clone, Copy, Default)]
struct Code {
    bits: u32,
    length: u32,
}

pub struct Codes {
    by_symbol: Vec<Code>,
    /// Symbol and code length, by the next [`LONGEST`] bits.
    by_bits: Vec<(u16, u8)>,
}

impl Codes {
    fn new(lengths: &[u8]) -> Self {
        let mut codes = Self { by_symbol: vec![Code::default(); lengths.len()], by_bits: Vec::new() };
        for length in 1..=LONGEST {
            let of_length = (0_u16..).zip(lengths).filter(|(_, letter)| u32::from(**letter - b'a') + 1 == length);
            for (symbol, _) in of_length {
                let bits = u32::try_from(codes.by_bits.len()).unwrap_or_default() >> (LONGEST - length);
                codes.by_symbol[usize::from(symbol)] = Code { bits, length };
                codes.by_bits.extend(iter::repeat_n((symbol, length as u8), 1 << (LONGEST - length)));
            }
        }
        codes
    }
}

pub struct Writer {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl Writer {
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), pending: 0, count: 0 }
    }

    pub fn write(&mut self, codes: &Codes, symbol: usize) {
        let Code { bits, length } = codes.by_symbol[symbol];
        self.write_bits(bits, length);
    }

    /// Writes at most 32 bits.
    pub fn write_bits(&mut self, bits: u32, count: u32) {
        self.pending = self.pending << count | u64::from(bits);
        self.count += count;
        if self.count >= 32 {
            self.count -= 32;
            self.bytes.extend_from_slice(&((self.pending >> self.count) as u32).to_be_bytes());
        }
    }

    /// Writes a number from 1 on: the code of its class, which is the number of its bits, then the bits below the first.
    pub fn write_number(&mut self, codes: &Codes, first_symbol: usize, number: u32) {
        let class = number.ilog2();
        self.write(codes, first_symbol + class as usize);
        self.write_bits(number ^ 1 << class, class);
    }

    pub fn finish(mut self) -> Vec<u8> {
        let rest = (self.pending << (32 - self.count)) as u32;
        self.bytes.extend_from_slice(&rest.to_be_bytes()[..self.count.div_ceil(8) as usize]);
        self.bytes
    }
}

pub struct Reader<'a> {
    bytes: &'a [u8],
    pending: u64,
    count: u32,
    /// Zero bits that were added after the end.
    added: u32,
}

impl<'a> Reader<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, pending: 0, count: 0, added: 0 }
    }

    /// Makes the next 32 bits available.
    fn fill(&mut self) -> Result<(), Corrupt> {
        while self.count <= 32 {
            let byte = match self.bytes.split_first() {
                Some((first, rest)) => {
                    self.bytes = rest;
                    *first
                }
                None => {
                    self.added += 8;
                    0
                }
            };
            self.pending = self.pending << 8 | u64::from(byte);
            self.count += 8;
        }
        self.finish()
    }

    /// Fails if bits after the end were read.
    pub const fn finish(&self) -> Result<(), Corrupt> {
        if self.added > self.count { Err(Corrupt) } else { Ok(()) }
    }

    pub fn read(&mut self, codes: &Codes) -> Result<usize, Corrupt> {
        self.fill()?;
        let next = self.pending >> (self.count - LONGEST) & ((1 << LONGEST) - 1);
        let (symbol, length) = codes.by_bits.get(next as usize).ok_or(Corrupt)?;
        self.count -= u32::from(*length);
        Ok(usize::from(*symbol))
    }

    /// Reads at most 32 bits.
    pub fn read_bits(&mut self, count: u32) -> Result<usize, Corrupt> {
        self.fill()?;
        self.count -= count;
        Ok((self.pending >> self.count & ((1 << count) - 1)) as usize)
    }

    /// Reads the bits below the first of a number of this class, which is one of the codes'.
    pub fn read_number(&mut self, class: usize) -> Result<usize, Corrupt> {
        Ok(1 << class | self.read_bits(class as u32)?)
    }
}
