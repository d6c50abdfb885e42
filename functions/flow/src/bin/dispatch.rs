fn main() -> Result<(), runtime::lambda::Error> {
    flow::dispatch::serve()
}
