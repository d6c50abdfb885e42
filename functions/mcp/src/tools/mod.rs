//! The tools: reads and operations of the API, and the actions of the platforms.

mod actions;
mod api;
mod invoked;
pub mod schema;

use actions::ActionTool;
use api::{API_TOOLS, ApiTool};
use app::App;
use models::Scope;
use serde_json::{Map, Value, json};
use web::{Problem, Request};

/// Hints for a client's confirmation of a call.
#[derive(Debug, Clone, Copy)]
pub struct Hints {
    pub is_read_only: bool,
    pub is_destructive: bool,
    pub is_idempotent: bool,
    /// True for a tool that reaches beyond the deployment.
    pub is_open_world: bool,
}

pub enum Tool {
    Api(&'static ApiTool),
    Action(ActionTool),
}

/// Every tool, in a stable order.
pub fn tools() -> impl Iterator<Item = Tool> {
    API_TOOLS.iter().map(Tool::Api).chain(actions::all().map(Tool::Action))
}

pub fn find(name: &str) -> Option<Tool> {
    tools().find(|tool| tool.name() == name)
}

impl Tool {
    pub fn name(&self) -> String {
        match self {
            Self::Api(tool) => tool.name.to_owned(),
            Self::Action(tool) => tool.name(),
        }
    }

    /// Least scope of a key that may list and call the tool.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Api(tool) => tool.scope,
            Self::Action(_) => Scope::Act,
        }
    }

    /// The tool as `tools/list` shows it.
    pub fn describe(self) -> Value {
        let (title, description, hints) = match &self {
            Self::Api(tool) => (tool.title, tool.description, tool.hints),
            Self::Action(tool) => (tool.module.label, tool.module.description, tool.hints()),
        };
        json!({
            "name": self.name(),
            "title": title,
            "description": description,
            "inputSchema": self.input(),
            "outputSchema": self.output(),
            "annotations": {
                "title": title,
                "readOnlyHint": hints.is_read_only,
                "destructiveHint": hints.is_destructive,
                "idempotentHint": hints.is_idempotent,
                "openWorldHint": hints.is_open_world,
            },
        })
    }

    fn input(&self) -> Value {
        match self {
            Self::Api(tool) => tool.input(),
            Self::Action(tool) => schema::rooted(tool.module.input()().to_value()),
        }
    }

    fn output(&self) -> Value {
        match self {
            Self::Api(tool) => tool.output(),
            Self::Action(tool) => schema::rooted((tool.module.output)().to_value()),
        }
    }

    /// Runs the tool for the caller of a request.
    pub async fn run(&self, app: &App, request: &Request, arguments: Map<String, Value>) -> Result<Value, Problem> {
        match self {
            Self::Api(tool) => tool.run(app, request, arguments).await,
            Self::Action(tool) => tool.run(app, request, arguments).await,
        }
    }
}
