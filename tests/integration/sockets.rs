//! The socket file and the listening socket (S1 to S4, S7).

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::{env, fs};

use drpc::server::remove_stale_sockets;
use drpc::{BindError, ExistingSocket, Server, Wire};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{geteuid, umask};
use tempfile::TempDir;

use crate::support::{
    Driver, Fake, Kind, Logs, RawPeer, TestServer, as_a_common_user, builder, call, in_order, interop,
    isolated, open_descriptors, with_descriptors_left, with_every_client, with_every_server,
};

const POLICIES: [ExistingSocket; 3] =
    [ExistingSocket::Fail, ExistingSocket::ReplaceStale, ExistingSocket::Unlink];

fn bind(path: &Path, existing: ExistingSocket) -> Result<Server, BindError> {
    Server::builder().module(interop()).existing_socket(existing).bind(path)
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A socket file that no server listens on any more.
fn leave_stale_socket(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(fs::symlink_metadata(path).unwrap().file_type().is_socket());
}

/// Serves a bound server until a call through its path is answered.
fn assert_reachable(server: Server) {
    let path = server.path().unwrap().to_owned();
    let handle = server.handle();
    thread::scope(|scope| {
        scope.spawn(|| in_order(server.serve()).unwrap());
        RawPeer::connect(&path).assert_served(Wire::Chunked);
        handle.shutdown();
    });
}

#[test]
fn the_mode_is_0600_unless_told_otherwise() {
    // S2.
    let directory = tempfile::tempdir().unwrap();
    let server = bind(&directory.path().join("s"), ExistingSocket::Fail).unwrap();
    assert_eq!(mode_of(server.path().unwrap()), 0o600);
}

#[test]
fn the_mode_is_what_was_asked_for_under_every_umask() {
    // S2: the umask belongs to the whole process.
    isolated("sockets::the_mode_is_what_was_asked_for_under_every_umask", || {
        let directory = tempfile::tempdir().unwrap();
        for mask in [0o000, 0o022, 0o077, 0o777] {
            umask(rustix::fs::Mode::from_raw_mode(mask));
            for mode in [0o600, 0o660, 0o666, 0o777, 0o400] {
                let path = directory.path().join(format!("{mask:o}-{mode:o}"));
                let server = Server::builder().mode(mode).bind(&path).unwrap();
                assert_eq!(mode_of(&path), mode, "under umask {mask:o}");
                drop(server);
            }
        }
    });
}

#[test]
fn the_mode_holds_from_the_moment_the_file_exists() {
    // S2, Ours: another thread looks on, as fast as it can, while sockets are made.
    isolated("sockets::the_mode_holds_from_the_moment_the_file_exists", || {
        umask(rustix::fs::Mode::empty());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let done = AtomicBool::new(false);
        let seen = thread::scope(|scope| {
            let onlooker = scope.spawn(|| {
                let mut seen = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    if let Ok(found) = fs::symlink_metadata(&path) {
                        let mode = found.permissions().mode() & 0o7777;
                        if !seen.contains(&mode) {
                            seen.push(mode);
                        }
                    }
                }
                seen
            });
            for _ in 0..2_000 {
                drop(Server::builder().bind(&path).unwrap());
            }
            done.store(true, Ordering::Relaxed);
            onlooker.join().unwrap()
        });
        assert_eq!(seen, [0o600]);
    });
}

#[test]
fn a_path_of_107_bytes_is_taken_and_one_of_108_refused_with_its_length() {
    // S2.
    let directory = tempfile::tempdir().unwrap();
    let of_len = |len: usize| -> PathBuf {
        let start = directory.path().join("").into_os_string().into_string().unwrap();
        format!("{start}{}", "x".repeat(len - start.len())).into()
    };
    let longest = of_len(107);
    assert_reachable(bind(&longest, ExistingSocket::Fail).unwrap());

    let too_long = of_len(108);
    let error = bind(&too_long, ExistingSocket::Fail).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "can't listen on {}: the path is 108 bytes long, and a socket's path is at most 107",
            too_long.display()
        )
    );
    assert!(!error.is_in_use());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn an_empty_path_is_refused() {
    // S2.
    let error = bind(Path::new(""), ExistingSocket::Unlink).unwrap_err();
    assert_eq!(error.to_string(), "can't listen on an empty path: give the path of the socket to make");
}

#[test]
fn a_mode_of_0_and_modes_that_are_none_are_refused() {
    // S2.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    for (mode, shown) in [(0, "0o0"), (0o1600, "0o1600"), (0o4755, "0o4755"), (u32::MAX, "0o37777777777")] {
        let error = Server::builder().mode(mode).bind(&path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "can't listen on {}: {shown} is no mode for a socket; typical are 0600 (one user) and 0666 (all)",
                path.display()
            )
        );
    }
    assert!(!path.exists());
}

#[test]
fn a_directory_that_does_not_exist_is_named_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing/s");
    let error = bind(&path, ExistingSocket::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "can't listen on {}: No such file or directory (os error 2); make the directory first",
            path.display()
        )
    );
}

#[test]
fn nothing_but_a_socket_is_ever_removed() {
    // S3, Ours: Go's probe removes a regular file.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "precious").unwrap();
    let folder = directory.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let socket = directory.path().join("socket");
    leave_stale_socket(&socket);
    let link_to_socket = directory.path().join("link-to-socket");
    std::os::unix::fs::symlink(&socket, &link_to_socket).unwrap();
    let dangling = directory.path().join("dangling");
    std::os::unix::fs::symlink(directory.path().join("nothing"), &dangling).unwrap();

    for policy in POLICIES {
        for path in [&file, &folder, &link, &link_to_socket, &dangling] {
            let error = bind(path, policy).unwrap_err();
            assert!(error.is_in_use(), "{policy:?}: {error}");
            let said = match policy {
                ExistingSocket::Fail => "something is there already",
                _ => "what is there is not a socket, and is left alone",
            };
            assert!(error.to_string().contains(said), "{error}");
        }
    }
    assert_eq!(fs::read_to_string(&link).unwrap(), "precious");
    assert!(folder.is_dir());
    assert!(fs::symlink_metadata(&link_to_socket).unwrap().is_symlink());
    assert!(fs::symlink_metadata(&dangling).unwrap().is_symlink());
    assert!(socket.exists());
}

#[test]
fn a_stale_socket_is_replaced_unless_the_policy_is_to_fail() {
    // S3.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    leave_stale_socket(&path);
    let stale = fs::symlink_metadata(&path).unwrap().ino();

    let error = bind(&path, ExistingSocket::Fail).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "can't listen on {}: something is there already; remove it, or let the server replace a stale socket",
            path.display()
        )
    );
    assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), stale, "it is still there");

    for policy in [ExistingSocket::ReplaceStale, ExistingSocket::Unlink] {
        assert_reachable(bind(&path, policy).unwrap());
        leave_stale_socket(&path);
    }
}

#[test]
fn a_server_that_answers_is_in_use_and_goes_on() {
    // S3.
    let server = TestServer::start(Server::builder().module(interop()));
    for policy in [ExistingSocket::Fail, ExistingSocket::ReplaceStale] {
        let error = bind(server.path(), policy).unwrap_err();
        assert!(error.is_in_use());
        if policy == ExistingSocket::ReplaceStale {
            assert_eq!(
                error.to_string(),
                format!(
                    "can't listen on {}: a server answers there; stop it or choose another path",
                    server.path().display()
                )
            );
        }
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
    }
}

#[test]
fn a_server_of_another_kind_and_one_with_a_full_backlog_are_in_use() {
    // S3: neither answers the probe, and both live.
    let directory = tempfile::tempdir().unwrap();
    let stream = directory.path().join("stream");
    let _listener = UnixListener::bind(&stream).unwrap();
    assert!(
        bind(&stream, ExistingSocket::ReplaceStale).unwrap_err().to_string().contains("a server answers")
    );

    let full = Fake::with_backlog(0);
    let _waiting = RawPeer::connect(full.path());
    let error = bind(full.path(), ExistingSocket::ReplaceStale).unwrap_err();
    assert!(error.to_string().contains("a server answers"), "{error}");
}

#[test]
fn of_servers_that_start_at_once_one_gets_the_path_and_keeps_it() {
    // S3: between `bind` and `listen` a socket refuses its clients, as a stale one does. Another server must not meet it then.
    const SERVERS: usize = 4;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    for _ in 0..500 {
        leave_stale_socket(&path);
        let start = Barrier::new(SERVERS);
        let started = thread::scope(|scope| {
            let start = || {
                start.wait();
                bind(&path, ExistingSocket::ReplaceStale)
            };
            let starting: Vec<_> = (0..SERVERS).map(|_| scope.spawn(start)).collect();
            starting.into_iter().map(|server| server.join().unwrap()).collect::<Vec<_>>()
        });
        let (servers, refused): (Vec<_>, Vec<_>) = started.into_iter().partition(Result::is_ok);
        assert_eq!(servers.len(), 1, "{refused:?}");
        for error in refused.into_iter().map(Result::unwrap_err) {
            assert!(error.to_string().contains("a server answers there"), "{error}");
        }
        RawPeer::connect(&path);
        drop(servers);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "and nothing else is left behind");
    }
}

#[test]
fn to_unlink_takes_the_path_from_a_server_that_lives() {
    // S3, and S7: the one that lost its path leaves the new file alone.
    with_every_server(|driver| {
        let old = driver.start(Server::builder().module(interop()));
        let before = RawPeer::connect(old.path());
        before.assert_served(Wire::Chunked);
        let new = bind(old.path(), ExistingSocket::Unlink).unwrap();
        let made = fs::symlink_metadata(new.path().unwrap()).unwrap().ino();
        before.assert_served(Wire::Chunked);

        old.handle().shutdown();
        before.assert_closed();
        let path = old.path().to_owned();
        // `old` removes its whole directory in the end, so the new one is reached before.
        let left = fs::symlink_metadata(&path).unwrap().ino();
        assert_eq!(left, made);
        assert_reachable(new);
    });
}

#[test]
fn the_socket_file_is_removed_in_the_end_whether_served_or_not() {
    // S7.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let never_served = bind(&path, ExistingSocket::Fail).unwrap();
    assert!(path.exists());
    drop(never_served);
    assert!(!path.exists());

    assert_reachable(bind(&path, ExistingSocket::Fail).unwrap());
    assert!(!path.exists());

    // The future of `serve` is dropped.
    in_order(async {
        let server = bind(&path, ExistingSocket::Fail).unwrap();
        let serving = tokio::spawn(server.serve());
        let client = drpc::Client::builder(&path).auto_reconnect(false).connect().await.unwrap();
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        assert!(!path.exists());
        assert_eq!(call(&client, 700, "").await.unwrap_err().kind(), drpc::CallErrorKind::NotConnected);
    });
}

#[test]
fn a_file_that_someone_else_put_there_is_not_removed() {
    // S7: "that this server made".
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let server = bind(&path, ExistingSocket::Fail).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "another's").unwrap();
    drop(server);
    assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
}

#[test]
fn a_failed_bind_leaves_no_descriptor_behind() {
    isolated("sockets::a_failed_bind_leaves_no_descriptor_behind", || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        fs::write(&path, "").unwrap();
        let before = open_descriptors();
        for policy in POLICIES {
            bind(&path, policy).unwrap_err();
            bind(&directory.path().join("missing/s"), policy).unwrap_err();
        }
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn a_bind_that_fails_for_want_of_descriptors_leaves_no_file_behind() {
    isolated("sockets::a_bind_that_fails_for_want_of_descriptors_leaves_no_file_behind", || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let mut failed = 0;
        for left in 0..3 {
            let bound = with_descriptors_left(left, || bind(&path, ExistingSocket::Fail));
            if bound.is_err() {
                failed += 1;
                assert!(!path.exists(), "with {left} descriptors left");
            }
        }
        assert!(failed > 1);
        bind(&path, ExistingSocket::Fail).unwrap();
    });
}

#[test]
fn no_socket_is_inherited_by_programs_that_are_started() {
    // A daemon's child must not keep its clients' connections open.
    isolated("sockets::no_socket_is_inherited_by_programs_that_are_started", || {
        let server = TestServer::start(Server::builder().module(interop()));
        let clients = [Kind::Async, Kind::Blocking].map(|kind| kind.connect_to(server.path()));
        // Long enough for either end to wait for room to send.
        clients.iter().for_each(|client| drop(client.call(7, 700, &[0; 8 << 20]).unwrap()));
        let mut sockets = 0;
        for entry in fs::read_dir("/proc/self/fd").unwrap() {
            let entry = entry.unwrap();
            let opened = fs::read_link(entry.path()).unwrap_or_default();
            if opened.to_string_lossy().starts_with("socket:") {
                let info = Path::new("/proc/self/fdinfo").join(entry.file_name());
                let info = fs::read_to_string(info).unwrap();
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
                const CLOSE_ON_EXEC: u32 = 0o2_000_000;
                assert_ne!(u32::from_str_radix(flags.trim(), 8).unwrap() & CLOSE_ON_EXEC, 0);
                sockets += 1;
            }
        }
        assert!(sockets >= 5, "the listener, and two ends of two connections: {sockets}");
    });
}

#[test]
fn hundreds_of_clients_wait_in_the_backlog_and_are_all_served() {
    // S1: SOMAXCONN. Nobody accepts before all of them are connected.
    let directory = tempfile::tempdir().unwrap();
    let server = bind(&directory.path().join("s"), ExistingSocket::Fail).unwrap();
    let peers: Vec<_> = (0..300).map(|_| RawPeer::connect(server.path().unwrap())).collect();
    let handle = server.handle();
    thread::scope(|scope| {
        scope.spawn(|| in_order(server.serve()).unwrap());
        for peer in &peers {
            peer.assert_served(Wire::Chunked);
        }
        handle.shutdown();
    });
}

#[test]
fn out_of_descriptors_the_server_waits_and_goes_on() {
    // S4: EMFILE.
    isolated("sockets::out_of_descriptors_the_server_waits_and_goes_on", || {
        with_every_server(|driver| {
            let (logs, _guard) = Logs::of_this_thread();
            let server = driver.start(Server::builder().module(interop()));
            let early = RawPeer::connect(server.path());
            early.assert_served(Wire::Chunked);

            let waiting = with_descriptors_left(1, || {
                // The client takes the last descriptor.
                let waiting = RawPeer::connect(server.path());
                logs.wait_for("could not accept a connection error=Too many open files (os error 24)");
                // Those who are connected are served meanwhile.
                early.assert_served(Wire::Chunked);
                waiting
            });
            waiting.assert_served(Wire::Chunked);
            RawPeer::connect(server.path()).assert_served(Wire::Chunked);
        });
    });
}

#[test]
fn out_of_descriptors_those_who_are_connected_are_served_to_the_end() {
    // S4: also where a reply has to wait for its client, at either end.
    isolated("sockets::out_of_descriptors_those_who_are_connected_are_served_to_the_end", || {
        with_every_server(|driver| {
            let server = driver.start(Server::builder().module(interop()));
            let (peer, other) = (RawPeer::connect(server.path()), RawPeer::connect(server.path()));
            let client = Kind::Async.connect_to(server.path());
            peer.assert_served(Wire::Chunked);
            other.assert_served(Wire::Chunked);
            client.assert_served();
            with_descriptors_left(0, || {
                for sequence in peer.fill(Wire::Chunked, 700, 1, &other) {
                    assert_eq!(peer.recv_response(Wire::Chunked).sequence, sequence);
                }
                peer.assert_served(Wire::Chunked);
                assert_eq!(client.call(7, 700, &[2; 8 << 20]).unwrap().body, vec![2; 8 << 20]);
            });
        });
    });
}

#[test]
fn a_session_that_ends_makes_room_at_once() {
    // S4: the server need not wait for its next try when it has got a descriptor back.
    isolated("sockets::a_session_that_ends_makes_room_at_once", || {
        with_every_server(|driver| {
            let (logs, _guard) = Logs::of_this_thread();
            let server = driver.start(Server::builder().module(interop()));
            let early = RawPeer::connect(server.path());
            early.assert_served(Wire::Chunked);
            with_descriptors_left(1, || {
                let waiting = RawPeer::connect(server.path());
                // Let it get to its longest wait.
                logs.wait_for("wait=500ms");
                drop(early);
                waiting.assert_served(Wire::Chunked);
            });
        });
    });
}

#[test]
fn a_socket_serves_every_user_whom_its_mode_lets_in() {
    // S2: 0666, the agent's; a client of another user connects. Only root can become one.
    with_every_server(|driver| {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let server = driver.start(Server::builder().mode(0o666).module(interop()));
        let directory = server.path().parent().unwrap();
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
        let path = server.path();
        thread::scope(|scope| {
            scope.spawn(|| {
                // Of this thread alone.
                rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(65_534)).unwrap();
                RawPeer::connect(path).assert_served(Wire::Chunked);
            });
        });
    });
}

/// A folder that a common user may make sockets in.
fn common_folder() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    directory
}

#[test]
fn the_socket_is_given_to_the_user_and_group_that_were_asked_for() {
    // S2. Only root may do so.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    for (uid, gid, owners) in [
        (None, None, (0, 0)),
        (Some(65_534), None, (65_534, 0)),
        (None, Some(12_345), (0, 12_345)),
        (Some(65_534), Some(12_345), (65_534, 12_345)),
    ] {
        let server = Server::builder().module(interop()).mode(0o660).owner(uid, gid).bind(&path).unwrap();
        let made = fs::symlink_metadata(&path).unwrap();
        assert_eq!((made.uid(), made.gid()), owners);
        assert_eq!(mode_of(&path), 0o660);
        assert_reachable(server);
        assert!(!path.exists());
    }
}

#[test]
fn nobody_connects_before_the_socket_has_its_owner() {
    // S2: this group would be let in for as long as the file is not given away. That nobody listens yet does not keep it out:
    // the kernel looks at the permissions first, and then whether someone listens. Only root can give a file away.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    isolated("sockets::nobody_connects_before_the_socket_has_its_owner", || {
        umask(rustix::fs::Mode::empty());
        let directory = common_folder();
        let path = directory.path().join("s");
        let bind = |group| Server::builder().mode(0o660).owner(None, group).bind(&path).unwrap();
        let connects = || RawPeer::try_connect(&path).is_ok();
        let of_this_group = bind(None);
        assert!(as_a_common_user(connects));
        drop(of_this_group);

        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    drop(bind(Some(12_345)));
                }
                done.store(true, Ordering::Relaxed);
            });
            as_a_common_user(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!(!connects());
                }
            });
        });
    });
}

#[test]
fn a_link_in_the_place_of_a_new_socket_opens_no_other_file() {
    // S2: the folder is somebody else's too, who swaps the socket for a link as soon as it is there. The umask takes of the mode, so that
    // the server has to give it.
    isolated("sockets::a_link_in_the_place_of_a_new_socket_opens_no_other_file", || {
        umask(rustix::fs::Mode::from_raw_mode(0o077));
        let directory = tempfile::tempdir().unwrap();
        let [path, link, victim] = ["s", "link", "victim"].map(|name| directory.path().join(name));
        fs::write(&victim, "private").unwrap();
        assert_eq!(mode_of(&victim), 0o600);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = symlink(&victim, &link);
                    if fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_socket()) {
                        let _ = fs::rename(&link, &path);
                    }
                }
            });
            for _ in 0..2_000 {
                let _ = fs::remove_file(&path);
                // It may find that it was robbed of its socket.
                drop(Server::builder().mode(0o666).bind(&path));
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(mode_of(&victim), 0o600);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "private");
    });
}

#[test]
fn an_owner_that_this_user_may_not_give_is_refused_and_nothing_left_behind() {
    // S2.
    let directory = common_folder();
    let path = directory.path().join("s");
    let error = as_a_common_user(|| {
        let (logs, _logged) = Logs::of_this_thread();
        let error = Server::builder().owner(Some(0), Some(12_345)).bind(&path).unwrap_err();
        logs.assert_lack("locked");
        error
    });
    assert_eq!(
        error.to_string(),
        format!(
            "can't listen on {}: can't give the socket to user 0 and group 12345: Operation not permitted (os error 1); only \
             root may give it to another user, and others to a group of theirs",
            path.display()
        )
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn an_owner_that_means_none_is_refused() {
    // S2: to the kernel, the greatest number is "as it is".
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    for (uid, gid, said) in
        [(Some(u32::MAX), None, "user 4294967295"), (None, Some(u32::MAX), "group 4294967295")]
    {
        assert_eq!(
            Server::builder().owner(uid, gid).bind(&path).unwrap_err().to_string(),
            format!(
                "can't listen on {}: can't give the socket to {said}: Invalid argument (os error 22)",
                path.display()
            )
        );
        assert!(!path.exists());
    }
}

#[test]
fn a_folder_that_another_program_keeps_locked_does_not_keep_the_server_from_starting() {
    // Whoever may read a folder may lock it.
    let (logs, _logged) = Logs::of_this_thread();
    let directory = tempfile::tempdir().unwrap();
    let folder = fs::File::open(directory.path()).unwrap();
    flock(&folder, FlockOperation::LockExclusive).unwrap();
    let server = bind(&directory.path().join("s"), ExistingSocket::ReplaceStale).unwrap();
    logs.wait_for("another program keeps the folder locked; going on without");
    flock(&folder, FlockOperation::Unlock).unwrap();
    assert_reachable(server);

    // The server has left no lock behind.
    flock(&folder, FlockOperation::NonBlockingLockExclusive).unwrap();
}

#[test]
fn only_stale_sockets_of_the_names_chosen_are_cleaned_up() {
    // S8, with the names of DAOS's own daemons.
    let directory = tempfile::tempdir().unwrap();
    let of_name = |name: &str| directory.path().join(name);
    let stale = ["daos_server.sock", "daos_engine_17.sock"].map(of_name);
    stale.iter().for_each(|path| leave_stale_socket(path));
    let live = of_name("daos_engine_18.sock");
    let server = bind(&live, ExistingSocket::Fail).unwrap();
    let kept = ["daos_engine.log.sock", "other.sock", "daos_engine_19"].map(of_name);
    fs::write(&kept[0], "precious").unwrap();
    kept[1..].iter().for_each(|path| leave_stale_socket(path));

    let clean_up = || {
        let mut removed = remove_stale_sockets(directory.path(), |name| {
            name == "daos_server.sock" || (name.starts_with("daos_engine") && name.ends_with(".sock"))
        })
        .unwrap();
        removed.sort();
        removed
    };
    let mut expected = stale.clone();
    expected.sort();
    assert_eq!(clean_up(), expected);
    assert!(clean_up().is_empty());
    assert!(!stale.iter().any(|path| path.exists()));
    assert!(kept.iter().all(|path| path.exists()));
    assert_reachable(server);
    remove_stale_sockets(of_name("missing"), |_| true).unwrap_err();
}

/// An abstract name that no other test has.
fn abstract_name(test: &str) -> String {
    format!("@drpc-test-{test}-{}", std::process::id())
}

#[test]
fn an_abstract_name_is_served_to_both_clients() {
    let name = abstract_name("served");
    let server = Server::builder().module(interop()).bind(&name).unwrap();
    assert_eq!(server.address().to_string(), name);
    assert_eq!((server.path(), server.address().abstract_name()), (None, Some(&name.as_bytes()[1..])));
    assert!(!Path::new(&name).exists(), "it is not a file");

    let (address, handle) = (server.address().clone(), server.handle());
    thread::scope(|scope| {
        scope.spawn(|| in_order(server.serve()).unwrap());
        with_every_client(|kind| kind.connect_to(address.as_ref()).assert_served());
        handle.shutdown();
    });
    with_every_client(|kind| {
        assert_eq!(
            kind.connect(builder(address.as_ref())).err().unwrap().to_string(),
            format!(
                "can't connect to {name}: Connection refused (os error 111); is the server started, in this network \
                 namespace, and the name right?"
            )
        );
    });
    bind(Path::new(&name), ExistingSocket::Fail).expect("is free again");
}

#[test]
fn an_abstract_name_in_use_is_never_taken_away() {
    // S3.
    let name = abstract_name("in-use");
    let _server = bind(Path::new(&name), ExistingSocket::Fail).unwrap();
    for policy in POLICIES {
        let error = bind(Path::new(&name), policy).unwrap_err();
        assert!(error.is_in_use());
        assert_eq!(
            error.to_string(),
            format!("can't listen on {name}: a server answers there; stop it or choose another name")
        );
    }
}

#[test]
fn an_abstract_name_has_no_permissions_to_ask_for() {
    // S2: they would keep nobody out.
    let name = abstract_name("permissions");
    let builders = [
        Server::builder().mode(0o600),
        Server::builder().owner(Some(0), None),
        Server::builder().owner(None, Some(0)),
    ];
    for builder in builders {
        assert_eq!(
            builder.bind(&name).unwrap_err().to_string(),
            format!(
                "can't listen on {name}: an abstract name has neither mode nor owner, and lets everyone in; leave them out, \
                 or choose a path"
            )
        );
    }
}

#[test]
fn an_abstract_name_of_107_bytes_is_taken_and_one_of_108_refused_with_its_length() {
    // S2. The `@` takes the place of the byte that stands for it.
    let of_len = |len: usize| {
        let start = abstract_name("long");
        format!("{start}{}", "x".repeat(1 + len - start.len()))
    };
    let longest = of_len(107);
    let _server = bind(Path::new(&longest), ExistingSocket::Fail).unwrap();
    with_every_client(|kind| drop(kind.connect_to(Path::new(&longest))));

    let too_long = of_len(108);
    assert_eq!(
        bind(Path::new(&too_long), ExistingSocket::Fail).unwrap_err().to_string(),
        format!("can't listen on {too_long}: the name is 108 bytes long, and a socket's name is at most 107")
    );
    with_every_client(|kind| {
        assert_eq!(
            kind.connect(builder(Path::new(&too_long))).err().unwrap().to_string(),
            format!(
                "can't connect to {too_long}: the name is 108 bytes long, and a socket's name is at most 107"
            )
        );
    });
    bind(Path::new("@"), ExistingSocket::Fail).unwrap_err();
}

#[test]
fn a_file_whose_name_begins_with_an_at_sign_is_reached_through_its_folder() {
    isolated("sockets::a_file_whose_name_begins_with_an_at_sign_is_reached_through_its_folder", || {
        let directory = tempfile::tempdir().unwrap();
        std::env::set_current_dir(directory.path()).unwrap();
        let server = bind(Path::new("./@s"), ExistingSocket::Fail).unwrap();
        assert!(directory.path().join("@s").exists());
        assert_reachable(server);
    });
}

#[test]
fn a_socket_of_another_user_that_may_not_be_touched_is_named_with_what_to_do() {
    // S3: in a folder such as /tmp. Root may do anything, so that it becomes somebody else for a thread; nobody else can play two users.
    if !geteuid().is_root() {
        return;
    }
    const SOMEBODY: u32 = 65_534;
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let path = directory.path().join("s");
    leave_stale_socket(&path);
    for (mode, said) in
        [(0o600, "Permission denied (os error 13)"), (0o666, "Operation not permitted (os error 1)")]
    {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = thread::scope(|scope| {
            let binding = scope.spawn(|| {
                rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(SOMEBODY)).unwrap();
                bind(&path, ExistingSocket::ReplaceStale).unwrap_err()
            });
            binding.join().unwrap()
        });
        assert!(error.is_in_use());
        assert_eq!(
            error.to_string(),
            format!(
                "can't listen on {}: a socket of user 0 is there, and user {SOMEBODY} may not find out whether a server listens \
                 on it, or not remove it ({said}); have its owner or root remove it, or choose a folder that only this user \
                 may write to",
                path.display()
            )
        );
    }
}

#[test]
fn a_file_at_a_relative_path_is_removed_from_wherever_the_process_has_gone() {
    // S7.
    isolated("sockets::a_file_at_a_relative_path_is_removed_from_wherever_the_process_has_gone", || {
        let directory = tempfile::tempdir().unwrap();
        env::set_current_dir(directory.path()).unwrap();
        let server = bind(Path::new("s"), ExistingSocket::Fail).unwrap();
        env::set_current_dir("/").unwrap();
        assert!(directory.path().join("s").exists());
        drop(server);
        assert!(!directory.path().join("s").exists());
    });
}

#[test]
fn descriptors_that_a_stranger_passes_are_refused_before_they_come() {
    // To drop one can take as long as its sender likes: the last descriptor of a TCP socket that lingers.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(interop()));
        let peer = RawPeer::connect(server.path());
        peer.assert_served(Wire::Chunked);
        match peer.pass(std::io::stdin(), b"anything") {
            Err(error) if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) => {
                peer.assert_served(Wire::Chunked);
            }
            // Before Linux 6.16 the kernel has no such option, and drops them as the packet is received.
            passed => assert!(!refuses_descriptors(), "{passed:?}"),
        }
    });
}

/// Whether this kernel can refuse them.
fn refuses_descriptors() -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers =
        release.split(|char: char| !char.is_ascii_digit()).map_while(|number| number.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6_u32, 16_u32)
}

#[test]
fn a_listening_socket_that_was_shut_down_ends_neither_server_nor_sessions() {
    // S4, S9: it wakes whoever waits for it, again and again, and has nobody to accept.
    for driver in [Driver::Threads, Driver::Progress] {
        let (logs, _guard) = Logs::of_this_thread();
        let fake = Fake::listen();
        let listener = fake.listener();
        let server = driver.start_on(Server::builder().module(interop()), fake.path(), Some(listener));
        let peer = RawPeer::connect(fake.path());
        peer.assert_served(Wire::Chunked);
        rustix::net::shutdown(fake.listener(), rustix::net::Shutdown::Both).unwrap();
        logs.wait_for("could not accept a connection error=the listening socket has hung up");
        peer.assert_served(Wire::Chunked);
        drop(peer);
        drop(server);
    }
}
