use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botstar::send_message::FUNCTION)
}
