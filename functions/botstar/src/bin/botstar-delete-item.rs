use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botstar::delete_item::FUNCTION)
}
