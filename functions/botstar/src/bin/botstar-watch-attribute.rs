use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botstar::watch_attribute::FUNCTION)
}
