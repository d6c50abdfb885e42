//! Calls over TLS, and the messages for its faults.

use super::*;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

pub const NAMES: &[(&str, &[&[&str]])] = &[("target.test", &[&["127.0.0.1"]])];

/// A server's certificates and key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

fn parameters(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = parameters(name);
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A self-issued certificate, valid until a year.
pub fn signed(name: &str, until: i32) -> (Identity, CertificateDer<'static>) {
    let (issuer, key, mut params) = (authority("issuer.test"), KeyPair::generate().unwrap(), parameters(name));
    params.not_after = date_time_ymd(until, 1, 1);
    let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
    (Identity { chain, key }, issuer.der().clone())
}

fn self_signed(params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    Identity { chain: vec![params.self_signed(&key).unwrap().der().clone()], key }
}

pub fn config(Identity { chain, key }: Identity, protocol: &[u8]) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    config
}

/// Serves one TLS connection, and returns the negotiated protocol.
fn serve_tls(config: ServerConfig) -> (u16, JoinHandle<Option<Vec<u8>>>) {
    serve(move |stream| {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).ok()?;
        }
        let agreed = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
        request(&mut stream, 2);
        stream.write_all(OK).unwrap();
        agreed
    })
}

/// The outcome of a call over TLS, and the negotiated protocol.
async fn called(
    config: ServerConfig,
    issuers: Vec<CertificateDer<'static>>,
) -> (Result<TargetAnswer, String>, Option<Vec<u8>>) {
    let (port, served) = serve_tls(config);
    let client = built(&["127.0.0.1/32"], NAMES, PATIENT, issuers);
    let outcome = post(&client, &format!("https://target.test:{port}/")).await;
    (outcome.map_err(|failure| failure.to_string()), joined(served).await)
}

#[tokio::test]
async fn certificates_are_verified_against_the_name_in_the_url() {
    for (name, until, trusted, expected) in [
        ("target.test", 2100, true, Ok(plain_ok("ok"))),
        (
            "target.test",
            2100,
            false,
            Err("TLS: the certificate's issuer is not known: the chain is incomplete, or its root is private"),
        ),
        ("target.test", 2020, true, Err("TLS: the certificate has expired")),
        ("other.test", 2100, true, Err("TLS: the certificate is for another host: other.test")),
    ] {
        let (identity, issuer) = signed(name, until);
        let issuers = if trusted { vec![issuer] } else { Vec::new() };
        let (outcome, agreed) = called(config(identity, b"http/1.1"), issuers).await;
        assert_eq!(agreed.as_deref(), outcome.is_ok().then_some(&b"http/1.1"[..]));
        assert_eq!(outcome, expected.map_err(str::to_owned));
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_reported_as_such() {
    let mut as_authority = parameters("target.test");
    as_authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    for params in [parameters("target.test"), parameters("other.test"), as_authority] {
        let (outcome, _) = called(config(self_signed(&params), b"http/1.1"), Vec::new()).await;
        assert_eq!(outcome.unwrap_err(), "TLS: the certificate is self-signed");
    }
    let (issuer, key) = (authority("issuer.test"), KeyPair::generate().unwrap());
    let mut params = parameters("target.test");
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
    let (outcome, _) = called(config(Identity { chain, key }, b"http/1.1"), vec![issuer.der().clone()]).await;
    assert_eq!(outcome.unwrap_err(), "TLS: the certificate is an issuer's own, not a server's");
}

#[tokio::test]
async fn an_aborted_handshake_has_its_reason() {
    let (identity, issuer) = signed("target.test", 2100);
    let (outcome, _) = called(config(identity, b"spdy/1"), vec![issuer]).await;
    let message = outcome.unwrap_err();
    assert_eq!(message, "TLS: the server aborted the handshake with alert 120 (no application protocol)");
    for (alert, expected) in [
        (40, "the server aborted the handshake with alert 40 (handshake failure)"),
        (70, "the server aborted the handshake with alert 70 (protocol version)"),
        (200, "the server aborted the handshake with alert 200"),
    ] {
        let (port, served) = serve(move |mut stream| {
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(&[21, 3, 3, 0, 2, 2, alert]).unwrap();
        });
        let client = client(&["127.0.0.1/32"], &[]);
        let failure = failure_of(&client, &format!("https://127.0.0.1:{port}/")).await;
        assert_eq!(failure, CallFailure::Tls(expected.to_owned()));
        joined(served).await;
    }
}

#[tokio::test]
async fn a_server_without_tls_is_recognised() {
    let client = client(&["127.0.0.1/32"], &[]);
    for (bytes, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "TLS: the server at this address does not speak TLS"),
        (b"", "TLS: the connection was closed during the handshake"),
    ] {
        let (port, served) = serve(move |mut stream| {
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(bytes).unwrap();
        });
        assert_eq!(failure_of(&client, &format!("https://127.0.0.1:{port}/")).await.to_string(), expected);
        joined(served).await;
    }
    let client = built(&["127.0.0.1/32"], &[], QUICK, Vec::new());
    let (port, served) = serve(|mut stream| while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {});
    let message = failure_of(&client, &format!("https://127.0.0.1:{port}/")).await.to_string();
    assert_eq!(message, "no connection within 200ms");
    joined(served).await;
}
