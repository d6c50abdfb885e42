fn main() -> Result<(), app::lambda::Error> {
    flow::deliver::serve()
}
