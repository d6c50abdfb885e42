fn main() -> Result<(), app::lambda::Error> {
    flow::dispatch::serve()
}
