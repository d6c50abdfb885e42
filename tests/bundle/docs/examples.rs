//! The examples of the README and of the documents, as a reader would run them.

use crate::support::documents::document;
use regex::Regex;
use serde_json::Value;
use std::{
    env,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
};
use tempfile::TempDir;
use tests::Process;

/// Where the documents say that `make run`, `make sandbox` and the receiver of a route listen. Here it is any free port.
const DOCUMENTED_PORTS: [&str; 3] = ["9000", "9100", "9200"];
/// Stands between the outputs of two blocks.
const BETWEEN: char = '\u{1e}';

/// Patterns of values that differ between runs, with their replacements.
static VARYING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let varying = [
        (r"\b(con|hook|evt|sub|cpr|rec|tko|key|req|rt|dlv)_[a-z0-9]+", "${1}_…"),
        (r"(/hooks/[a-z]+/[a-z-]+/)[A-Za-z0-9_-]+", "${1}…"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z", "…"),
        (r"\b[0-9a-f]{24}\b", "…"),
        (r"\b[0-9a-f]{64}\b", "…"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "…"),
        (r#""(milliseconds|duration_ms)":( ?)\d+"#, r#""${1}":${2}0"#),
    ];
    varying.into_iter().map(|(pattern, place)| (Regex::new(pattern).unwrap(), place)).collect()
});

/// A block of commands, and what is said to come of them.
struct Step {
    commands: String,
    output: Option<Output>,
}

struct Output {
    is_json: bool,
    text: String,
}

/// The fenced blocks under a heading: language and text.
fn blocks(document: &str, heading: &str) -> Vec<(String, String)> {
    let level = |line: &str| line.split_once(' ').map(|(marks, _)| marks.len()).filter(|_| line.starts_with('#'));
    let under = level(heading).unwrap();
    let (mut blocks, mut open): (Vec<(String, String)>, bool) = (Vec::new(), false);
    for line in document.lines().skip_while(|line| *line != heading).skip(1) {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(language) => {
                open = true;
                blocks.push((language.to_owned(), String::new()));
            }
            None if open => blocks.last_mut().unwrap().1.push_str(&format!("{line}\n")),
            None if level(line).is_some_and(|level| level <= under) => break,
            None => {}
        }
    }
    assert!(!open, "a block under {heading} does not end");
    blocks
}

fn steps(blocks: Vec<(String, String)>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (language, text) in blocks {
        match language.as_str() {
            // Started before the example.
            "" if text.contains("make ") => {}
            "sh" => steps.push(Step { commands: text, output: None }),
            "json" | "text" | "console-output" => {
                let output = Output { is_json: language == "json", text };
                assert!(steps.last_mut().unwrap().output.replace(output).is_none(), "two outputs of one block");
            }
            other => panic!("a block of {other:?} in the example"),
        }
    }
    steps
}

fn without_what_varies(text: &str) -> String {
    VARYING.iter().fold(text.to_owned(), |text, (pattern, place)| pattern.replace_all(&text, *place).into_owned())
}

fn json(text: &str) -> Vec<Value> {
    let values = serde_json::Deserializer::from_str(text).into_iter();
    values.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_examples_do_what_they_say() {
    let (readme, actions, routes) = (document("README.md"), document("docs/actions.md"), document("docs/routes.md"));
    let sections = [(&readme, "## First example"), (&actions, "## Without an account"), (&routes, "## On a laptop")];
    let steps: Vec<Step> = sections.iter().flat_map(|(document, heading)| steps(blocks(document, heading))).collect();
    assert!(steps.iter().filter(|step| step.output.is_some()).count() > 8, "the examples show no outputs");

    let folder = TempDir::new().unwrap();
    let mut sandbox =
        Process::spawn_binary(Path::new(env!("CARGO_BIN_EXE_sandbox")), folder.path(), &[("SANDBOX_PORT", "0")]);
    let sandbox_url = sandbox.listening();
    let [botstar, chatbot, botdistrikt] =
        ["botstar/v1", "chatbot", "botdistrikt/api"].map(|path| format!("{sandbox_url}/{path}"));
    let data = folder.path().join(".data");
    let settings = [
        ("PORT", "0"),
        ("DATA_DIR", data.to_str().unwrap()),
        ("BOTSTAR_API_URL", &botstar),
        ("CHATBOT_API_URL", &chatbot),
        ("BOTDISTRIKT_API_URL", &botdistrikt),
        ("BOTMOTHER_API_URL", &sandbox_url),
        // The reader starts it again with these, on the same database.
        ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8"),
        ("RETRY_SCHEDULE", "1,60,300"),
    ];
    for (name, value) in &settings[6..] {
        assert!(routes.contains(&format!("{name}={value} ")), "it is not said how to start it with {name}");
    }
    let mut process = Process::spawn(folder.path(), &settings);
    let port = |url: &str| url.rsplit(':').next().unwrap().to_owned();
    // Free until the receiver takes it.
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ports = [port(&process.listening()), port(&sandbox_url), receiver.port().to_string()];
    let here = |text: &str| {
        DOCUMENTED_PORTS.iter().zip(&ports).fold(text.to_owned(), |text, (documented, port)| {
            Regex::new(&format!(r"\b{documented}\b")).unwrap().replace_all(&text, port).into_owned()
        })
    };

    // One shell for all blocks, as the reader has.
    let script: String = steps.iter().map(|step| format!("{}\nprintf '{BETWEEN}'\n", here(&step.commands))).collect();
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &script]).current_dir(folder.path()).stdin(Stdio::null());
    shell.env_clear().env("PATH", env::var_os("PATH").unwrap()).env("HOME", folder.path());
    let ran = shell.output().expect("bash");
    let printed = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{printed}\n{}", String::from_utf8_lossy(&ran.stderr));

    let printed: Vec<&str> = printed.split_terminator(BETWEEN).collect();
    assert_eq!(printed.len(), steps.len());
    for (step, printed) in steps.iter().zip(printed) {
        let printed = without_what_varies(printed);
        match &step.output {
            None => {}
            Some(Output { is_json: true, text }) => {
                assert_eq!(json(&printed), json(&without_what_varies(&here(text))), "{}", step.commands);
            }
            Some(Output { is_json: false, text }) => {
                assert_eq!(printed.trim(), without_what_varies(&here(text)).trim(), "{}", step.commands);
            }
        }
    }
}
