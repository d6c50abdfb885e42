//! Calls of AWS targets: one signed request each, after the check that an event bus exists.

use super::{
    Deliverer,
    attempt::{Judged, Verdict, answered_at, attempted},
    not_sent,
};
use crate::aws_target::{
    AwsMessage, AwsOutcome, Service, TargetArn, TooLarge, check_bus, describe_bus, is_elsewhere, outcome,
};
use app::App;
use aws::{TARGET_TIMEOUT, signed::SignedClient};
use models::{
    Timestamp,
    delivery::{Attempt, Reason},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio::{sync::OnceCell, time::timeout};
use web::{Problem, retry::retry_after};
use webhook::kept;

/// Event buses that exist, or that this deployment may not ask for. Each is asked for once in a process, because
/// `PutEvents` answers success for a bus that doesn't exist.
#[derive(Default)]
pub struct KnownBuses(Mutex<BTreeMap<String, Arc<OnceCell<()>>>>);

impl Deliverer {
    /// Sends a message to an AWS target once. `key` is the same for all attempts of a delivery until it is retried by
    /// hand.
    pub(super) async fn send_to_aws(
        &self,
        app: &App,
        message: &AwsMessage,
        key: &str,
    ) -> Result<(Verdict, Attempt), Problem> {
        let now = app.now();
        let request = match message.request(key, app.aws_endpoint()) {
            Ok(request) => request,
            Err(TooLarge(fault)) => return Ok((Verdict::Dead(Reason::TooLarge), not_sent(now, &fault))),
        };
        let client =
            app.aws().map_err(Problem::internal)?.ok_or_else(|| Problem::internal("there is no AWS client"))?;
        if message.arn.service == Service::EventBus
            && let Err(fault) = self.buses.check(app, client, &message.arn).await
        {
            return Ok((Verdict::Failed(None), not_sent(now, &fault)));
        }
        let started = Instant::now();
        let judged = match client.post(app.now(), request, TARGET_TIMEOUT).await {
            Ok(answer) => {
                let answered = answered_at(now, started);
                let wait = answer.retry_after.as_deref().and_then(|text| retry_after(text, answered));
                let not_before = wait.map(|seconds| answered.plus_seconds(seconds));
                judge(outcome(message, &answer), answer.status, not_before)
            }
            Err(error) => (Verdict::Failed(None), None, Some(error), None),
        };
        Ok(attempted(now, started, judged))
    }
}

fn judge(outcome: AwsOutcome, status: u16, not_before: Option<Timestamp>) -> Judged {
    match outcome {
        AwsOutcome::Taken(id) => (Verdict::Succeeded, Some(status), None, Some(kept(id.as_bytes()))),
        AwsOutcome::Dead(reason, error) => (Verdict::Dead(reason), Some(status), Some(error), None),
        AwsOutcome::Failed(error) => (Verdict::Failed(not_before), Some(status), Some(error), None),
    }
}

impl KnownBuses {
    /// Fails if a bus does not exist, or if that can't be found out. Concurrent callers share one request.
    async fn check(&self, app: &App, client: &SignedClient, bus: &TargetArn) -> Result<(), String> {
        let known =
            Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(bus.to_string()).or_default());
        let checked = known.get_or_try_init(|| ask(app, client, bus));
        match timeout(TARGET_TIMEOUT, checked).await {
            Ok(checked) => checked.copied(),
            Err(_) => Err(format!("DescribeEventBus: no answer within {} s", TARGET_TIMEOUT.as_secs())),
        }
    }
}

async fn ask(app: &App, client: &SignedClient, bus: &TargetArn) -> Result<(), String> {
    let request = describe_bus(bus, is_elsewhere(&app.config, bus), client.endpoint());
    let answer =
        client.post(app.now(), request, TARGET_TIMEOUT).await.map_err(|error| format!("DescribeEventBus: {error}"))?;
    check_bus(bus, &answer)
}
