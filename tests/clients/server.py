"""The MCP server: a `local` whose platforms the sandbox plays."""

from sandbox import TOKEN
from switchboard import Switchboard

# As the sandbox prints them when it starts.
BOTSTAR_TOKEN = "sandbox-token-of-botstar-9876543210"
BOTDISTRIKT_DOMAIN = "sandbox-chat-q7v2mz9x4ktd8hw3rj6yb5nf.invalid"


class Server(Switchboard):
    def __init__(self, folder, sandbox):
        super().__init__(
            folder,
            BOTSTAR_API_URL=f"{sandbox.url}/botstar/v1",
            CHATBOT_API_URL=f"{sandbox.url}/chatbot",
            BOTDISTRIKT_API_URL=f"{sandbox.url}/botdistrikt/api",
        )

    @property
    def mcp_url(self):
        return f"{self.url}/mcp"

    def new_key(self, scope, **settings):
        """A new key, as an agent is given one: its id and its text."""
        made = self.call("POST", "/v1/keys", {"name": "Agent", "scope": scope, **settings})
        return made["id"], made["key"]

    def chatbot(self):
        return self.connection("chatbot", "ChatBot", access_token=TOKEN)

    def botstar(self):
        return self.connection("botstar", "BotStar", api_token=BOTSTAR_TOKEN)

    def botdistrikt(self):
        return self.connection("botdistrikt", "BotDistrikt", webchat_app_id=4711, domain=BOTDISTRIKT_DOMAIN)
