//! 100 MiB that go to another process without a copy: a sealed `memfd`, whose seals are looked at before it is trusted.
//!
//! ```sh
//! cargo run --bin memory
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use drpc::blocking::{Client, Server};
use drpc::{WithFds, drpc_module};
use drpc_examples::registry;
use memmap2::Mmap;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};

const SIZE: usize = 100 << 20;
const PAGE: usize = 4 << 10;

/// What nobody may do any more with memory that two processes share: change it, or make it shorter, so that who reads it is killed.
const SEALED: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK);

/// A module that has a table, and gives it to all who ask.
struct Tables {
    table: OwnedFd,
}

#[drpc_module(id = registry::tables::ID)]
impl Tables {
    /// Gives the table, as a sealed `memfd`.
    #[method(1, fds)]
    fn table(&self) -> io::Result<WithFds<()>> {
        Ok(WithFds::new((), [self.table.try_clone()?]))
    }
}

/// Memory with a table in it, that can't change any more.
fn make_table() -> io::Result<OwnedFd> {
    let memory = memfd_create("table", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(memory);
    for page in 0..SIZE / PAGE {
        file.write_all(&[page as u8; PAGE])?;
    }
    fcntl_add_seals(&file, SEALED | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file.into())
}

/// What is in memory that somebody else made.
#[allow(unsafe_code, reason = "only the seals, which the compiler does not see, keep the memory as it is")]
fn look_at(memory: OwnedFd) -> Result<Mmap, Box<dyn Error>> {
    // Only a memfd has seals: of a file, which could be cut at any time, this fails.
    let seals = fcntl_get_seals(&memory)?;
    if !seals.contains(SEALED) {
        return Err(format!("the memory can still change: it is sealed against {seals:?} alone").into());
    }
    // SAFETY: its seals, which nobody can take off, keep everybody from writing to the memory and from making it shorter.
    Ok(unsafe { Mmap::map(&memory) }?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("drpc-memory-{}.sock", std::process::id()));
    let server = Server::builder().module(Tables { table: make_table()? }).bind_blocking(&path)?;
    let handle = server.handle();
    let serving = std::thread::spawn(move || server.serve());

    let tables = TablesClient::new(Client::connect(&path)?);
    let ((), [memory]) = tables.table()?.exactly()?;
    let table = look_at(memory)?;
    println!("{} MiB, read where they are: {:?} and so on", table.len() >> 20, &table[5 * PAGE - 2..][..4]);

    let unsealed = memfd_create("unsealed", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    println!("not trusted: {}", look_at(unsealed).expect_err("it has no seals"));

    handle.shutdown();
    serving.join().expect("the server does not panic")?;
    Ok(())
}
