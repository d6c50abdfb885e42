use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&chatbot::delete_story::FUNCTION)
}
