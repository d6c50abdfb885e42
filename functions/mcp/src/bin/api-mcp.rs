use app::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve_sending(&mcp::FUNCTION)
}
