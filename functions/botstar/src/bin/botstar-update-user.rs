use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botstar::update_user::FUNCTION)
}
