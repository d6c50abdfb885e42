//! TLS with targets: certificates are verified against the trusted roots, and faults are described in plain words.

use roots::{TrustedRoots, client_config};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, PeerIncompatible, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::sync::Arc;
use webpki::EndEntityCert;

/// Largest number of a certificate's names in a message.
const MAX_NAMES: usize = 3;

/// A configuration that trusts these issuers in addition to the roots.
pub fn config(roots: TrustedRoots, issuers: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Error> {
    client_config(Arc::new(SelfSignedAware(roots.verifier(issuers)?)))
}

/// The rejected certificate is self-signed.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is self-signed")]
struct SelfSigned;

/// A verifier that reports self-signed certificates. The inner one reports an unknown issuer.
#[derive(Debug)]
struct SelfSignedAware(Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for SelfSignedAware {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_))
                if is_self_signed(end_entity) =>
            {
                CertificateError::Other(OtherError(Arc::new(SelfSigned))).into()
            }
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate).is_ok_and(|certificate| certificate.issuer() == certificate.subject())
}

/// The message for a TLS fault.
pub fn message(fault: &Error) -> String {
    match fault {
        Error::InvalidCertificate(fault) => of_certificate(fault),
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => {
            "the server at this address does not speak TLS".to_owned()
        }
        Error::InappropriateHandshakeMessage { .. } | Error::PeerMisbehaved(_) => {
            "the server broke the rules of the TLS handshake".to_owned()
        }
        Error::AlertReceived(alert) => of_alert(u8::from(*alert)),
        Error::PeerIncompatible(PeerIncompatible::ServerRejectedEncryptedClientHello(_)) => {
            "the server refused the handshake".to_owned()
        }
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => {
            "the server supports no TLS version, cipher or HTTP version that Switchboard does; it needs TLS 1.2 or 1.3"
                .to_owned()
        }
        Error::NoCertificatesPresented => "the server presented no certificate".to_owned(),
        Error::UnsupportedNameType => "the host's name can't stand in a certificate".to_owned(),
        Error::DecryptError => "the server sent data that can't be decrypted".to_owned(),
        Error::PeerSentOversizedRecord => "the server sent a record that is too large".to_owned(),
        _ => "the handshake failed".to_owned(),
    }
}

fn of_certificate(fault: &CertificateError) -> String {
    use CertificateError as Fault;
    let message = match fault {
        Fault::Expired | Fault::ExpiredContext { .. } => "the certificate has expired",
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => "the certificate is not valid yet",
        Fault::UnknownIssuer => {
            "the certificate's issuer is not known: the chain is incomplete, or its root is private"
        }
        Fault::NotValidForNameContext { presented, .. } if !presented.is_empty() => return of_names(presented),
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => "the certificate is for another host",
        Fault::Revoked => "the certificate is revoked",
        Fault::BadEncoding => "the certificate can't be read",
        Fault::BadSignature => "the certificate's signature is wrong",
        Fault::UnhandledCriticalExtension => "the certificate has a critical extension that is not supported",
        Fault::InvalidPurpose | Fault::InvalidPurposeContext { .. } => "the certificate is not for servers",
        Fault::UnsupportedSignatureAlgorithmContext { .. }
        | Fault::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the certificate is signed with an algorithm that is not supported"
        }
        Fault::Other(OtherError(other)) => return of_other(other.as_ref()),
        _ => "the certificate is not valid",
    };
    message.to_owned()
}

/// Names in rustls' form: `DnsName("example.com")`.
fn of_names(presented: &[String]) -> String {
    let plain = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
    let names: Vec<String> = presented.iter().take(MAX_NAMES).map(plain).collect();
    let more = if presented.len() > MAX_NAMES { ", …" } else { "" };
    format!("the certificate is for another host: {}{more}", names.join(", "))
}

fn of_other(fault: &(dyn std::error::Error + 'static)) -> String {
    if let Some(fault) = fault.downcast_ref::<SelfSigned>() {
        return fault.to_string();
    }
    let message = match fault.downcast_ref::<webpki::Error>() {
        Some(webpki::Error::CaUsedAsEndEntity) => "the certificate is an issuer's own, not a server's",
        Some(webpki::Error::EndEntityUsedAsCa) => "the certificate is signed by one that may not sign others",
        Some(webpki::Error::PathLenConstraintViolated) => "the certificate's chain is longer than its issuer allows",
        Some(webpki::Error::NameConstraintViolation) => "the certificate's issuer may not sign for this name",
        Some(webpki::Error::UnsupportedCertVersion) => "the certificate is not of X.509 version 3",
        _ => "the certificate is not valid",
    };
    message.to_owned()
}

/// The message for an alert, with its number and its name in RFC 8446, section 6.2.
fn of_alert(number: u8) -> String {
    let name = match number {
        0 => "close notify",
        10 => "unexpected message",
        20 => "bad record MAC",
        22 => "record overflow",
        40 => "handshake failure",
        42 => "bad certificate",
        43 => "unsupported certificate",
        44 => "certificate revoked",
        45 => "certificate expired",
        46 => "certificate unknown",
        47 => "illegal parameter",
        48 => "unknown CA",
        49 => "access denied",
        50 => "decode error",
        51 => "decrypt error",
        70 => "protocol version",
        71 => "insufficient security",
        80 => "internal error",
        86 => "inappropriate fallback",
        90 => "user canceled",
        109 => "missing extension",
        110 => "unsupported extension",
        112 => "unrecognized name",
        113 => "bad certificate status response",
        115 => "unknown PSK identity",
        116 => "certificate required",
        120 => "no application protocol",
        _ => return format!("the server aborted the handshake with alert {number}"),
    };
    format!("the server aborted the handshake with alert {number} ({name})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{AlertDescription, InvalidMessage, PeerMisbehaved};

    fn of(fault: CertificateError) -> String {
        message(&fault.into())
    }

    #[test]
    fn a_tls_fault_has_a_plain_message() {
        let other = |fault: webpki::Error| of(CertificateError::Other(OtherError(Arc::new(fault))));
        let named = |names: &[&str]| {
            let presented = names.iter().map(|name| (*name).to_owned()).collect();
            of(CertificateError::NotValidForNameContext { expected: "a.test".try_into().unwrap(), presented })
        };
        for (message, expected) in [
            (of(CertificateError::BadSignature), "the certificate's signature is wrong"),
            (of(CertificateError::ApplicationVerificationFailure), "the certificate is not valid"),
            (named(&[]), "the certificate is for another host"),
            (named(&["DnsName(\"b.test\")"]), "the certificate is for another host: b.test"),
            (named(&["a", "b", "c", "d"]), "the certificate is for another host: a, b, c, …"),
            (other(webpki::Error::CaUsedAsEndEntity), "the certificate is an issuer's own, not a server's"),
            (other(webpki::Error::BadDerTime), "the certificate is not valid"),
            (
                message(&Error::AlertReceived(AlertDescription::HandshakeFailure)),
                "the server aborted the handshake with alert 40 (handshake failure)",
            ),
            (
                message(&Error::AlertReceived(AlertDescription::Unknown(200))),
                "the server aborted the handshake with alert 200",
            ),
            (
                message(&Error::InvalidMessage(InvalidMessage::InvalidContentType)),
                "the server at this address does not speak TLS",
            ),
            (
                message(&Error::PeerMisbehaved(PeerMisbehaved::IllegalHelloRetryRequestWithEmptyCookie)),
                "the server broke the rules of the TLS handshake",
            ),
            (message(&Error::General("Debug { of: Rust }".to_owned())), "the handshake failed"),
        ] {
            assert_eq!(message, expected);
        }
        let incompatible = message(&Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13));
        assert!(incompatible.ends_with("it needs TLS 1.2 or 1.3"), "{incompatible}");
    }
}
