use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botstar::create_item::FUNCTION)
}
