fn main() -> Result<(), app::lambda::Error> {
    flow::due::serve()
}
