fn main() -> Result<(), runtime::lambda::Error> {
    flow::due::serve()
}
