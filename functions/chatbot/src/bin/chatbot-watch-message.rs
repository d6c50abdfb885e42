use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&chatbot::watch_message::FUNCTION)
}
