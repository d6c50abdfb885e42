use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botdistrikt::send_message::FUNCTION)
}
