//! Sealing with a simulated KMS in this process.

use super::*;
use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use data_encoding::BASE64;
use models::{Failure as _, FailureKind, Timestamp, failure::Service};
use serde_json::{Value, json};
use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1";
const HEADERS: &str = "20 headers";

#[derive(Default)]
struct Kms {
    /// Key, context and plaintext, by ciphertext.
    known: Mutex<Vec<(String, Value)>>,
    asked: Mutex<Vec<String>>,
    /// The error of all requests.
    fails: Mutex<Option<&'static str>>,
    time: AtomicU64,
}

impl Clock for Played {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.time.load(Ordering::Relaxed))
    }
}

#[derive(Clone)]
struct Played(Arc<Kms>);

impl std::fmt::Debug for Played {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Played")
    }
}

impl HttpConnector for Played {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation =
            request.headers().get("x-amz-target").unwrap().strip_prefix("TrentService.").unwrap().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let answer = self.0.answer(&operation, body);
        self.0.asked.lock().unwrap().push(operation);
        let (status, body) = match answer {
            Ok(answer) => (200, answer),
            Err(name) => (400, json!({ "__type": name, "message": "" })),
        };
        let response = HttpResponse::new(status.try_into().unwrap(), body.to_string().into_bytes().into());
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl Kms {
    fn answer(&self, operation: &str, body: Value) -> Result<Value, &'static str> {
        if let Some(name) = *self.fails.lock().unwrap() {
            return Err(name);
        }
        match operation {
            "GenerateDataKey" => {
                assert_eq!(body["KeySpec"], "AES_256");
                let mut known = self.known.lock().unwrap();
                let key = digest(&SHA256, known.len().to_string().as_bytes());
                let plain = BASE64.encode(key.as_ref());
                let ciphertext = BASE64.encode(format!("wrapped {}", known.len()).as_bytes());
                let entry = json!({ "KeyId": body["KeyId"], "EncryptionContext": body["EncryptionContext"], "Plaintext": plain });
                known.push((ciphertext.clone(), entry));
                Ok(json!({ "CiphertextBlob": ciphertext, "Plaintext": plain }))
            }
            "Decrypt" => {
                let known = self.known.lock().unwrap();
                let found = known.iter().find(|(ciphertext, _)| body["CiphertextBlob"] == **ciphertext);
                let fits = |entry: &Value| ["KeyId", "EncryptionContext"].iter().all(|name| entry[name] == body[name]);
                let entry = found.filter(|(_, entry)| fits(entry));
                entry.map(|(_, entry)| json!({ "Plaintext": entry["Plaintext"] })).ok_or("InvalidCiphertextException")
            }
            other => panic!("{other}"),
        }
    }

    /// Adds a text encrypted by KMS itself. Returns its sealed form.
    fn encrypted_directly(&self, record: &str, plain: &str) -> String {
        let blob = format!("direct {record} {plain}");
        let context = json!({ RECORD: record });
        let entry = json!({ "KeyId": ARN, "EncryptionContext": context, "Plaintext": BASE64.encode(plain.as_bytes()) });
        self.known.lock().unwrap().push((BASE64.encode(blob.as_bytes()), entry));
        format!("kms.{}", BASE64URL_NOPAD.encode(blob.as_bytes()))
    }

    fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn advance(&self, seconds: u64) {
        self.time.fetch_add(seconds * 1_000, Ordering::Relaxed);
    }
}

fn started() -> (Arc<Kms>, KmsKey) {
    let kms = Arc::new(Kms::default());
    let key = warm(&kms);
    (kms, key)
}

/// Another process with the same KMS.
fn warm(kms: &Arc<Kms>) -> KmsKey {
    let played = Played(Arc::clone(kms));
    let connector = SharedHttpConnector::new(played.clone());
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("played", "played", None, None, "played"))
        .retry_config(RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    KmsKey::new(aws_sdk_kms::Client::from_conf(config), ARN.to_owned(), Arc::new(played))
}

#[tokio::test]
async fn a_text_of_any_length_opens_only_for_its_record() {
    let (kms, key) = started();
    for plain in ["", "secret", "tokén ☃", &"x".repeat(4_097), &HEADERS.repeat(8_192), &"y".repeat(1_048_576)] {
        let sealed = key.seal("rt_1", plain).await.unwrap();
        assert!(sealed.starts_with("kms2.") && (plain.is_empty() || !sealed.contains(plain)));
        assert!(sealed.len() < plain.len() * 4 / 3 + 400, "{}", sealed.len());
        assert_eq!(key.open("rt_1", &sealed).await.unwrap(), plain);
        assert_eq!(warm(&kms).open("rt_1", &sealed).await.unwrap(), plain);
        // A cached data key is bound to its record as well.
        for other in ["rt_2", "con_1", "", "rt_1 "] {
            assert!(matches!(key.open(other, &sealed).await, Err(SealError::Refused(_))), "{other}");
        }
    }
}

#[tokio::test]
async fn each_text_has_its_own_data_key() {
    let (kms, key) = started();
    let (one, two) = (key.seal("rt_1", "secret").await.unwrap(), key.seal("rt_1", "secret").await.unwrap());
    assert_eq!(kms.take_asked(), ["GenerateDataKey", "GenerateDataKey"]);
    let wrapped = |sealed: &str| sealed.split('.').nth(1).unwrap().to_owned();
    assert_ne!(wrapped(&one), wrapped(&two));
    assert_ne!(one.rsplit('.').next(), two.rsplit('.').next());
}

#[tokio::test]
async fn texts_sealed_by_an_earlier_release_open() {
    let (kms, key) = started();
    for plain in ["", "whsec_secret", "{\"access_token\":\"tokén\"}", &"x".repeat(4_096)] {
        let sealed = kms.encrypted_directly("con_1", plain);
        assert_eq!(key.open("con_1", &sealed).await.unwrap(), plain);
        assert!(matches!(key.open("con_2", &sealed).await, Err(SealError::Refused(_))));
    }
}

#[tokio::test]
async fn a_modified_text_does_not_open() {
    let (kms, key) = started();
    let sealed = key.seal("rt_1", "secret").await.unwrap();
    let parts: Vec<&str> = sealed.split('.').collect();
    let [prefix, wrapped, text] = parts[..] else { panic!("{sealed}") };
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    // Nonce, ciphertext and tag.
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let changed = format!("{prefix}.{wrapped}.{}", BASE64URL_NOPAD.encode(&changed));
        assert!(matches!(key.open("rt_1", &changed).await, Err(SealError::Broken)), "{at}");
    }
    for kept in 0..bytes.len() {
        let cut = format!("{prefix}.{wrapped}.{}", BASE64URL_NOPAD.encode(&bytes[..kept]));
        assert!(matches!(key.open("rt_1", &cut).await, Err(SealError::Broken)), "{kept}");
    }
    let of_another = key.seal("rt_1", "another").await.unwrap();
    let other_key = of_another.split('.').nth(1).unwrap();
    let swapped = format!("{prefix}.{other_key}.{text}");
    assert!(matches!(key.open("rt_1", &swapped).await, Err(SealError::Broken)));
    let unknown = format!("{prefix}.{}.{text}", BASE64URL_NOPAD.encode(b"wrapped 9"));
    assert!(matches!(key.open("rt_1", &unknown).await, Err(SealError::Refused(_))));
    kms.take_asked();
    let forms = ["", "kms2", "kms2.", "kms3.AA.AA", "aes256gcm.AAAA", "plain", "kms2.!.AA", "kms.!"];
    let parts = [format!("{wrapped}.{text}"), format!("{prefix}.{wrapped}"), format!("{prefix}.{wrapped}.{text}.AA")];
    for broken in forms.into_iter().chain(parts.iter().map(String::as_str)) {
        assert!(matches!(key.open("rt_1", broken).await, Err(SealError::Broken)), "{broken}");
    }
    assert_eq!(kms.take_asked(), [""; 0]);
}

#[tokio::test]
async fn a_warm_process_caches_data_keys_for_five_minutes() {
    let (kms, key) = started();
    let sealed = [key.seal("rt_1", "secret").await.unwrap(), kms.encrypted_directly("rt_1", "older")];
    kms.take_asked();
    for (wait, asked) in [(0, 2), (0, 0), (CACHE_SECONDS - 1, 0), (1, 2), (1, 0)] {
        kms.advance(wait);
        assert_eq!(key.open("rt_1", &sealed[0]).await.unwrap(), "secret");
        assert_eq!(key.open("rt_1", &sealed[1]).await.unwrap(), "older");
        assert_eq!(kms.take_asked().len(), asked, "after {wait} s");
    }
    // Errors are not cached.
    assert!(key.open("rt_2", &sealed[0]).await.is_err() && key.open("rt_2", &sealed[0]).await.is_err());
    assert_eq!(kms.take_asked(), ["Decrypt", "Decrypt"]);
}

#[tokio::test]
async fn a_temporary_kms_error_is_retried() {
    let (kms, key) = started();
    let sealed = key.seal("con_1", "secret").await.unwrap();
    let passing = [
        "ThrottlingException",
        "KMSInternalException",
        "DependencyTimeoutException",
        "KeyUnavailableException",
        "DisabledException",
        "AccessDeniedException",
    ];
    let passing = passing.iter().map(|name| (*name, FailureKind::StoreUnavailable(Service::Kms)));
    for (name, kind) in passing.chain(PERMANENT_ERRORS.iter().map(|name| (*name, FailureKind::Internal))) {
        *kms.fails.lock().unwrap() = Some(name);
        for failed in [key.seal("con_1", "secret").await, key.open("con_1", &sealed).await] {
            assert_eq!(failed.unwrap_err().kind(), kind, "{name}");
        }
    }
    *kms.fails.lock().unwrap() = None;
    assert_eq!(key.open("con_1", &sealed).await.unwrap(), "secret");
}
