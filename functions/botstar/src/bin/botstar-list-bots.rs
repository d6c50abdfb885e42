use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botstar::list_bots::FUNCTION)
}
