use app::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve_invoking(&mcp::FUNCTION)
}
