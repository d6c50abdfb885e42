use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botstar::get_item::FUNCTION)
}
