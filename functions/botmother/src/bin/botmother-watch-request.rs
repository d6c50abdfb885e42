use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&botmother::watch_request::FUNCTION)
}
