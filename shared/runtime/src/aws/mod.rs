//! How AWS is reached from a function: by what Lambda's environment says, and nothing else. The SDK's own way of finding
//! region and credentials looks through files, containers and instances too, and links what it does that with.

mod trust;

use crate::config::Settings;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, IdentityCache, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_types::SdkConfig;
use lambda_runtime::Error;
use std::time::Duration;

/// How long AWS may take to answer an attempt. The longest answer, of an action that is invoked, comes within this.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(35);

/// What every AWS client is made from. A process has the credentials of its start for as long as it lives.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
pub fn sdk_config(settings: &Settings) -> Result<SdkConfig, Error> {
    let key = settings.required("AWS_ACCESS_KEY_ID")?;
    let secret = settings.required("AWS_SECRET_ACCESS_KEY")?;
    let session = settings.get("AWS_SESSION_TOKEN").map(str::to_owned);
    let credentials = Credentials::new(key, secret, session, None, "environment");
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(settings.required("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .identity_cache(IdentityCache::no_cache())
        // An attempt has a time as a whole, which takes less to watch than the flow of its bytes.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
        .http_client(trust::http_client()?);
    config.set_endpoint_url(settings.url("AWS_ENDPOINT_URL")?.map(String::from));
    Ok(config.build())
}
