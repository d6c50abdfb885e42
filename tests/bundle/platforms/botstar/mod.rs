//! BotStar.

mod bots;
mod environment;
mod http_block;
mod items;
mod users;
