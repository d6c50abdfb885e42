use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botdistrikt::watch_message::FUNCTION)
}
