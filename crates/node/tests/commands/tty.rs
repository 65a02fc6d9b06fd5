//! A terminal: a pseudo-terminal of the system with a command inside, and what somebody would see on it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::screen::Screen;
use crate::support::{PATIENCE, Place};

/// Tells the part of this program that runs inside a terminal which one, and what to run.
const INSIDE: [&str; 2] = ["TEST_TERMINAL", "TEST_ARGUMENTS"];

/// Rows of every terminal here: more than any status has.
const ROWS: u16 = 50;

/// A terminal in which a command runs. It is ended with this value.
pub(crate) struct Terminal {
    master: File,
    child: Child,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    /// Everything that was written to it.
    raw: Vec<u8>,
    screen: Screen,
}

impl Terminal {
    /// Runs `yap` with these arguments in a terminal that is so wide.
    pub(crate) fn run(place: &Place, arguments: &[&str], columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let master = File::from(master);
        resize(&master, columns);
        let all: Vec<String> = place.command().get_args().map(|text| text.to_str().unwrap().to_owned()).collect();
        let all = [all, arguments.iter().map(|text| (*text).to_owned()).collect()].concat().join("\n");
        // To have a terminal of its own, a process must begin a session: this program does, and becomes `yap`.
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tty::inside", "--ignored", "--nocapture", "--test-threads=1"])
            .envs([(INSIDE[0], name), (INSIDE[1], all)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let seen = Arc::new(Mutex::new(Seen { raw: Vec::new(), screen: Screen::new(columns.into()) }));
        let (mut from, to) = (master.try_clone().unwrap(), Arc::clone(&seen));
        // It ends with the terminal, which ends with the last who has it open.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                let mut seen = to.lock().unwrap();
                seen.raw.extend(&buffer[..read]);
                seen.screen.take(&buffer[..read]);
            }
        });
        Self { master, child, seen }
    }

    /// Makes it so wide, as somebody does who pulls at its window.
    pub(crate) fn resize(&self, columns: u16) {
        let mut seen = self.seen.lock().unwrap();
        seen.screen.resize(columns.into());
        resize(&self.master, columns);
    }

    /// Types.
    pub(crate) fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// All that was written to it.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().raw).into_owned()
    }

    /// What stands on it, row by row.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.seen.lock().unwrap().screen.rows()
    }

    /// Whether what is typed is shown.
    pub(crate) fn echoes(&self) -> bool {
        tcgetattr(&self.master).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Waits until it was told a text.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        self.until(|terminal| terminal.raw().contains(text), text);
    }

    /// Waits until something holds.
    #[track_caller]
    pub(crate) fn until(&self, holds: impl Fn(&Self) -> bool, what: &str) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "{what:?} does not come about:\n{}", self.rows().join("\n"));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end of the command; gives its exit code.
    pub(crate) fn ends(&mut self) -> i32 {
        let begun = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status.code().unwrap_or(-1),
                None if begun.elapsed() > PATIENCE => panic!("it does not end:\n{}", self.rows().join("\n")),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn resize(terminal: &File, columns: u16) {
    let size = Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

#[test]
#[ignore = "not a test: what a terminal's tests run inside of it"]
fn inside() {
    let [Ok(name), Ok(arguments)] = INSIDE.map(std::env::var) else { return };
    rustix::process::setsid().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    rustix::process::ioctl_tiocsctty(&terminal).unwrap();
    let mut command = crate::support::bare();
    for name in INSIDE {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color").args(arguments.lines());
    let [stdin, stdout, stderr] = [(); 3].map(|()| Stdio::from(terminal.try_clone().unwrap()));
    panic!("{}", command.stdin(stdin).stdout(stdout).stderr(stderr).exec());
}
