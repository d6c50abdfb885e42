//! HTTP client for `aws-sdk-dynamodb` in the same process, without a socket.

use aws_sdk_dynamodb::Config;
use aws_sdk_dynamodb::config::retry::{ReconnectMode, RetryConfig};
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;

use crate::{Database, operations::CONTENT_TYPE};

impl Database {
    /// The HTTP client for a custom configuration; [`Database::sdk_config`] is a complete one.
    pub fn http_client(&self) -> SharedHttpClient {
        let connector = self.connector();
        http_client_fn(move |_, _| connector.clone())
    }

    /// The connector of that client.
    pub fn connector(&self) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector(self.clone()))
    }

    /// Configuration for `aws_sdk_dynamodb::Client::from_conf` with this database. Nothing is signed, and the
    /// endpoint is a dummy, which is never resolved.
    pub fn sdk_config(&self) -> Config {
        Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .allow_no_auth()
            .region(Region::new("local"))
            .endpoint_url("http://embedded.invalid")
            // There is no connection that could be replaced, which the SDK would log as an error.
            .retry_config(RetryConfig::standard().with_reconnect_mode(ReconnectMode::ReuseAllConnections))
            .http_client(self.http_client())
            .build()
    }
}

struct Connector(Database);

impl std::fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let database = self.0.clone();
        HttpConnectorFuture::new(async move { respond(&database, &request).await })
    }
}

async fn respond(database: &Database, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    let body = request.body().bytes().ok_or_else(|| ConnectorError::user("the body is a stream".into()))?;
    let reply = database.answer(target, body.to_vec()).await;

    let status = reply.status.try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
    response.headers_mut().insert("content-type", CONTENT_TYPE);
    Ok(response)
}
