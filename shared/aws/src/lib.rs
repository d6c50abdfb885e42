//! AWS from a function: the configuration of its clients, sealing with KMS, the delivery queue, metrics. Architecture
//! invariant: nothing here knows HTTP routes, a table or a platform.
//!
//! Region and credentials come from Lambda's environment alone. The SDK's own search goes through files, containers and
//! instances as well, and links the clients for that.

pub mod deadline;
pub mod history;
pub mod metrics;
pub mod queue;
pub mod seal;
mod trust;

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, IdentityCache, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_types::SdkConfig;
use std::{error::Error, time::Duration};

/// Longest attempt of a request to DynamoDB, SQS or KMS, which answer within milliseconds. A trigger has 10 s: enough for
/// an attempt that stalls, the SDK's wait of up to 1 s and a repetition, for its read and for its write.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2_500);
/// Longest attempt of a request to CloudWatch, which adds up what it returns.
pub const METRICS_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for an invoked action, which starts and then runs for up to 29 s.
pub const INVOKE_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(35);

/// The credentials and the region that Lambda gives a function.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
pub struct Environment {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
    pub region: String,
    /// An endpoint in place of AWS's own.
    pub endpoint_url: Option<String>,
}

/// The configuration that every AWS client is made from. A process keeps the credentials of its start.
pub fn sdk_config(environment: Environment) -> Result<SdkConfig, Box<dyn Error + Send + Sync>> {
    let Environment { access_key_id, secret_access_key, session_token, region, endpoint_url } = environment;
    let credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "environment");
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .identity_cache(IdentityCache::no_cache())
        // An attempt has a time as a whole, which takes less to watch than the flow of its bytes.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(attempt_timeout(ATTEMPT_TIMEOUT))
        .sleep_impl(SharedAsyncSleep::new(deadline::Timer))
        .http_client(trust::http_client()?);
    config.set_endpoint_url(endpoint_url);
    Ok(config.build())
}

/// The same configuration with another limit for each attempt.
pub fn with_attempt_timeout(sdk: &SdkConfig, limit: Duration) -> SdkConfig {
    sdk.to_builder().timeout_config(attempt_timeout(limit)).build()
}

fn attempt_timeout(limit: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(limit).build()
}
