//! Accounts at authorities: made once, kept for ever.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use tokio::sync::Mutex;

use crate::failure::Failure;
use crate::http::{Http, last_wait};
use crate::record::{self, account_key, account_lock, directory_key};
use crate::settings::Authority;
use crate::store::{Lock, Store};

/// An account, and the client that is used for it.
pub(crate) struct Opened {
    pub(crate) account: Account,
    pub(crate) http: Http,
}

/// The accounts that are in use, by their keys in the store. Whoever opens one keeps the
/// others waiting, so that none is made twice.
#[derive(Default)]
pub(crate) struct Accounts(RefCell<HashMap<String, Rc<Slot>>>);

/// The place of an account that may be open.
type Slot = Mutex<Option<Rc<Opened>>>;

/// How long a gateway may take to make an account that others wait for.
const LEASE: Duration = Duration::from_secs(60);
/// How often others look whether it is there.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl Accounts {
    /// The account at this directory of an authority. It is read from the store, or made
    /// and stored before anything is ordered with it.
    pub(crate) async fn open(
        &self,
        store: &dyn Store,
        authority: &Authority,
        directory: &str,
    ) -> Result<Rc<Opened>, Failure> {
        let key = account_key(&directory_key(directory), authority.email.as_deref());
        let slot = Rc::clone(self.0.borrow_mut().entry(key.clone()).or_default());
        let mut slot = slot.lock().await;
        if let Some(opened) = &*slot {
            return Ok(Rc::clone(opened));
        }
        let http = Http::new(authority.roots.as_deref())?;
        let account = match restore(store, &key, &http).await? {
            Some(account) => account,
            None => {
                let _lock = lock(store, authority, directory).await?;
                // Another gateway may have made it in the meantime.
                match restore(store, &key, &http).await? {
                    Some(account) => account,
                    None => make(store, &key, &http, authority, directory).await?,
                }
            }
        };
        let opened = Rc::new(Opened { account, http });
        *slot = Some(Rc::clone(&opened));
        Ok(opened)
    }

    /// Reads the directory of the authority anew at the next use: it may have changed.
    pub(crate) fn close(&self, authority: &Authority, directory: &str) {
        let key = account_key(&directory_key(directory), authority.email.as_deref());
        self.0.borrow_mut().remove(&key);
    }

    /// Sets an account aside that the authority no longer knows.
    pub(crate) fn lose(
        &self,
        store: &dyn Store,
        authority: &Authority,
        directory: &str,
    ) -> Result<(), Failure> {
        self.close(authority, directory);
        let key = account_key(&directory_key(directory), authority.email.as_deref());
        let place = store.place(&key);
        let moved = store.get(&key).and_then(|kept| {
            if let Some(kept) = kept {
                store.put(&format!("{key}.lost"), &kept)?;
            }
            store.remove(&key)
        });
        tracing::warn!(
            authority = authority.name,
            directory,
            "the authority no longer knows the account in {place}; another is made, and this one \
             is kept as {place}.lost"
        );
        moved.map_err(|error| Failure::storage(&place, &error))
    }
}

/// The account of the store.
async fn restore(store: &dyn Store, key: &str, http: &Http) -> Result<Option<Account>, Failure> {
    let Some(credentials) = record::read::<AccountCredentials>(store, key)? else {
        return Ok(None);
    };
    let builder = Account::builder_with_http(Box::new(http.clone()));
    let account = builder.from_credentials(credentials).await;
    account.map(Some).map_err(|error| Failure::of(&error))
}

/// Makes an account and stores it.
async fn make(
    store: &dyn Store,
    key: &str,
    http: &Http,
    authority: &Authority,
    directory: &str,
) -> Result<Account, Failure> {
    let email = authority.email.as_ref();
    let contact = email.map(|email| format!("mailto:{email}"));
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    // A binding belongs to the authority and not to its test directory.
    let eab = authority.eab.as_ref();
    let eab = eab.filter(|_| directory == authority.directory);
    let eab = eab.map(|eab| ExternalAccountKey::new(eab.id.clone(), &eab.key));
    let builder = Account::builder_with_http(Box::new(http.clone()));
    let (account, credentials) = builder
        .create(&new, directory.to_owned(), eab.as_ref())
        .await
        .map_err(|error| with_wait(Failure::of(&error)))?;
    record::write(store, key, &credentials)?;
    tracing::info!(
        authority = authority.name,
        directory,
        account = account.id(),
        "an account for certificates was made"
    );
    Ok(account)
}

/// Keeps other gateways from making the same account.
async fn lock(
    store: &dyn Store,
    authority: &Authority,
    directory: &str,
) -> Result<Box<dyn Lock>, Failure> {
    let key = account_lock(&directory_key(directory), authority.email.as_deref());
    let begun = Instant::now();
    loop {
        let locked = store.lock(&key, LEASE);
        match locked.map_err(|error| Failure::storage(&store.place(&key), &error))? {
            Some(lock) => return Ok(lock),
            None if begun.elapsed() > LEASE * 2 => {
                let why = "another gateway does not get on with making the account";
                return Err(Failure::new("timeout", why));
            }
            None => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

/// Adds how long the authority wants to be left alone.
pub(crate) fn with_wait(failure: Failure) -> Failure {
    let is_limited = failure.kind == "rateLimited";
    Failure {
        retry_after: last_wait().filter(|_| is_limited),
        ..failure
    }
}
