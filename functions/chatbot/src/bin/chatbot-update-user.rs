use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&chatbot::update_user::FUNCTION)
}
