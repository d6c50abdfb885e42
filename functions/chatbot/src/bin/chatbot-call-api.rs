use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&chatbot::call_api::FUNCTION)
}
