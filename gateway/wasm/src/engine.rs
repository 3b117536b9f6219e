//! The runtime: the wasmtime engine of the process and what belongs to it. Not used
//! on the workers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use janua_datasets::Datasets;
use janua_secrets::Secrets;
use wasmtime::component::Linker;
use wasmtime::{Config, Engine};

use crate::allowance::{Account, Allowance, MemosStatus};
use crate::bindings::v0_1;
use crate::capabilities::Resources;
use crate::compile_cache::CompileCache;
use crate::compiler::Compiler;
use crate::component::{Component, LoadError};
use crate::deadline::{Caller, Ticker};
use crate::family::{Families, Family};
use crate::features::{ALLOWED, REFUSED};
use crate::fingerprint::{process_key, sha256};
use crate::policy::PolicySpec;
use crate::state::HostState;
use crate::workshop::Workshop;
use crate::{capabilities, convert, wasi};

/// The maximum WebAssembly stack of a call, in bytes. It is part of the worker thread's
/// stack, which must be larger.
const STACK: usize = 512 * 1024;

/// The engine, its compile cache, its ticker thread and its workshop. One per process;
/// clones share it.
#[derive(Debug, Clone)]
pub struct Runtime(Arc<Shared>);

/// The settings of a [`Runtime`].
#[derive(Debug)]
pub struct RuntimeOptions {
    /// The directory for compiled components, which are reused at later starts. Created
    /// if missing. Ignored with a warning unless it has mode 0700 and belongs to the
    /// effective user, and nobody else can write to any directory above it.
    pub cache_dir: Option<PathBuf>,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// The memory for reusable verdicts, over all policies and workers, in bytes.
    pub memos: usize,
    /// The most families of policies that wait for spare instances, and the most samples
    /// that wait to be compared. With 0 there is no thread for this: workers make all
    /// instances themselves, and nothing is compared.
    pub background_jobs: usize,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            cache_dir: None,
            compiler: Compiler::default(),
            memos: 256 << 20,
            background_jobs: 1_024,
        }
    }
}

/// Why a [`Runtime`] cannot be created.
#[derive(Debug)]
pub struct RuntimeError(String);

struct Shared {
    engine: Engine,
    linker: Linker<HostState>,
    cache: Option<CompileCache>,
    compiler: Compiler,
    ticker: Ticker,
    /// The components in use, by the SHA-256 of their content.
    components: Mutex<HashMap<[u8; 32], Weak<Component>>>,
    families: Families,
    workshop: Workshop,
    /// The key of the MACs that replace sensitive inputs in memo keys.
    mac_key: [u8; 16],
    /// The memory for reusable verdicts.
    memos: Arc<Account>,
    resources: Arc<Resources>,
}

impl Runtime {
    /// Starts the engine, its ticker thread and its workshop.
    ///
    /// # Errors
    /// If the machine cannot run compiled WebAssembly or start the threads.
    pub fn new(options: RuntimeOptions) -> Result<Self, RuntimeError> {
        let engine = engine().map_err(RuntimeError::from_wasmtime)?;
        let mut linker = Linker::new(&engine);
        wasi::add_to_linker(&mut linker).map_err(RuntimeError::from_wasmtime)?;
        convert::v0_1::add_to_linker(&mut linker).map_err(RuntimeError::from_wasmtime)?;
        capabilities::add_to_linker(&mut linker).map_err(RuntimeError::from_wasmtime)?;
        let cache = options
            .cache_dir
            .and_then(|dir| CompileCache::open(&dir, &engine));
        let ticker = Ticker::start(engine.weak())
            .map_err(|error| RuntimeError(format!("the ticker thread did not start: {error}")))?;
        let workshop =
            Workshop::start(options.background_jobs, ticker.caller()).map_err(|error| {
                RuntimeError(format!(
                    "the thread that prepares policies did not start: {error}"
                ))
            })?;
        Ok(Self(Arc::new(Shared {
            engine,
            linker,
            cache,
            compiler: options.compiler,
            ticker,
            components: Mutex::default(),
            families: Families::default(),
            workshop,
            mac_key: process_key(),
            memos: Arc::new(Account::new(options.memos)),
            resources: Arc::default(),
        })))
    }

    /// Compiles and checks a component, or returns a loaded one with the same content.
    /// Takes from a millisecond (cached) to many seconds (Python).
    ///
    /// # Errors
    /// [`LoadError`], whose message tells the operator what to do.
    pub fn load(&self, bytes: &[u8]) -> Result<Arc<Component>, LoadError> {
        let hash = sha256(bytes);
        if let Some(found) = self.components().get(&hash).and_then(Weak::upgrade) {
            return Ok(found);
        }
        let component = Component::load(self, bytes, hash).map_err(LoadError::shown)?;
        let component = Arc::new(component);
        let mut components = self.components();
        components.retain(|_, component| component.strong_count() > 0);
        components.insert(hash, Arc::downgrade(&component));
        Ok(component)
    }

    /// The memory for reusable verdicts.
    pub fn memos(&self) -> MemosStatus {
        self.0.memos.status()
    }

    /// What the memos of one more policy on a worker may use.
    pub(crate) fn allowance(&self) -> Allowance {
        Allowance::new(Arc::clone(&self.0.memos))
    }

    /// Replaces the secrets that calls of policies use from now on.
    pub fn set_secrets(&self, secrets: Arc<Secrets>) {
        self.0.resources.set_secrets(secrets);
    }

    /// The secrets that calls of policies use.
    pub fn secrets(&self) -> Arc<Secrets> {
        self.0.resources.secrets()
    }

    /// Replaces the datasets that calls of policies use from now on.
    pub fn set_datasets(&self, datasets: Arc<Datasets>) {
        self.0.resources.set_datasets(datasets);
    }

    /// The datasets that calls of policies use.
    pub fn datasets(&self) -> Arc<Datasets> {
        self.0.resources.datasets()
    }

    pub(crate) fn resources(&self) -> &Arc<Resources> {
        &self.0.resources
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Whether components are compiled with the priority of this process, as at its start, or
    /// with a lower one, as while it serves requests. Lower unless this says otherwise.
    pub fn compile_urgently(&self, is_urgent: bool) {
        self.0.compiler.set_urgent(is_urgent);
    }

    /// Does something during which components are compiled, and ends their compilation when
    /// `abandoned` is set. For one thread at a time.
    pub fn compile_unless<R>(&self, abandoned: &Arc<AtomicBool>, act: impl FnOnce() -> R) -> R {
        let compiler = &self.0.compiler;
        compiler.set_abandoned(Some(Arc::clone(abandoned)));
        let result = act();
        compiler.set_abandoned(None);
        result
    }

    /// Ends the compilation in progress, and refuses every further one. For a gateway that
    /// is about to stop.
    pub fn stop_compiling(&self) {
        self.0.compiler.stop();
    }

    /// Finds the compiled component in the cache, or has it compiled.
    pub(crate) fn compile(
        &self,
        bytes: &[u8],
    ) -> Result<wasmtime::component::Component, LoadError> {
        let engine = &self.0.engine;
        let compile = || self.0.compiler.compile(engine, bytes);
        match &self.0.cache {
            Some(cache) => cache.component(engine, bytes, compile),
            None => compile()?.load(engine),
        }
    }

    pub(crate) fn link(
        &self,
        component: &wasmtime::component::Component,
    ) -> wasmtime::Result<v0_1::PolicyPre<HostState>> {
        v0_1::PolicyPre::new(self.0.linker.instantiate_pre(component)?)
    }

    pub(crate) fn caller(&self) -> Caller {
        self.0.ticker.caller()
    }

    /// The family of a policy with these settings.
    pub(crate) fn family(&self, spec: &PolicySpec) -> Arc<Family> {
        self.0.families.of(spec)
    }

    pub(crate) fn workshop(&self) -> &Workshop {
        &self.0.workshop
    }

    pub(crate) fn mac_key(&self) -> [u8; 16] {
        self.0.mac_key
    }

    fn components(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Weak<Component>>> {
        self.0
            .components
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// An engine with the settings of the gateway. A setting that affects compiled code also
/// changes the file names in the compile cache.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        // Calls are synchronous. The support would add 45 % to the time of a call.
        .concurrency_support(false)
        // Features of WebAssembly that come with a later wasmtime are off too.
        .wasm_features(REFUSED, false)
        .wasm_features(ALLOWED, true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK);
    Engine::new(&config)
}

impl RuntimeError {
    fn from_wasmtime(error: wasmtime::Error) -> Self {
        Self(format!("the WebAssembly engine did not start: {error:#}"))
    }
}

impl std::fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RuntimeError {}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}
