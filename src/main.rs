//! The `ropecheck` program; everything it does is in the library's room `cli`.

fn main() -> std::process::ExitCode {
    ropecheck::cli::main()
}
