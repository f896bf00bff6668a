//! The `rollout` binary: the command line of the library, and its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollout::cli::terminal::ui::install_panic_hook(|code| {
        #[expect(clippy::disallowed_methods, reason = "a panic ends here, with the code documented")]
        std::process::exit(code.into());
    });
    ExitCode::from(rollout::cli::main())
}
