use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botdistrikt::register_user::FUNCTION)
}
