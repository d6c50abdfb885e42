//! `local` as a process: how it starts, what it says, keeps and listens on, how it stops.

use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tests::{Api, Process, expect, string};

/// A folder, and in it one that `local` has not made yet.
fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    (folder, data)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// These are there, and whatever is there is for its owner alone.
fn assert_private(data: &Path, names: &[&str]) {
    let files: Vec<PathBuf> = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).collect();
    for name in names {
        assert!(files.contains(&data.join(name)), "{name} is not among {files:?}");
    }
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn it_serves_soon_after_it_was_started() {
    let (_folder, data) = folder();
    for start in ["first", "second"] {
        let started = Instant::now();
        let (process, url) = Process::start(&data);
        let elapsed = started.elapsed();
        println!("the {start} start took {elapsed:?}");
        assert!(elapsed < Duration::from_secs(10));
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        process.signal("TERM");
        assert!(process.ended().0.success());
    }
}

#[tokio::test]
async fn it_finishes_the_request_in_hand_and_stops_on_either_signal() {
    for signal in ["TERM", "INT"] {
        let (_folder, data) = folder();
        let (mut process, url) = Process::start(&data);
        let api = Api::of(&url, &data);
        let hook = api.hook("botstar.watch-subscriber").await;
        let _idle = TcpStream::connect(&url["http://".len()..]).unwrap();

        let body = json!({ "user": { "id": "u-1", "name": "Ava" } }).to_string();
        let (first, rest) = body.split_at(7);
        let mut request = TcpStream::connect(&url["http://".len()..]).unwrap();
        let path = &hook.url[url.len()..];
        write!(request, "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{first}", body.len())
            .unwrap();
        // Answered after the request was taken in hand, as connections are accepted in turn.
        api.get("/v1/health", 200).await;
        process.signal(signal);
        process.wait_for("stopping");
        write!(request, "{rest}").unwrap();
        let mut answer = String::new();
        request.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let (status, output) = process.ended();
        assert_eq!(status.code(), Some(0), "{output}");

        let (_process, url) = Process::start(&data);
        let api = Api::of(&url, &data);
        let events = api.all("/v1/events").await;
        assert_eq!(events.len(), 1);
        assert!(answer.contains(events[0]["id"].as_str().unwrap()), "{answer}");
        api.until_count("/v1/subscribers", 1).await;
    }
}

#[tokio::test]
async fn a_request_that_does_not_end_keeps_it_from_stopping_for_a_while_only() {
    let (_folder, data) = folder();
    let (mut process, url) = Process::start(&data);
    let mut request = TcpStream::connect(&url["http://".len()..]).unwrap();
    write!(request, "POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{").unwrap();
    Api::of(&url, &data).get("/v1/health", 200).await;
    process.signal("TERM");
    process.wait_for("stopping");
    assert_eq!(process.ended().0.code(), Some(0));
}

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let (_folder, data) = folder();
    let (_first, _) = Process::start(&data);
    let settings = [("PORT", "0"), ("DATA_DIR", data.to_str().unwrap())];
    let (status, output) = Process::spawn(data.parent().unwrap(), &settings).ended();
    assert_eq!(status.code(), Some(1));
    let expected = format!(
        "error: the directory {} is in use by another process; stop that one or choose another directory",
        data.display()
    );
    assert_eq!(output, expected);
}

#[test]
fn of_two_processes_started_at_once_on_a_new_folder_one_is_refused() {
    for _ in 0..5 {
        let (_folder, data) = folder();
        let settings = [("PORT", "0"), ("DATA_DIR", data.to_str().unwrap())];
        let [mut one, mut other] = [(); 2].map(|()| Process::spawn(data.parent().unwrap(), &settings));
        let refused = loop {
            match (one.has_ended(), other.has_ended()) {
                (true, _) => break one,
                (_, true) => break other,
                _ => thread::sleep(Duration::from_millis(5)),
            }
        };
        let (status, output) = refused.ended();
        assert_eq!(status.code(), Some(1));
        assert!(
            output.ends_with("is in use by another process; stop that one or choose another directory"),
            "{output}"
        );
    }
}

#[test]
fn a_fault_at_the_start_is_one_readable_line() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let in_use = format!(
        "cannot listen on 127.0.0.1:{port}: Address already in use (os error 98); stop the other program, or set PORT"
    );
    for (name, value, fault) in [
        ("PORT", "x", "PORT: must be a whole number from 0 to 65535, such as 9000"),
        ("PORT", "65536", "PORT: must be a whole number from 0 to 65535, such as 9000"),
        ("PORT", port.as_str(), in_use.as_str()),
        ("ADMIN_KEY", "short", "ADMIN_KEY: must have at least 32 characters, all visible ASCII"),
        ("EVENT_TTL_DAYS", "0", "EVENT_TTL_DAYS: must be a whole number from 1 to 36500, such as 90"),
        ("MAX_CONNECTIONS", "0", "MAX_CONNECTIONS: must be a whole number from 1 to 65536, such as 512"),
        ("HEADER_TIMEOUT_SECONDS", "0", "HEADER_TIMEOUT_SECONDS: must be a whole number from 1 to 3600, such as 30"),
        (
            "BODY_IDLE_TIMEOUT_SECONDS",
            "3601",
            "BODY_IDLE_TIMEOUT_SECONDS: must be a whole number from 1 to 3600, such as 30",
        ),
        ("BODY_TIMEOUT_SECONDS", "5m", "BODY_TIMEOUT_SECONDS: must be a whole number from 1 to 3600, such as 300"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT: must be json or pretty"),
        ("PUBLIC_URL", "example.com", "PUBLIC_URL: must be an absolute URL, such as https://example.com"),
        ("DATA_DIR", "/dev/null/data", "cannot use the directory /dev/null/data: Not a directory (os error 20)"),
    ] {
        let folder = TempDir::new().unwrap();
        let settings = BTreeMap::from([("PORT", "0"), ("DATA_DIR", ":memory:"), (name, value)]);
        let settings: Vec<_> = settings.into_iter().collect();
        let (status, output) = Process::spawn(folder.path(), &settings).ended();
        assert_eq!((status.code(), output), (Some(1), format!("error: {fault}")), "{name}={value}");
    }
}

#[test]
fn its_files_are_the_owners_and_the_admin_key_is_shown_once() {
    let (_folder, data) = folder();
    let (process, _) = Process::start(&data);
    process.signal("TERM");
    let output = process.ended().1;
    let key = fs::read_to_string(data.join("admin-key")).unwrap();
    assert_eq!(output.matches(key.trim()).count(), 1, "{output}");
    assert!(output.contains(&format!("stored in {}", data.join("admin-key").display())), "{output}");
    assert_eq!(mode(&data), 0o700);
    assert_private(&data, &["admin-key", "sealing-key", "switchboard.db"]);

    let (process, _) = Process::start(&data);
    process.signal("TERM");
    let output = process.ended().1;
    assert!(!output.contains(key.trim()), "{output}");
    assert_eq!(fs::read_to_string(data.join("admin-key")).unwrap(), key);
}

#[tokio::test]
async fn a_first_key_that_was_deleted_does_not_come_back() {
    let (_folder, data) = folder();
    let (process, url) = Process::start(&data);
    let old = fs::read_to_string(data.join("admin-key")).unwrap();
    let http = reqwest::Client::new();
    let request = |method, url: &str, path: &str, key: &str| {
        http.request(method, format!("{url}{path}")).bearer_auth(key.trim().to_owned())
    };
    let keys = expect(request(reqwest::Method::GET, &url, "/v1/keys", &old), 200).await;
    let path = format!("/v1/keys/{}", string(&keys["items"][0]["id"]));
    let other = serde_json::json!({ "name": "Another", "scope": "admin" });
    expect(request(reqwest::Method::POST, &url, "/v1/keys", &old).json(&other), 201).await;
    expect(request(reqwest::Method::DELETE, &url, &path, &old), 204).await;
    process.signal("TERM");
    process.ended();

    let (_process, url) = Process::start(&data);
    let new = fs::read_to_string(data.join("admin-key")).unwrap();
    expect(request(reqwest::Method::GET, &url, "/v1/keys", &old), 401).await;
    expect(request(reqwest::Method::GET, &url, "/v1/keys", &new), 200).await;
}

#[test]
fn a_key_file_that_is_broken_or_lost_is_named() {
    for (file, content, fault) in [
        ("admin-key", Some("short"), "admin-key contains no key"),
        ("sealing-key", Some("junk"), "sealing-key does not hold 32 bytes"),
        ("sealing-key", None, "sealing-key is missing"),
    ] {
        let (_folder, data) = folder();
        let (process, _) = Process::start(&data);
        process.signal("TERM");
        process.ended();
        match content {
            Some(content) => fs::write(data.join(file), content).unwrap(),
            None => fs::remove_file(data.join(file)).unwrap(),
        }
        let (status, output) = Process::spawn(&data, &[("PORT", "0"), ("DATA_DIR", data.to_str().unwrap())]).ended();
        assert_eq!(status.code(), Some(1));
        assert!(output.contains(fault), "{output}");
    }
}

#[test]
fn its_files_are_private_in_an_open_folder_too() {
    let (_folder, data) = folder();
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let (_process, _) = Process::start(&data);
    assert_private(&data, &["admin-key", "sealing-key", "switchboard.db", "switchboard.db-wal"]);
}

#[tokio::test]
async fn in_memory_it_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let mut process = Process::spawn(folder.path(), &[("PORT", "0"), ("DATA_DIR", ":memory:")]);
    let key = process.wait_for("the admin key, shown this once: ");
    let url = process.listening();
    let api = Api::new(&url, key.rsplit(' ').next().unwrap());
    let hook = api.hook("botstar.watch-subscriber").await;
    api.accept(&hook, &json!({ "user": { "id": "u-1" } })).await;
    api.until_count("/v1/subscribers", 1).await;
    process.signal("TERM");
    assert!(process.ended().0.success());
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_listens_on_the_one_port_and_on_loopback_only() {
    let (_folder, data) = folder();
    let (process, url) = Process::start(&data);
    let api = Api::of(&url, &data);
    let hook = api.hook("botstar.watch-subscriber").await;
    api.accept(&hook, &json!({ "user": { "id": "u-1" } })).await;

    let proc = PathBuf::from(format!("/proc/{}", process.id()));
    let sockets: Vec<String> = fs::read_dir(proc.join("fd"))
        .unwrap()
        .filter_map(|entry| {
            fs::read_link(entry.unwrap().path())
                .ok()?
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')
                .map(str::to_owned)
        })
        .collect();
    // The columns: the local address, the state, the inode.
    let open = |table: &str| -> Vec<(String, String)> {
        let text = fs::read_to_string(proc.join("net").join(table)).unwrap_or_default();
        let rows = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| sockets.iter().any(|socket| socket == row[9]))
            .map(|row| (row[1].to_owned(), row[3].to_owned()))
            .collect()
    };
    const LISTENS: &str = "0A";
    let listening: Vec<_> = ["tcp", "tcp6"].into_iter().flat_map(open).filter(|(_, state)| state == LISTENS).collect();
    let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
    // An address is the four bytes as a number of the machine.
    let loopback = u32::from_ne_bytes([127, 0, 0, 1]);
    assert_eq!(listening, [(format!("{loopback:08X}:{port:04X}"), LISTENS.to_owned())]);
    assert_eq!(["udp", "udp6", "raw"].into_iter().flat_map(open).count(), 0);
}
