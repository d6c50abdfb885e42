fn main() -> Result<(), runtime::lambda::Error> {
    flow::deliver::serve()
}
