//! The thread of certificates.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use crate::desk::Desk;
use crate::door::Door;
use crate::keeper::{Client, Command, Keeper, NoCertificate};
use crate::settings::Plan;
use crate::status::NameStatus;
use crate::store::Store;

/// Keeps the certificates of a gateway.
pub struct Engine {
    store: Arc<dyn Store>,
    door: Arc<dyn Door>,
    statuses: Arc<ArcSwap<Vec<NameStatus>>>,
    /// None until there is something to do.
    inbox: Mutex<Option<Inbox>>,
}

/// How many clients wait until the thread looks at them. More are turned away: names that
/// are made up come faster than anybody can look at them.
const MOST_CLIENTS: usize = 1024;

/// What reaches the thread.
#[derive(Clone)]
struct Inbox {
    commands: mpsc::UnboundedSender<Command>,
    clients: mpsc::Sender<Client>,
}

impl Engine {
    /// An engine without a thread: it gets one with the first plan that has authorities.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, door: Arc<dyn Door>) -> Self {
        Self {
            store,
            door,
            statuses: Arc::default(),
            inbox: Mutex::new(None),
        }
    }

    /// Shows the certificates that the store has for the names of a plan, so that they are
    /// there when the first client comes. Orders nothing.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn prepare(&self, plan: Plan) -> io::Result<()> {
        self.plan(plan, Command::Prepare)
    }

    /// Works by this plan from now on. Returns once the certificates that the store has are
    /// shown; orders follow.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn configure(&self, plan: Plan) -> io::Result<()> {
        self.plan(plan, Command::Configure)
    }

    fn plan(
        &self,
        plan: Plan,
        command: fn(Box<Plan>, oneshot::Sender<()>) -> Command,
    ) -> io::Result<()> {
        let inbox = {
            let mut inbox = self.lock();
            match &*inbox {
                Some(inbox) => inbox.clone(),
                None if plan.authorities.is_empty() => return Ok(()),
                None => {
                    let started = self.start()?;
                    inbox.insert(started).clone()
                }
            }
        };
        let (done, wait) = oneshot::channel();
        if inbox.commands.send(command(Box::new(plan), done)).is_ok() {
            // If the thread has ended, there is nothing to wait for.
            let _ = wait.blocking_recv();
        }
        Ok(())
    }

    fn start(&self) -> io::Result<Inbox> {
        let (commands, from_operators) = mpsc::unbounded_channel();
        let (clients, from_clients) = mpsc::channel(MOST_CLIENTS);
        let (store, door) = (Arc::clone(&self.store), Arc::clone(&self.door));
        let statuses = Arc::clone(&self.statuses);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("janua-acme-io")
            .build()?;
        std::thread::Builder::new()
            .name("janua-acme".into())
            .spawn(move || {
                let keeper = Keeper::new(Desk::new(store, door), statuses);
                let tasks = LocalSet::new();
                runtime.block_on(tasks.run_until(keeper.run(from_operators, from_clients)));
            })?;
        Ok(Inbox { commands, clients })
    }

    /// What is known of each name.
    #[must_use]
    pub fn statuses(&self) -> Arc<Vec<NameStatus>> {
        self.statuses.load_full()
    }

    /// Has a certificate ordered for a name that a client asks for, if `ask` permits it.
    pub fn obtain(
        &self,
        authority: &str,
        ask: &str,
        name: &str,
    ) -> oneshot::Receiver<Result<(), NoCertificate>> {
        let (reply, wait) = oneshot::channel();
        if let Some(inbox) = &*self.lock() {
            // A client that has no room learns from the end of `reply` that there is nothing.
            let _ = inbox.clients.try_send(Client {
                key: (authority.to_owned(), name.to_owned()),
                ask: ask.to_owned(),
                reply,
            });
        }
        wait
    }

    /// Orders a new certificate for a name now, and waits for it. Blocks.
    ///
    /// # Errors
    /// Why there is none.
    pub fn renew(&self, name: &str) -> Result<String, String> {
        self.ask(|reply| Command::Renew {
            name: name.to_owned(),
            reply,
        })
    }

    /// Replaces the certificate of a name, and has the former revoked. Blocks.
    ///
    /// # Errors
    /// It could not be revoked, or not be replaced.
    pub fn revoke(&self, name: &str) -> Result<String, String> {
        self.ask(|reply| Command::Revoke {
            name: name.to_owned(),
            reply,
        })
    }

    fn ask(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<String, String>>) -> Command,
    ) -> Result<String, String> {
        let (reply, wait) = oneshot::channel();
        if !self.send(command(reply)) {
            return Err("no site has a certificate by ACME".to_owned());
        }
        wait.blocking_recv()
            .unwrap_or_else(|_| Err("the work on certificates has ended".to_owned()))
    }

    /// Whether there is somebody to obey.
    fn send(&self, command: Command) -> bool {
        let inbox = self.lock();
        inbox
            .as_ref()
            .is_some_and(|inbox| inbox.commands.send(command).is_ok())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Inbox>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
