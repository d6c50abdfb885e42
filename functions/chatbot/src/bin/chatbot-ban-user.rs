use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&chatbot::ban_user::FUNCTION)
}
