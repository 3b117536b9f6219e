//! The restricted WASI 0.2 that policies are linked with.
//!
//! There are no environment variables, arguments, files, sockets or name lookups.
//! Output goes to the log. Clocks and random numbers work, but the verdict of a call that
//! reads the wall clock or secure random numbers is not reused. The monotonic clock and the
//! insecure random numbers are what schedulers and hash maps of languages read: they are
//! free, and a policy whose verdict depends on them is found by the samples. A call that
//! waits traps.
//!
//! The synchronous `wasi:io` of `wasmtime-wasi` is not used: it blocks the thread,
//! and inside a tokio runtime, which every worker has, it panics even when a stream
//! is only dropped. Its other interfaces are linked as they are: a policy has no
//! handle (file, socket) on which they could block.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime::{Result, bail};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::sync::io::{poll, streams};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io, random, sockets, sync};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, OutputStream, Pollable, StreamError, StreamResult,
};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, ResourceTable, WasiCtx, WasiView as _};

use crate::fingerprint::process_key;
use crate::log::LineLog;
use crate::state::HostState;

/// The largest write, and the most random bytes of one call, in bytes.
const MAX_CHUNK: usize = 64 * 1024;
const WAITS: &str = "a policy cannot wait: it called wasi:io/poll, for example by sleeping";

/// One seed for all instances of the process: a guest's hash maps iterate in the
/// same order in each, which an attacker cannot predict.
static SEED: LazyLock<[u8; 16]> = LazyLock::new(process_key);

/// A context without any access to the host. The wall clock sets `impure` when it is read.
pub(crate) fn restricted(impure: &Arc<AtomicBool>) -> WasiCtx {
    WasiCtx::builder()
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .wall_clock(WallClock(Arc::clone(impure)))
        .monotonic_clock(MonotonicClock(Instant::now()))
        .build()
}

/// Links all interfaces of WASI 0.2 that the toolchains of the supported languages
/// import.
pub(crate) fn add_to_linker(l: &mut Linker<HostState>) -> Result<()> {
    type Own = HasSelf<HostState>;
    type Table = HasSelf<ResourceTable>;
    io::error::add_to_linker::<_, Table>(l, |t| t.ctx().table)?;
    poll::add_to_linker::<_, Own>(l, |t| t)?;
    streams::add_to_linker::<_, Own>(l, |t| t)?;
    random::random::add_to_linker::<_, Own>(l, |t| t)?;
    random::insecure::add_to_linker::<_, Own>(l, |t| t)?;
    random::insecure_seed::add_to_linker::<_, Own>(l, |t| t)?;
    cli::stdout::add_to_linker::<_, Own>(l, |t| t)?;
    cli::stderr::add_to_linker::<_, Own>(l, |t| t)?;

    cli::stdin::add_to_linker::<_, WasiCli>(l, HostState::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, HostState::cli)?;
    cli::environment::add_to_linker::<_, WasiCli>(l, HostState::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, HostState::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, HostState::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, HostState::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, HostState::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, HostState::cli)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, HostState::clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, HostState::clocks)?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, HostState::filesystem)?;
    sync::filesystem::types::add_to_linker::<_, WasiFilesystem>(l, HostState::filesystem)?;
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<_, WasiSockets>(l, &options, HostState::sockets)?;
    sockets::instance_network::add_to_linker::<_, WasiSockets>(l, HostState::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<_, WasiSockets>(l, HostState::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(l, HostState::sockets)?;
    sync::sockets::tcp::add_to_linker::<_, WasiSockets>(l, HostState::sockets)?;
    sync::sockets::udp::add_to_linker::<_, WasiSockets>(l, HostState::sockets)?;
    sync::sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(l, HostState::sockets)?;
    Ok(())
}

/// A clock that records that it was read.
struct WallClock(Arc<AtomicBool>);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        self.0.store(true, Ordering::Relaxed);
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
    }
}

/// The time since the instance was made.
struct MonotonicClock(Instant);

impl HostMonotonicClock for MonotonicClock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl HostState {
    fn random(len: u64) -> Result<Vec<u8>> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > MAX_CHUNK {
            bail!("{len} random bytes were requested at once, and {MAX_CHUNK} is the most");
        }
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())?;
        }
        Ok(bytes)
    }

    fn random_u64() -> Result<u64> {
        let bytes = Self::random(8)?;
        Ok(bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }
}

impl random::random::Host for HostState {
    fn get_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.mark_impure();
        Self::random(len)
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        self.mark_impure();
        Self::random_u64()
    }
}

impl random::insecure::Host for HostState {
    fn get_insecure_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        Self::random(len)
    }

    fn get_insecure_random_u64(&mut self) -> Result<u64> {
        Self::random_u64()
    }
}

impl random::insecure_seed::Host for HostState {
    /// The same in every instance, so that the order of hash maps is the same for a sample.
    fn insecure_seed(&mut self) -> Result<(u64, u64)> {
        let seed = u128::from_le_bytes(*SEED);
        Ok(((seed >> 64) as u64, seed as u64))
    }
}

impl cli::stdout::Host for HostState {
    fn get_stdout(&mut self) -> Result<Resource<DynOutputStream>> {
        let stream: DynOutputStream = Box::new(LogStream(self.log.clone()));
        Ok(self.table.push(stream)?)
    }
}

impl cli::stderr::Host for HostState {
    fn get_stderr(&mut self) -> Result<Resource<DynOutputStream>> {
        let stream: DynOutputStream = Box::new(LogStream(self.log.clone()));
        Ok(self.table.push(stream)?)
    }
}

/// Stdout or stderr. A write never has to wait.
struct LogStream(LineLog);

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_CHUNK)
    }
}

impl poll::Host for HostState {
    fn poll(&mut self, _: Vec<Resource<DynPollable>>) -> Result<Vec<u32>> {
        bail!(WAITS)
    }
}

impl poll::HostPollable for HostState {
    fn ready(&mut self, _: Resource<DynPollable>) -> Result<bool> {
        bail!(WAITS)
    }

    fn block(&mut self, _: Resource<DynPollable>) -> Result<()> {
        bail!(WAITS)
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        io::poll::HostPollable::drop(&mut self.table, pollable)
    }
}

impl streams::Host for HostState {
    fn convert_stream_error(&mut self, error: StreamError) -> Result<streams::StreamError> {
        Ok(io::streams::Host::convert_stream_error(&mut self.table, error)?.into())
    }
}

/// A policy's output streams are [`LogStream`]s, so the blocking calls do not block.
impl streams::HostOutputStream for HostState {
    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        Ok(self.table.get_mut(&stream)?.check_write()? as u64)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        self.table.get_mut(&stream)?.write(bytes.into())
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        self.write(stream, bytes)
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        self.table.get_mut(&stream)?.flush()
    }

    fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        self.flush(stream)
    }

    fn subscribe(&mut self, stream: Resource<DynOutputStream>) -> Result<Resource<DynPollable>> {
        wasmtime_wasi::p2::subscribe(&mut self.table, stream)
    }

    fn write_zeroes(&mut self, _: Resource<DynOutputStream>, _: u64) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        _: Resource<DynOutputStream>,
        _: u64,
    ) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn splice(
        &mut self,
        _: Resource<DynOutputStream>,
        _: Resource<DynInputStream>,
        _: u64,
    ) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn blocking_splice(
        &mut self,
        _: Resource<DynOutputStream>,
        _: Resource<DynInputStream>,
        _: u64,
    ) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn drop(&mut self, stream: Resource<DynOutputStream>) -> Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

/// The only input stream is an empty stdin.
impl streams::HostInputStream for HostState {
    fn read(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<Vec<u8>> {
        Err(StreamError::Closed)
    }

    fn blocking_read(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<Vec<u8>> {
        Err(StreamError::Closed)
    }

    fn skip(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn blocking_skip(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn subscribe(&mut self, stream: Resource<DynInputStream>) -> Result<Resource<DynPollable>> {
        wasmtime_wasi::p2::subscribe(&mut self.table, stream)
    }

    fn drop(&mut self, stream: Resource<DynInputStream>) -> Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_may_predict_forbids_reuse() {
        let mut state = HostState::new(crate::log::Speaker::new("test".into()), 0);
        random::insecure::Host::get_insecure_random_u64(&mut state).unwrap();
        random::insecure_seed::Host::insecure_seed(&mut state).unwrap();
        assert!(!state.take_impure());
        random::random::Host::get_random_u64(&mut state).unwrap();
        assert!(state.take_impure());
        random::random::Host::get_random_bytes(&mut state, 1).unwrap();
        assert!(state.take_impure());
    }
}
