use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&chatbot::get_user::FUNCTION)
}
