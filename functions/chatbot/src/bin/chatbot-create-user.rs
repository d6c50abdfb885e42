use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&chatbot::create_user::FUNCTION)
}
