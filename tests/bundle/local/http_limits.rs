//! The HTTP door of `local` under callers that are slow, silent, large or many.

use serde_json::json;
use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tests::{Api, Process, TestHook};

const READ_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_MEMORY_KB: u64 = 120 * 1024;
const MB: usize = 1024 * 1024;

/// `local` as a process, and its admin key.
struct Door {
    process: Process,
    url: String,
    data: PathBuf,
    _folder: TempDir,
}

impl Door {
    fn start(settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let (process, url) = Process::start_with(&data, settings);
        Self { process, url, data, _folder: folder }
    }

    /// A client with no connection yet.
    fn api(&self) -> Api {
        Api::of(&self.url, &self.data)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.url["http://".len()..]).unwrap();
        stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
        stream
    }

    /// A connection on which this was sent.
    fn sending(&self, text: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    fn path<'a>(&self, hook: &'a TestHook) -> &'a str {
        &hook.url[self.url.len()..]
    }

    /// A new caller with a key is answered within a second. A neighbour may take the processor, so three may try.
    async fn assert_usable(&self) {
        let mut times = Vec::new();
        for _ in 0..3 {
            let started = Instant::now();
            self.api().get("/v1/keys", 200).await;
            times.push(started.elapsed());
            if started.elapsed() < Duration::from_secs(1) {
                return;
            }
        }
        panic!("a caller was answered in {times:?}");
    }

    /// The largest memory so far is within bounds.
    fn assert_small(&self) {
        if cfg!(target_os = "linux") {
            let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
            let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
            assert!(peak < MAX_MEMORY_KB, "{peak} KB");
        }
    }
}

fn head(method: &str, path: &str, length: usize) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
}

/// All that is answered until the connection is closed.
fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The status of the answer. The connection stays open.
fn status(stream: &mut TcpStream) -> String {
    let mut line = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut line).unwrap();
    String::from_utf8_lossy(&line).into_owned()
}

/// Sends a byte again and again until the other side has closed the connection or answered. The time that took.
fn dribble(stream: &mut TcpStream) -> Duration {
    let started = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    while started.elapsed() < READ_TIMEOUT {
        let _ = stream.write(b"x");
        match stream.peek(&mut [0]) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            _ => return started.elapsed(),
        }
    }
    panic!("neither closed nor answered within {READ_TIMEOUT:?}");
}

#[tokio::test]
async fn senders_that_close_their_writing_half_are_answered() {
    let door = Door::start(&[]);
    let api = door.api();
    let hook = api.hook("botstar.watch-tag").await;
    let senders: Vec<TcpStream> = (0..50)
        .map(|at| {
            let body = json!({ "tag": format!("t-{at}") }).to_string();
            let stream = door.sending(&(head("POST", door.path(&hook), body.len()) + &body));
            stream.shutdown(Shutdown::Write).unwrap();
            stream
        })
        .collect();
    for stream in senders {
        let answer = answer(stream);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"accepted\""), "{answer}");
    }
    assert_eq!(api.all("/v1/events").await.len(), 50);
}

#[tokio::test]
async fn a_thousand_slow_headers_leave_the_api_usable() {
    local::make_room(1_000);
    let door = Door::start(&[]);
    let mut slow: Vec<TcpStream> =
        (0..1_000).map(|_| door.sending("POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")).collect();
    for _ in 0..2 {
        // Some have had to give way.
        slow.retain_mut(|stream| stream.write_all(b"x").is_ok());
        door.assert_usable().await;
    }
    door.assert_small();
}

#[test]
fn headers_have_a_time_limit_in_all_and_so_does_an_idle_connection() {
    let door = Door::start(&[("HEADER_TIMEOUT_SECONDS", "1")]);
    let mut slow = door.sending("GET /v1/health HTTP/1.1\r\nX-Slow: ");
    assert!(dribble(&mut slow) < Duration::from_secs(5));
    let started = Instant::now();
    let idle = answer(door.connect());
    let kept = answer(door.sending(&head("GET", "/console", 0)));
    assert!(idle.is_empty() && kept.starts_with("HTTP/1.1 200 OK\r\n"), "{idle}{kept}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn bodies_that_stop_leave_the_api_usable_and_are_answered_408() {
    let door = Door::start(&[("BODY_IDLE_TIMEOUT_SECONDS", "3")]);
    let hook = door.api().hook("botstar.watch-tag").await;
    let begun = head("POST", door.path(&hook), 250_000) + &"x".repeat(249_000);
    let stopped: Vec<TcpStream> = (0..200).map(|_| door.sending(&begun)).collect();
    door.assert_usable().await;
    for stream in stopped {
        let answer = answer(stream);
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
        assert!(answer.contains("\"code\":\"request_timeout\"") && answer.contains("connection: close"), "{answer}");
    }
    door.assert_small();
}

#[tokio::test]
async fn a_body_has_a_time_limit_in_all() {
    let door = Door::start(&[("BODY_TIMEOUT_SECONDS", "1")]);
    let hook = door.api().hook("botstar.watch-tag").await;
    for path in [door.path(&hook), "/nothing"] {
        let mut slow = door.sending(&head("POST", path, 200_000));
        assert!(dribble(&mut slow) < Duration::from_secs(5));
        let expected = if path == "/nothing" { "HTTP/1.1 404" } else { "HTTP/1.1 408" };
        slow.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
        assert_eq!(status(&mut slow), expected);
    }
}

#[tokio::test]
async fn large_bodies_without_a_right_to_send_them_are_answered_and_not_kept() {
    let door = Door::start(&[]);
    let hook = door.api().hook("botstar.watch-tag").await;
    let wrong_token = format!("{}x", door.path(&hook));
    let right_token = door.path(&hook).to_owned();
    let senders: Vec<_> = (0..60)
        .map(|at| {
            let (method, path, expected) = match at % 5 {
                0 => ("POST", "/v1/keys", "HTTP/1.1 401"),
                1 => ("PUT", "/v1/keys", "HTTP/1.1 405"),
                2 => ("POST", "/nothing", "HTTP/1.1 404"),
                3 => ("POST", wrong_token.as_str(), "HTTP/1.1 404"),
                _ => ("POST", right_token.as_str(), "HTTP/1.1 413"),
            };
            let mut stream = door.sending(&head(method, path, 10 * MB));
            thread::spawn(move || {
                let chunk = vec![b'x'; MB];
                (0..10).for_each(|_| stream.write_all(&chunk).unwrap());
                assert_eq!(status(&mut stream), expected);
            })
        })
        .collect();
    door.assert_usable().await;
    for sender in senders {
        sender.join().unwrap();
    }
    let rejected = door.api().all(&format!("/v1/hooks/{}/rejected", hook.id)).await;
    assert_eq!(rejected.len(), 12);
    assert!(rejected.iter().all(|call| call["bytes"] == 10 * MB), "{rejected:?}");
    door.assert_small();
}

#[tokio::test]
async fn idle_connections_give_way_and_the_limit_of_open_files_is_raised() {
    const OPEN: usize = 1_500;
    local::make_room(OPEN);
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let script = "ulimit -S -n 256 && exec \"$LOCAL\"";
    let local = tests::binary("local");
    let settings = [("PORT", "0"), ("DATA_DIR", data.to_str().unwrap()), ("LOCAL", local.to_str().unwrap())];
    let arguments = ["-c", script].map(AsRef::as_ref);
    let mut process = Process::spawn_with(Path::new("/bin/sh"), &arguments, folder.path(), &settings);
    let url = process.listening();
    let door = Door { process, url, data, _folder: folder };

    let idle: Vec<TcpStream> = (0..OPEN).map(|_| door.connect()).collect();
    door.assert_usable().await;
    let is_open = |stream: &&TcpStream| {
        stream.set_nonblocking(true).unwrap();
        stream.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    };
    let open = idle.iter().filter(is_open).count();
    assert!((450..=512).contains(&open), "{open} are open");
    assert!(idle[OPEN - 400..].iter().all(|stream| is_open(&stream)), "those that waited longest give way");
    door.assert_small();
}

#[tokio::test]
async fn a_full_house_of_bodies_gives_way() {
    let door = Door::start(&[("MAX_CONNECTIONS", "8")]);
    let hook = door.api().hook("botstar.watch-tag").await;
    let _stopped: Vec<TcpStream> = (0..20).map(|_| door.sending(&head("POST", door.path(&hook), 100))).collect();
    for _ in 0..20 {
        door.assert_usable().await;
    }
}

#[test]
fn a_refused_caller_that_waits_to_send_its_body_is_answered_at_once() {
    let door = Door::start(&[]);
    let head = "POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9000000\r\n\r\n";
    let answer = answer(door.sending(head));
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
}

#[test]
fn the_bare_address_leads_to_the_console() {
    let door = Door::start(&[]);
    for (method, path) in [("GET", "/"), ("HEAD", "/"), ("GET", "/console/"), ("GET", "/?a=b")] {
        let stream = door.sending(&head(method, path, 0));
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = answer(stream);
        assert!(answer.starts_with("HTTP/1.1 302 Found\r\n") && answer.contains("location: /console\r\n"), "{answer}");
    }
    let mut post = door.sending(&head("POST", "/", 0));
    assert_eq!(status(&mut post), "HTTP/1.1 404");
    door.process.signal("TERM");
    let output = door.process.ended().1;
    let lines = format!("the console: {url}/console\nlistening on {url}\n", url = door.url);
    assert!(output.contains(&lines), "{output}");
}
