//! A platform and webhook receiver on a raw socket, which answers and breaks connections as a request asks for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A request names its answer in its path or body: `row_<answer>_`.
#[derive(Clone, Default)]
pub struct Server(Arc<Mutex<HashMap<String, usize>>>);

/// First byte of a TLS handshake record (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;
const LIMIT_BYTES: usize = 5 * 1024 * 1024;

impl Server {
    pub async fn start() -> (Self, String) {
        let server = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().serve(stream));
            }
        });
        (server, url)
    }

    /// The number of requests that asked for an answer.
    pub fn asked(&self, answer: &str) -> usize {
        self.0.lock().unwrap().get(answer).copied().unwrap_or(0)
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut request = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if is_whole(&request) {
                let text = String::from_utf8_lossy(&request).into_owned();
                let answer = text.split("row_").nth(1).and_then(|rest| rest.split('_').next()).unwrap_or("204");
                let before =
                    *self.0.lock().unwrap().entry(answer.to_owned()).and_modify(|count| *count += 1).or_insert(1);
                if !respond(&mut stream, answer, before).await {
                    return;
                }
                request.clear();
            }
            // A TLS handshake is no HTTP, and is answered as web servers do.
            if request.first() == Some(&TLS_HANDSHAKE) {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                return;
            }
            match stream.read(&mut buffer).await {
                Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
                _ => return,
            }
        }
    }
}

pub fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .to_ascii_lowercase()
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}

/// Answers, and says whether the connection stays open.
async fn respond(stream: &mut TcpStream, answer: &str, asked: usize) -> bool {
    let plain = |status: &str, header: &str, body: &str| {
        format!("HTTP/1.1 {status} X\r\n{header}content-length: {}\r\n\r\n{body}", body.len())
    };
    let (bytes, open) = match answer {
        "closed" => (String::new(), false),
        "reset" => {
            // Without lingering, a close is a reset.
            stream.set_zero_linger().unwrap();
            (String::new(), false)
        }
        "silent" => std::future::pending().await,
        "cut-head" => ("HTTP/1.1 200 OK\r\ncontent-le".to_owned(), false),
        "not-http" => ("SSH-2.0-OpenSSH_9.9\r\n\r\n".to_owned(), false),
        "cut-body" => ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":".to_owned(), false),
        // A refusal whose body breaks off, or has no end.
        "broken-400" => ("HTTP/1.1 400 X\r\ncontent-length: 100\r\n\r\nx".to_owned(), false),
        "broken-429" => ("HTTP/1.1 429 X\r\nretry-after: 90\r\ncontent-length: 100\r\n\r\nx".to_owned(), false),
        "stalled-400" => ("HTTP/1.1 400 X\r\ncontent-length: 100\r\n\r\nx".to_owned(), true),
        "huge-400" => (plain("400", "", &"x".repeat(LIMIT_BYTES + 1)), true),
        "huge" => (plain("200", "", &format!("\"{}\"", "x".repeat(LIMIT_BYTES))), true),
        "nonsense" => (plain("200", "", "<p>Please sign in."), true),
        // The first request is carried out, and its answer lost; its repetition finds nothing left.
        "lost-then-404" if asked == 1 => (String::new(), false),
        "lost-then-429-then-404" if asked == 1 => (String::new(), false),
        "lost-then-429-then-404" if asked == 2 => (plain("429", "", "slow"), true),
        "lost-then-404" | "lost-then-429-then-404" => (plain("404", "", "gone"), true),
        _ => {
            let (status, wait) = answer.split_once('-').unwrap_or((answer, ""));
            let header = if wait.is_empty() { String::new() } else { format!("retry-after: {wait}\r\n") };
            (plain(status, &header, "sorry"), true)
        }
    };
    // The client closes the connection once it has read enough of the answer.
    let written = stream.write_all(bytes.as_bytes()).await;
    written.is_ok() && open
}
