//! `POST /v1/hooks/{id}/sample`: posts the trigger's sample body to the hook's own URL, through the front door, so that
//! what answers is what will answer the platform.

use super::{find, view::url};
use runtime::{App, Call, Code, Problem, Reply};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize, JsonSchema)]
pub struct Sent {
    /// What was posted.
    body: Value,
    /// The hook's answer.
    status: u16,
    answer: Value,
}

pub async fn send(app: &App, call: Call) -> Result<Reply, Problem> {
    let hook = find(app, &call).await?;
    let (_, module) = registry::trigger(&hook.trigger).ok_or_else(|| Problem::internal("a hook of no trigger"))?;
    let unreachable = |detail: String| Problem::new(Code::HookUnreachable, detail);
    let url = url(app, &call, &hook).await?.parse().map_err(Problem::internal)?;
    let http = app.http().map_err(Problem::internal)?;
    let request = http.request(http::Method::POST, url).header("content-type", "application/json").body(module.sample);
    let answer = http.send(request).await.map_err(|problem| {
        let advice = "check that PUBLIC_URL leads here";
        Problem { source: problem.source, ..unreachable(format!("{}: {advice}", problem.detail)) }
    })?;
    Reply::ok(&Sent {
        body: serde_json::from_str(module.sample).map_err(Problem::internal)?,
        status: answer.status.as_u16(),
        answer: serde_json::from_slice(&answer.body)
            .map_err(|_| unreachable(format!("something else than the hook answered {}", answer.status)))?,
    })
}
