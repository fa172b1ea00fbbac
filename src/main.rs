//! The `icpgate` program; everything is in the library.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use icpgate::cli::exit::{self, Failure, OrExit as _};
use icpgate::cli::{self, Cli};
use icpgate::clock::SystemClock;

/// Answers are made of many small pieces that one thread takes and another gives back; the
/// allocator of the system spent a fifth of a screening on them. Without huge pages (its feature
/// `no_thp`): with them a server at rest has 48 MiB where it has 21.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that has gone away does not change what was asked.
            let _ = error.print();
            return cli::usage_code(&error).into();
        }
    };
    match try_main(&cli) {
        Ok(code) => code.into(),
        Err(Failure { code, error }) => {
            let bad = anstyle::AnsiColor::Red.on_default().bold();
            let mut stderr = anstream::stderr().lock();
            // Where standard error is closed, the exit code has to do.
            let _ = writeln!(stderr, "{bad}error:{bad:#} {error:#}");
            code.into()
        }
    }
}

fn try_main(cli: &Cli) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .or_exit(exit::SOFTWARE)?;
    runtime.block_on(cli::dispatch(cli, Arc::new(SystemClock)))
}
