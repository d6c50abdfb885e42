//! Tests of what the SAM CLI makes of `template.yaml`: `make template` writes it to `.aws-sam` and runs them.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test says what it expects by panicking")]

mod expanded;
#[path = "../bundle/support/functions.rs"]
mod functions;
mod parameters;
#[path = "../bundle/support/template.rs"]
mod template;
mod update;

use functions::root;
use serde_json::Value;
use std::{
    fs,
    process::{Command, Output},
};

/// A file that `make template` writes.
fn written(name: &str) -> Value {
    let text = fs::read(root().join(".aws-sam").join(name)).expect("`make template` writes it");
    serde_json::from_slice(&text).unwrap()
}

/// Runs a script on the template.
fn run(script: &str, arguments: &[String]) -> Output {
    let mut python = Command::new(root().join(".venv-lint/bin/python"));
    let run = python.arg(root().join("scripts").join(script)).args(arguments).output();
    run.expect("`make template` installs what the scripts need")
}
