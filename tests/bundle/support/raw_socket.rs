//! Servers on loopback that read and write bytes as a test says, where a library would mend them.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Serves each connection on a thread of its own; the address.
pub fn serve(with: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let with = Arc::new(with);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, with) = (stream.unwrap(), Arc::clone(&with));
            thread::spawn(move || with(stream));
        }
    });
    address
}

/// Reads a request whose length its head says; none if the connection is closed before its end.
pub fn request(stream: &mut impl Read) -> Option<String> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 64 * 1024]);
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text.into_owned());
            }
        }
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
    }
}

/// A server that keeps its requests as they came and answers each 200.
pub struct Recorder {
    pub address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    pub fn start() -> Self {
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&requests);
        let address = serve(move |mut stream| {
            while let Some(request) = request(&mut stream) {
                kept.lock().unwrap().push(request);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
            }
        });
        Self { address, requests }
    }

    /// The requests since this was asked last.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}
