use app::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve(&catalog::FUNCTION)
}
