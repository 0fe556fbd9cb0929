//! What the host does to either side: it stops processes, takes files away, has no room.

use std::env;
use std::fs;
use std::io::{Read, stdin};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use drpc::{ConnectError, Server, Wire};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, Uid, geteuid, getpid, kill_process};

use crate::support::{
    AnyClient, Driver, Fake, Kind, PATIENCE, RawPeer, WIRES, as_a_common_user, builder, interop, isolated,
    isolated_by, with_every_client, with_every_server,
};

const CLIENTS: [Kind; 3] = [Kind::Async, Kind::Blocking, Kind::Progress];

/// What a process is told to be by a test of another one.
const ROLE: &str = "DRPC_TEST_ROLE";
const PATH: &str = "DRPC_TEST_PATH";

/// Nothing, but where a test below has started this binary to be the other side.
#[test]
fn the_other_side() {
    let (Ok(role), Some(path)) = (env::var(ROLE), env::var_os(PATH)) else { return };
    let path = Path::new(&path);
    for driver in [Driver::Tokio, Driver::Threads, Driver::Progress] {
        if role == server_role(driver) {
            serve(driver, path);
        }
    }
    for kind in CLIENTS {
        if role == client_role(kind) {
            call(kind, path, 100);
        }
    }
}

fn server_role(driver: Driver) -> String {
    format!("server: {driver:?}")
}

fn client_role(kind: Kind) -> String {
    format!("client: {kind:?}")
}

/// Serves until nothing more can be read from standard input.
fn serve(driver: Driver, path: &Path) {
    let server = driver.start_on(Server::builder().module(interop()), path, None);
    stdin().read_to_end(&mut Vec::new()).expect("reads to the end");
    assert!(server.stop().is_drained());
}

/// Makes calls, short ones and long ones, each of which is answered.
fn call(kind: Kind, path: &Path, calls: usize) {
    for wire in WIRES {
        let client = kind.connect(builder(path).wire(wire).wait_until_ready(PATIENCE)).expect("connects");
        for number in 0..calls {
            let body =
                vec![number as u8; if number % 10 == 0 && wire == Wire::Chunked { 400_000 } else { 100 }];
            assert_eq!(client.call(7, 700, &body).expect("is answered").body, body);
        }
    }
}

/// Another process, which is one side. Dropped, it is killed.
struct Side(Child);

impl Side {
    fn start(role: &str, path: &Path) -> Side {
        let test = "matrix::host::the_other_side";
        let mut command = Command::new(env::current_exe().expect("this binary"));
        command.args([test, "--exact", "--nocapture"]).env(ROLE, role).env(PATH, path);
        Side(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("starts"))
    }

    /// Stops it and has it go on again and again, so often or until it has ended; gives how often.
    fn interrupt(&self, most: usize) -> usize {
        let pid = Pid::from_child(&self.0);
        let mut times = 0;
        while times < most && self.state() != Some('Z') {
            kill_process(pid, Signal::STOP).expect("is there");
            while !matches!(self.state(), Some('T' | 'Z')) {
                thread::yield_now();
            }
            kill_process(pid, Signal::CONT).expect("is there");
            while self.state() == Some('T') {
                thread::yield_now();
            }
            times += 1;
        }
        times
    }

    /// As the kernel tells it: T is stopped, Z has ended.
    fn state(&self) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    fn finish(mut self) -> ExitStatus {
        drop(self.0.stdin.take());
        self.0.wait().expect("has ended")
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_that_is_stopped_and_goes_on_answers_every_call() {
    // Each time its waits in the kernel end with EINTR, or their time is over.
    with_every_server(|driver| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let server = Side::start(&server_role(driver), &path);
        with_every_client(|kind| {
            thread::scope(|scope| {
                let interrupting = scope.spawn(|| server.interrupt(50));
                while !interrupting.is_finished() {
                    call(kind, &path, 10);
                }
                assert_eq!(interrupting.join().unwrap(), 50);
            });
        });
        assert!(server.finish().success());
    });
}

#[test]
fn a_client_that_is_stopped_and_goes_on_has_every_reply() {
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(interop()));
        with_every_client(|kind| {
            let client = Side::start(&client_role(kind), server.path());
            assert!(client.interrupt(usize::MAX) > 0);
            assert!(client.finish().success());
            RawPeer::connect(server.path()).assert_served(Wire::Chunked);
        });
    });
}

#[test]
fn a_client_that_is_stopped_while_it_connects_gets_through() {
    // C8: nobody accepts yet, and there is no room to wait in.
    with_every_client(|kind| {
        let fake = Fake::with_backlog(0);
        let waiting = RawPeer::connect(fake.path());
        let client = Side::start(&client_role(kind), fake.path());
        assert_eq!(client.interrupt(50), 50);
        drop(waiting);
        let _server =
            Driver::Tokio.start_on(Server::builder().module(interop()), fake.path(), Some(fake.listener()));
        assert!(client.finish().success());
    });
}

#[test]
fn a_signal_that_the_program_handles_ends_no_wait() {
    // EINTR wherever a thread waits in the kernel: the handler is one after which no system call goes on by itself.
    isolated("matrix::host::a_signal_that_the_program_handles_ends_no_wait", || {
        handle_and_do_nothing(Signal::USR1);
        thread::scope(|scope| {
            let (stop, stopped) = channel::<()>();
            scope.spawn(move || {
                while stopped.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout) {
                    signal_all_threads(Signal::USR1);
                }
            });
            with_every_server(|driver| {
                let server = driver.start(Server::builder().module(interop()));
                with_every_client(|kind| {
                    for _ in 0..5 {
                        call(kind, server.path(), 20);
                    }
                });
                assert!(server.stop().is_drained());
            });
            drop(stop);
        });
    });
}

#[allow(unsafe_code, reason = "signal-hook asks for system calls to go on by themselves")]
fn handle_and_do_nothing(signal: Signal) {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: a handler that does nothing may be run anywhere; all zeros is an action without flags, which blocks no further signal.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        assert_eq!(libc::sigaction(signal.as_raw(), &action, std::ptr::null_mut()), 0);
    }
}

#[allow(unsafe_code, reason = "rustix signals processes alone")]
fn signal_all_threads(signal: Signal) {
    for thread in fs::read_dir("/proc/self/task").unwrap().flatten() {
        let id: libc::pid_t = thread.file_name().to_str().unwrap().parse().unwrap();
        // SAFETY: it is a signal for a thread of this process, or of none if that has ended.
        unsafe { libc::syscall(libc::SYS_tgkill, getpid().as_raw_nonzero().get(), id, signal.as_raw()) };
    }
}

#[test]
fn a_server_whose_file_goes_away_serves_whom_it_has_and_others_are_told() {
    // S7, C8.
    let deleted: (fn(&Path), _) = (|path| fs::remove_file(path).unwrap(), Errno::NOENT);
    let replaced: (fn(&Path), _) = (
        |path| {
            fs::remove_file(path).unwrap();
            fs::write(path, "another").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
        },
        Errno::CONNREFUSED,
    );
    let unreadable: (fn(&Path), _) =
        (|path| fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap(), Errno::ACCESS);
    with_every_server(|driver| {
        for (fault, errno) in [deleted, replaced, unreadable] {
            let directory = tempfile::tempdir().unwrap();
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
            let path = directory.path().join("s");
            let server = driver.start_on(Server::builder().mode(0o666).module(interop()), &path, None);
            let clients = CLIENTS.map(|kind| kind.connect_to(&path));
            fault(&path);
            clients.iter().for_each(AnyClient::assert_served);
            for kind in CLIENTS {
                // Root may open what others may not.
                let refused = as_a_common_user(|| kind.connect(builder(&path)).err().expect("is refused"));
                assert_told(&refused, errno);
            }
            clients.iter().for_each(AnyClient::assert_served);
            let is_another = fs::read(&path).is_ok();
            assert!(server.stop().is_drained());
            assert_eq!(path.exists(), is_another, "its own file is removed, and no other");
        }
    });
}

fn assert_told(error: &ConnectError, errno: Errno) {
    assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()), "{error}");
    assert!(error.to_string().contains(&error.path().display().to_string()), "{error}");
}

#[test]
fn where_the_disk_is_full_or_the_folder_read_only_a_server_does_not_start_and_says_why() {
    // S2.
    let name =
        "matrix::host::where_the_disk_is_full_or_the_folder_read_only_a_server_does_not_start_and_says_why";
    let may_mount =
        Command::new("unshare").args(["-Urm", "true"]).status().is_ok_and(|status| status.success());
    if !may_mount {
        println!("skipped: this host lets nobody make a namespace to mount a small disk in");
        return;
    }
    let in_namespace = |binary| {
        let mut command = Command::new("unshare");
        command.arg("-Urm").arg(binary);
        command
    };
    isolated_by(name, in_namespace, || {
        let directory = tempfile::tempdir().unwrap();
        let disk = directory.path();
        let mount = |options: &str| {
            let mounted =
                Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(disk).status();
            assert!(mounted.unwrap().success());
        };
        // The folder itself is the one file that there is room for.
        mount("nr_inodes=1");
        assert_does_not_start(disk, Errno::NOSPC);
        mount("ro");
        assert_does_not_start(disk, Errno::ROFS);
    });
}

fn assert_does_not_start(disk: &Path, errno: Errno) {
    let path = disk.join("s");
    let server = || Server::builder().module(interop());
    let refused = [
        server().bind(&path).unwrap_err(),
        server().bind_blocking(&path).unwrap_err(),
        server().bind_progress(&path).unwrap_err(),
    ];
    for error in refused {
        let said = format!("{:#}", anyhow::Error::from(error));
        assert!(said.contains(&path.display().to_string()), "{said}");
        assert!(said.contains(&format!("(os error {})", errno.raw_os_error())), "{said}");
    }
}

#[test]
fn a_user_who_opens_all_the_sessions_there_may_be_leaves_others_theirs() {
    // S1. Only root can be two users.
    if !geteuid().is_root() {
        println!("skipped: only root can be two users");
        return;
    }
    with_every_server(|driver| {
        let limits = Server::builder().mode(0o666).session_limit(40).session_limit_per_uid(30);
        let server = driver.start(limits.module(interop()));
        let folder = server.path().parent().unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        let hold = thread::scope(|scope| {
            let greedy = scope.spawn(|| {
                rustix::thread::set_thread_uid(Uid::from_raw(65_533)).unwrap();
                // As many as are let in are served; the rest is closed upon, each time.
                let peers: Vec<_> = (0..300).map(|_| RawPeer::connect(server.path())).collect();
                let (let_in, refused) = peers.split_at(30);
                let_in.iter().for_each(|peer| peer.assert_served(Wire::Chunked));
                refused.iter().for_each(RawPeer::assert_closed);
                peers
            });
            greedy.join().unwrap()
        });
        with_every_client(|kind| kind.connect_to(server.path()).assert_served());
        drop(hold);
    });
}

#[test]
fn a_call_is_told_when_its_server_was_killed_and_the_next_finds_another() {
    // C7: no destructor has run, and the file is stale.
    with_every_server(|driver| {
        with_every_client(|kind| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("s");
            let server = Side::start(&server_role(driver), &path);
            let settings = builder(&path).wait_until_ready(PATIENCE).connect_timeout(Duration::ZERO);
            let client = kind.connect(settings).unwrap();
            client.assert_served();
            drop(server);
            let call = || client.call(7, 700, b"");
            assert!(call().unwrap_err().is_connect());
            let _server = Side::start(&server_role(driver), &path);
            while let Err(error) = call() {
                assert!(error.is_retryable(), "{error:?}");
            }
        });
    });
}
