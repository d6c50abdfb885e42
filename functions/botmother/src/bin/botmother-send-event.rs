use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botmother::send_event::FUNCTION)
}
