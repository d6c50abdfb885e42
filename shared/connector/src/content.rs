//! Content of a webhook call, and its dedupe key.

use crate::query;
use app::App;
use bytes::Bytes;
use http::header;
use models::{Trigger, clock::random, ids::ContentKey};
use payload::{
    Reading,
    body::{self, Format},
};
use serde_json::Value;
use std::{borrow::Cow, iter};
use store::hooks::Hook;
use web::{
    Code, MAX_WEBHOOK_BODY_BYTES, Problem, Request, RequestExt as _,
    encoding::{self, Decoded},
};

/// Content of a call: its body without the encoding, and the query without the platform's secrets.
pub(crate) struct Content<'c> {
    pub(crate) bytes: Bytes,
    pub(crate) encoding: Option<&'static str>,
    pub(crate) format: Format,
    pub(crate) body: Value,
    pub(crate) query: Cow<'c, str>,
}

impl<'c> Content<'c> {
    pub(crate) fn read(trigger: &Trigger, request: &'c Request) -> Result<Self, Problem> {
        if request.context().body_bytes > MAX_WEBHOOK_BODY_BYTES as u64 {
            return Err(Problem::new(Code::BodyTooLarge, "the body must have at most 256 KB"));
        }
        let Decoded { bytes, encoding } = encoding::decode(request.headers(), request.body(), MAX_WEBHOOK_BODY_BYTES)?;
        let read = body::read(&bytes, request.header(&header::CONTENT_TYPE));
        let (format, body) = read.map_err(|error| Problem::new(Code::UnreadableBody, error.to_string()))?;
        Ok(Self { bytes, encoding, format, body, query: query::without(request.raw_query(), trigger.secret_query) })
    }

    /// The dedupe key and its window: forever for the platform's own message id, or else the hook's window for the
    /// content.
    pub(crate) fn dedupe(
        &self,
        app: &App,
        trigger: &Trigger,
        hook: &Hook,
        request: &Request,
        reading: &Reading,
    ) -> Result<(ContentKey, u64), Problem> {
        if let Some(message) = trigger.message.and_then(|message| message.of(reading, &self.body)) {
            let parts = iter::once(&b"message"[..]).chain(message.iter().map(String::as_bytes));
            return Ok((ContentKey::digest(&hook.id, &parts.collect::<Vec<_>>()), u64::MAX));
        }
        let window = hook.settings.dedupe_seconds.unwrap_or(app.config.dedupe_window_seconds);
        if window == 0 {
            return Ok((ContentKey::unique(random()?), window));
        }
        let headers =
            trigger.headers.iter().map(|header| request.headers().get(header.name).map_or(&b""[..], |v| v.as_bytes()));
        let query = Some(self.query.as_bytes()).filter(|query| !query.is_empty());
        // The same bytes in another charset are another text.
        let charset = self.format.charset.stored_name().map(str::as_bytes);
        let parts: Vec<&[u8]> = iter::once(&*self.bytes).chain(headers).chain(query).chain(charset).collect();
        Ok((ContentKey::digest(&hook.id, &parts), window))
    }
}
