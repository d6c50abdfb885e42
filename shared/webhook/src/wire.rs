//! Stream of one connection. It keeps the status that the target sent, which counts even if the rest of the answer is
//! not valid HTTP. It also reads the answer of a target that closes before it has read the whole request.

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

/// Bytes of a line that suffice to recognise a status line.
const MAX_LINE_BYTES: usize = 64;
/// The beginning of every request of the client.
const REQUEST: &[u8] = b"POST ";

pub struct Wire<S> {
    stream: S,
    observations: Observations,
    /// True once the target reads no more.
    is_shut: bool,
}

/// Traffic of a connection that shows the outcome of a call. Shared with the caller of the client.
#[derive(Debug, Clone, Default)]
pub struct Observations(Arc<Mutex<Traffic>>);

#[derive(Debug, Default)]
struct Traffic {
    requests: usize,
    /// True if nothing was written since the last flush, which follows each complete request.
    is_flushed: bool,
    answer: Head,
}

/// The head of the latest answer over HTTP/1.
#[derive(Debug, Default)]
struct Head {
    /// The beginning of the current line.
    line: Vec<u8>,
    /// True in an interim answer (1xx), whose lines are skipped.
    is_interim: bool,
    is_begun: bool,
    status: Option<u16>,
}

impl Observations {
    /// The status of the answer to the latest request.
    pub fn status(&self) -> Option<u16> {
        self.lock().answer.status
    }

    /// True if a kept connection broke before the first byte of the answer: the target had probably closed it.
    pub fn was_stale(&self) -> bool {
        let traffic = self.lock();
        traffic.requests > 1 && !traffic.answer.is_begun
    }

    fn lock(&self) -> MutexGuard<'_, Traffic> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Detects the start of a request. A part of a body, or a repeated write, may begin like a request as well.
    fn sent(&self, bytes: &[u8]) {
        let mut traffic = self.lock();
        let may_begin = traffic.requests == 0 || traffic.is_flushed && traffic.answer.is_begun;
        if may_begin && bytes.starts_with(REQUEST) {
            *traffic = Traffic { requests: traffic.requests + 1, ..Traffic::default() };
        }
        traffic.is_flushed = false;
    }

    fn flushed(&self) {
        self.lock().is_flushed = true;
    }

    fn received(&self, bytes: &[u8]) {
        self.lock().answer.read(bytes);
    }
}

impl Head {
    fn read(&mut self, bytes: &[u8]) {
        self.is_begun |= !bytes.is_empty();
        for &byte in bytes {
            match byte {
                _ if self.status.is_some() => return,
                b'\n' => self.end_line(),
                b'\r' => {}
                byte if self.line.len() < MAX_LINE_BYTES => self.line.push(byte),
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        match status_of(&line) {
            _ if self.is_interim => self.is_interim = !line.is_empty(),
            Some(100 | 102..=199) => self.is_interim = true,
            status => self.status = status,
        }
    }
}

/// The status in a status line, with any version and spacing.
fn status_of(line: &[u8]) -> Option<u16> {
    let text = str::from_utf8(line.split(|byte| !byte.is_ascii()).next()?).ok()?;
    let mut parts = text.split_ascii_whitespace();
    parts.next().filter(|version| version.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("HTTP/")))?;
    let status = parts.next().filter(|status| status.len() == 3)?;
    status.parse().ok().filter(|status| (100..600).contains(status))
}

impl<S> Wire<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, observations: Observations::default(), is_shut: false }
    }

    /// The outcome of a write. A target that closed the connection may have answered before, so errors are left to the
    /// read.
    fn written<T>(&mut self, written: Poll<io::Result<T>>, if_shut: T) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(Err(_)) => {
                self.is_shut = true;
                Poll::Ready(Ok(if_shut))
            }
            written => written,
        }
    }
}

impl<S: Read + Unpin> Read for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; 8 * 1024];
        let room = buffer.remaining().min(bytes.len());
        let mut read = hyper::rt::ReadBuf::new(&mut bytes[..room]);
        std::task::ready!(Pin::new(&mut self.stream).poll_read(context, read.unfilled()))?;
        self.observations.received(read.filled());
        buffer.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: Write + Unpin> Write for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.observations.sent(bytes);
        if self.is_shut {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(written, bytes.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.observations.flushed();
        if self.is_shut {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.written(flushed, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: Connection> Connection for Wire<S> {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.observations.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(parts: &[&str]) -> Option<u16> {
        let observations = Observations::default();
        observations.sent(b"POST / HTTP/1.1\r\n");
        parts.iter().for_each(|part| observations.received(part.as_bytes()));
        observations.status()
    }

    #[test]
    fn the_status_is_parsed_from_the_status_line_alone() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n", Some(200)),
            ("HTTP/1.0 204\r\n", Some(204)),
            ("http/1.1 202 ok\n", Some(202)),
            ("HTTP/1.1  201\tCreated\r\n", Some(201)),
            ("HTTP/1.1 200 \u{fc}ber\r\n", Some(200)),
            ("HTTP/1.1 101 Switching Protocols\r\n", Some(101)),
            ("HTTP/1.1 100 Continue\r\nx: HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 503 No\r\n", Some(503)),
            ("HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 201 OK\r\nx: y", Some(201)),
            ("HTTP/1.1 100 Continue\r\n\r\n", None),
            ("HTTP/1.1 20", None),
            ("HTTP/1.1 200", None),
            ("HTTP/1.1 2000 OK\r\n", None),
            ("HTTP/1.1 +20 OK\r\n", None),
            ("HTTP/1.1 abc\r\n", None),
            ("SSH-2.0-OpenSSH_9.9\r\n", None),
            ("ICY 200 OK\r\n", None),
            ("", None),
        ] {
            assert_eq!(status(&[answer]), expected, "{answer}");
            let letters: Vec<String> = answer.chars().map(String::from).collect();
            assert_eq!(status(&letters.iter().map(String::as_str).collect::<Vec<_>>()), expected, "{answer}");
        }
    }

    #[test]
    fn a_pooled_connection_is_stale_if_it_breaks_before_an_answer_begins() {
        let observations = Observations::default();
        observations.sent(b"POST /first HTTP/1.1\r\n");
        assert!(!observations.was_stale(), "a first request may have been read");
        observations.flushed();
        observations.received(b"HTTP/1.1 200 OK\r\n\r\n");
        observations.sent(b"POST /second HTTP/1.1\r\n");
        observations.sent(b"its body");
        assert!(observations.was_stale() && observations.status().is_none());
        observations.received(b"H");
        assert!(!observations.was_stale());
    }

    #[test]
    fn a_body_written_in_parts_is_not_another_request() {
        let observations = Observations::default();
        for part in ["POST /first HTTP/1.1\r\n", "POST POST", "POST /other HTTP/1.1\r\n", "POST "] {
            observations.sent(part.as_bytes());
            assert!(!observations.was_stale(), "{part}");
        }
        // An answer that arrives before the whole request was read.
        observations.received(b"HTTP/1.1 413 Too Large\r\n");
        observations.sent(b"POST POST");
        assert_eq!((observations.was_stale(), observations.status()), (false, Some(413)));
        observations.flushed();
        // A write that has to wait is repeated.
        observations.sent(b"POST /second HTTP/1.1\r\n");
        observations.sent(b"POST /second HTTP/1.1\r\n");
        assert!(observations.was_stale());
        assert_eq!(observations.lock().requests, 2);
    }
}
