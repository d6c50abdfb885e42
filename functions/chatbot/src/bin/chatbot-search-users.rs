use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&chatbot::search_users::FUNCTION)
}
