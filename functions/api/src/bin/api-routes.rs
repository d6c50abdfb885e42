use app::lambda;

fn main() -> Result<(), lambda::Error> {
    lambda::serve_checked(&api::routes::FUNCTION, flow::aws_target::check_setting)
}
