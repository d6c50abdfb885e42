//! `make demo`: a Switchboard in memory with made-up people, so that the console has something to show. Webhooks go to
//! a receiver in the same process, and actions to the sandbox. Nothing is kept.

mod life;
mod people;
mod receiver;
mod world;

use crate::{Api, Sandbox};
use life::Life;
use local::{BoxError, Local, Options};
use models::clock::SystemClock;
use receiver::Receiver;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use web::settings::Settings;
use world::World;

/// Waits between attempts in seconds: short, so that some deliveries wait and some end as dead letters soon.
const RETRY_SCHEDULE: &str = "4,15";

/// A running demo. Its events stop when it is stopped.
pub struct Demo {
    pub local: Local,
    life: JoinHandle<()>,
    _sandbox: Sandbox,
}

impl Demo {
    /// Starts everything, with some history. Further events follow, one each `pause` on average. Port 0 means any free
    /// port. Settings of the environment have no effect.
    pub async fn start(port: u16, pause: Duration) -> Result<Self, BoxError> {
        let sandbox = Sandbox::start(0).await?;
        let receiver = Receiver::start().await?;
        let local = Local::start(options(port, &sandbox)?, Arc::new(SystemClock)).await?;
        let world = World::create(Api::new(&local.url, &local.admin_key.secret), &receiver).await;
        let mut life = Life::new(world, sandbox.clone());
        life.begin().await;
        Ok(Self { local, life: tokio::spawn(life.go_on(pause)), _sandbox: sandbox })
    }

    pub async fn stop(self) -> Result<(), BoxError> {
        self.life.abort();
        self.local.stop().await
    }
}

fn options(port: u16, sandbox: &Sandbox) -> Result<Options, BoxError> {
    let settings: Settings = [
        ("PORT", port.to_string()),
        ("DATA_DIR", ":memory:".to_owned()),
        ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8".to_owned()),
        ("RETRY_SCHEDULE", RETRY_SCHEDULE.to_owned()),
        ("CHATBOT_API_URL", sandbox.chatbot_url()),
        ("BOTDISTRIKT_API_URL", sandbox.botdistrikt_url()),
        ("BOTMOTHER_API_URL", sandbox.url.clone()),
    ]
    .into_iter()
    .collect();
    Ok(Options::read(settings)?)
}
