//! Certificate authorities that the servers of platforms and of webhooks are verified against. The clients of AWS's own
//! endpoints trust Amazon's and the system's (`shared/aws/src/trust.rs`).

use rustls::{
    ClientConfig, Error, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs::default_provider,
    pki_types::CertificateDer,
};
use rustls_platform_verifier::Verifier;
use std::{str::FromStr, sync::Arc};
use webpki_roots::TLS_SERVER_ROOTS;

/// A list of trusted roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustedRoots {
    /// Mozilla's list, as it was when the program was built. It needs no parsing.
    Bundled,
    /// The operating system's list, which a client reads when it is created. That takes some 20 million instructions.
    System,
}

impl FromStr for TrustedRoots {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "bundled" => Ok(Self::Bundled),
            "system" => Ok(Self::System),
            _ => Err(()),
        }
    }
}

impl TrustedRoots {
    /// A verifier that trusts these issuers in addition to the roots.
    pub fn verifier(self, issuers: Vec<CertificateDer<'static>>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
        let provider = Arc::new(default_provider());
        if self == Self::System {
            return Ok(Arc::new(Verifier::new_with_extra_roots(issuers, provider)?));
        }
        let mut store = RootCertStore { roots: TLS_SERVER_ROOTS.to_vec() };
        for issuer in issuers {
            store.add(issuer)?;
        }
        let built = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        Ok(built.map_err(|error| Error::General(error.to_string()))?)
    }
}

/// The configuration of a client with a verifier.
pub fn client_config(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?.dangerous();
    Ok(builder.with_custom_certificate_verifier(verifier).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject as _;

    #[test]
    fn amazons_roots_are_bundled() {
        let amazons = include_bytes!("../../aws/src/amazon_roots.pem");
        let amazons: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(amazons).map(Result::unwrap).collect();
        assert!(amazons.len() >= 4);
        for root in &amazons {
            let anchor = webpki::anchor_from_trusted_cert(root).unwrap();
            let is_same = |bundled: &&rustls::pki_types::TrustAnchor<'_>| {
                bundled.subject == anchor.subject && bundled.subject_public_key_info == anchor.subject_public_key_info
            };
            assert!(TLS_SERVER_ROOTS.iter().any(|bundled| is_same(&bundled)), "{anchor:?}");
        }
    }

    #[test]
    fn an_issuer_that_is_no_certificate_is_an_error() {
        for roots in [TrustedRoots::Bundled, TrustedRoots::System] {
            assert!(roots.verifier(vec![CertificateDer::from(vec![1, 2, 3])]).is_err(), "{roots:?}");
            assert!(roots.verifier(Vec::new()).is_ok(), "{roots:?}");
        }
    }
}
