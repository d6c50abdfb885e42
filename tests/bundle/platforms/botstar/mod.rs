//! BotStar.

mod http_block;
