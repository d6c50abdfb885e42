//! How AWS is reached from a function: by what Lambda's environment says, and nothing else. The SDK's own way of finding
//! region and credentials looks through files, containers and instances too, and links what it does that with.

mod trust;

use crate::{config::Settings, deadline};
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, IdentityCache, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_types::SdkConfig;
use lambda_runtime::Error;
use std::time::Duration;

/// Longest attempt of a request to DynamoDB, SQS or KMS, which answer within milliseconds. A trigger has 10 s: enough for
/// an attempt that stalls, the SDK's wait of up to 1 s and a repetition, for its read and for its write.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2_500);
/// Longest attempt of a request to CloudWatch, which adds up what it returns.
pub const METRICS_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for an invoked action, which starts and then runs for up to 29 s.
pub const INVOKE_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(35);

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
        .timeout_config(attempt_timeout(ATTEMPT_TIMEOUT))
        .sleep_impl(SharedAsyncSleep::new(deadline::Timer))
        .http_client(trust::http_client()?);
    config.set_endpoint_url(settings.url("AWS_ENDPOINT_URL")?.map(String::from));
    Ok(config.build())
}

/// The same configuration with another limit for each attempt.
pub fn with_attempt_timeout(sdk: &SdkConfig, limit: Duration) -> SdkConfig {
    sdk.to_builder().timeout_config(attempt_timeout(limit)).build()
}

fn attempt_timeout(limit: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(limit).build()
}
