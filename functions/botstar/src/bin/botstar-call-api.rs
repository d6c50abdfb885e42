use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botstar::call_api::FUNCTION)
}
