//! AWS for functions: configuration of the clients, sealing with KMS, the delivery queue, metrics. Architecture
//! invariant: no code here knows HTTP routes, a table or a platform.
//!
//! Region and credentials come only from Lambda's environment. The SDK's default chain also searches files, containers
//! and instances, and links the clients for that.

pub mod deadline;
pub mod history;
pub mod metrics;
pub mod queue;
pub mod seal;
pub mod signed;
mod trust;

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, IdentityCache, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_types::SdkConfig;
use std::{error::Error, time::Duration};

/// Time limit of an attempt of a request to DynamoDB, SQS or KMS, which answer within milliseconds. A trigger has 10 s:
/// enough for a stalled attempt, the SDK's wait of up to 1 s and a retry, both for its read and for its write.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2_500);
/// Time limit of an attempt of a request to CloudWatch, which aggregates the data that it returns.
pub const METRICS_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit of a request to the target of a route.
pub const TARGET_TIMEOUT: Duration = Duration::from_secs(15);
/// Time limit of an invocation of an action, which starts and then runs for up to 29 s.
pub const INVOKE_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(35);

/// Credentials and region from a function's environment.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
pub struct Environment {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
    pub region: String,
    /// An endpoint other than AWS's own.
    pub endpoint_url: Option<String>,
}

/// Base configuration of all AWS clients. A process keeps the credentials that it started with.
pub fn sdk_config(environment: Environment) -> Result<SdkConfig, Box<dyn Error + Send + Sync>> {
    let Environment { access_key_id, secret_access_key, session_token, region, endpoint_url } = environment;
    let credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "environment");
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .identity_cache(IdentityCache::no_cache())
        // Attempts have an overall time limit, which costs less than watching the flow of their bytes.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(attempt_timeout(ATTEMPT_TIMEOUT))
        .sleep_impl(SharedAsyncSleep::new(deadline::Timer))
        .http_client(trust::http_client()?);
    config.set_endpoint_url(endpoint_url);
    Ok(config.build())
}

/// The same configuration with another time limit for attempts.
pub fn with_attempt_timeout(sdk: &SdkConfig, limit: Duration) -> SdkConfig {
    sdk.to_builder().timeout_config(attempt_timeout(limit)).build()
}

fn attempt_timeout(limit: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(limit).build()
}
