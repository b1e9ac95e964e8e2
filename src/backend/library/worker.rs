//! The other side: the same binary, started with a hidden command, holds a library or becomes a program, and
//! nothing else.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Resource, Rlimit, Signal};
use serde_json::value::RawValue;

use super::children::KnownChildren;
use super::float_control::watched;
use super::guard;
use super::loaded::LoadedLibrary;
use super::served::{ServedLibrary, words};
use super::signals::as_a_process_of_its_own;
use crate::backend::program::protocol::{
    ARENA_VARIABLE, DeviceName, Hello, Reply, Request, VERSION, read_line, write_line,
};
use crate::case::Level;

/// What a worker is to do.
pub enum Work {
    /// Hold this library and speak for it.
    Library(PathBuf),
    /// Become this program, which speaks for itself.
    Program(Vec<OsString>),
}

/// Works until the parent says bye or closes the pipe. `memory`: most bytes of memory of its own.
///
/// # Errors
/// If the pipes or the shared memory fail, or the program cannot be started.
pub fn run(work: &Work, memory: Option<u64>) -> io::Result<()> {
    confine(memory);
    match work {
        Work::Library(path) => hold(path),
        Work::Program(words) => {
            let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
            let error = Command::new(program).args(arguments).exec();
            let why = format!("the program {} could not be started: {error}", program.display());
            write_line(&mut io::stdout(), &Reply::Refused { why })
        }
    }
}

/// No core files, no life after the parent's, no more memory than allowed, and first to go where the machine
/// has none left.
fn confine(memory: Option<u64>) {
    let limit = |resource, most| {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        let _ = rustix::process::setrlimit(resource, limit);
    };
    limit(Resource::Core, 0);
    if let Some(memory) = memory {
        limit(Resource::Data, memory);
    }
    // Signals to the parent's group are not for this process, and everything that it starts can be ended with
    // it.
    let _ = rustix::process::setsid();
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    as_a_process_of_its_own();
}

fn hold(path: &Path) -> io::Result<()> {
    // What the library prints goes to standard error; the protocol keeps a private copy of standard output.
    let private = rustix::io::dup(rustix::stdio::stdout())?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    let mut output = File::from(private);
    let arena = std::env::var_os(ARENA_VARIABLE).ok_or_else(|| io::Error::other("no arena is named"))?;
    let memory = OpenOptions::new().read(true).write(true).open(arena)?;
    guard::report_faults(output.as_raw_fd());
    let mut children = KnownChildren::here();
    // Whatever the library does to the floating-point environment is reported, and undone before anything
    // else runs.
    let (loaded, load) = watched(|| LoadedLibrary::open(path));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(why) => return write_line(&mut output, &Reply::Refused { why }),
    };
    children.know();
    let exports = Level::ALL.iter().filter(|l| loaded.exports(**l)).map(|l| l.name().to_owned()).collect();
    let hello = Reply::Hello(Box::new(Hello {
        protocol: vec![VERSION],
        manifest: RawValue::from_string(serde_json::to_string(&loaded.manifest)?)?,
        exports: Some(exports),
        float: words(load),
        device: loaded.device.as_ref().map(|d| DeviceName { name: d.name.clone() }),
        guards: true,
    }));
    write_line(&mut output, &hello)?;
    let mut input = BufReader::new(io::stdin());
    let mut served = ServedLibrary::new(loaded, memory);
    let me = std::process::id();
    while let Some(request) = read_line(&mut input)? {
        if let Request::Bye {} = request {
            break;
        }
        let (mut reply, mut goes_on) = served.answer(request)?;
        if std::process::id() != me {
            // The library forked, and both came back: this one was not asked.
            std::process::exit(0);
        }
        if let Reply::Answer(answered) = &mut reply
            && children.has_more()
        {
            (answered.ends, goes_on) = (true, false);
        }
        write_line(&mut output, &reply)?;
        if !goes_on {
            // A device context may not survive a fault, so nothing is tidied up through it.
            std::process::exit(0);
        }
    }
    served.close();
    Ok(())
}
