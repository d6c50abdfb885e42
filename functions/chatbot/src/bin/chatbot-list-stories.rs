use connector::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&chatbot::list_stories::FUNCTION)
}
