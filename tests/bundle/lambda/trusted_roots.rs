//! Servers that a function accepts: as AWS those that the system trusts, as a platform those that `TRUSTED_ROOTS` trusts.

use crate::support::chatbot::ChatBot;
use data_encoding::BASE64;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};
use tempfile::TempDir;
use tests::{Bundle, Lambda, lambda::http_event};

const DATABASE_KEY: &str = "a-key-of-the-database-behind-tls";

/// A root of its own, and a server's certificate that it vouches for.
fn certificates() -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = BASE64.encode(params.self_signed(&key).unwrap().der());
    let root = format!("-----BEGIN CERTIFICATE-----\n{root}\n-----END CERTIFICATE-----\n");
    let (issuer, key) = (Issuer::new(params, key), KeyPair::generate().unwrap());
    let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    (root, Arc::new(config.with_no_client_auth().with_single_cert(vec![server.der().clone()], key).unwrap()))
}

/// A message of HTTP, without a body unless it has a content-length; none at the end.
fn message(stream: &mut impl Read) -> Option<Vec<u8>> {
    let (mut message, mut byte) = (Vec::new(), [0]);
    while !message.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        message.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&message).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap_or("0");
    let mut body = vec![0; length.trim().parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    message.extend(body);
    Some(message)
}

/// Serves the server at `behind` over TLS.
fn serve(config: Arc<ServerConfig>, behind: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (config, behind) = (Arc::clone(&config), behind.clone());
            thread::spawn(move || {
                let mut door = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                let mut plain = TcpStream::connect(behind).unwrap();
                while let Some(request) = message(&mut door) {
                    plain.write_all(&request).unwrap();
                    let answer = message(&mut plain).unwrap();
                    if door.write_all(&answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_server_that_only_the_system_trusts_is_aws_and_one_that_nobody_trusts_is_not() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-checkpoint-record").await;
    let database = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = database.local_addr().unwrap().to_string();
    let served =
        embedded::serve(bundle.local.database.clone(), database, DATABASE_KEY.to_owned(), std::future::pending());
    tokio::spawn(served);
    let (root, config) = certificates();
    let endpoint = serve(config, behind);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("root.pem");
    std::fs::write(&file, root).unwrap();

    let path = hook.url.trim_start_matches(&bundle.url);
    let aws = [("AWS_ENDPOINT_URL", endpoint.as_str()), ("AWS_ACCESS_KEY_ID", DATABASE_KEY)];
    for (trusted, status) in [(true, 200), (false, 503)] {
        let system: &[_] = if trusted { &[("SSL_CERT_FILE", file.to_str().unwrap())] } else { &[] };
        let mut function = Lambda::start("botstar-watch-checkpoint-record", &bundle, &[&aws, system].concat()).await;
        for number in 0..2 {
            let event = http_event("POST", path, &json!({ "n": [number, trusted] }).to_string());
            let answer = function.invoke(&event).await.answer();
            assert_eq!(answer["statusCode"], status, "{answer}");
        }
    }
}

#[tokio::test]
async fn a_platform_that_only_the_system_trusts_is_reached_with_the_system_s_roots_alone() {
    let chatbot = ChatBot::start().await;
    let (root, config) = certificates();
    let plain = chatbot.sandbox.chatbot_url();
    let (behind, path) = plain.trim_start_matches("http://").split_once('/').unwrap_or((&plain[7..], ""));
    let url = format!("{}/{path}", serve(config, behind.to_owned()));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("root.pem");
    std::fs::write(&file, root).unwrap();

    let input = chatbot.input(json!({ "user_id": chatbot.ava() }));
    for (roots, is_trusted) in [("system", true), ("bundled", false), ("", false)] {
        let settings =
            [("CHATBOT_API_URL", url.as_str()), ("SSL_CERT_FILE", file.to_str().unwrap()), ("TRUSTED_ROOTS", roots)];
        let mut function = Lambda::start("chatbot-get-user", &chatbot.bundle, &settings).await;
        let called = function.invoke(&input).await;
        if is_trusted {
            assert_eq!(called.answer()["id"], json!(chatbot.ava()));
        } else {
            called.problem("platform_unavailable");
        }
    }
}
