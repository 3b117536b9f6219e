//! What is asked of an authority.

/// The kinds of resources of RFC 8555, section 7.1, and RFC 9773.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// The directory.
    Directory,
    /// A nonce.
    Nonce,
    /// A new account, or which one has this key.
    NewAccount,
    /// An account.
    Account,
    /// The change of an account's key.
    KeyChange,
    /// A new order.
    NewOrder,
    /// An order.
    Order,
    /// The end of an order, with the CSR.
    Finalize,
    /// An authorization.
    Authorization,
    /// A challenge that is to be validated.
    Challenge,
    /// A certificate.
    Certificate,
    /// The revocation of one.
    Revoke,
    /// When one is to be renewed.
    RenewalInfo,
    /// Anything else.
    Other,
}

impl Asked {
    /// By the paths of `pebble`, and that of [`RENEWAL_INFO`].
    pub(super) fn at(path: &str) -> Self {
        let known = PATHS.iter().find(|(prefix, _)| path.starts_with(prefix));
        known.map_or(Self::Other, |(_, asked)| *asked)
    }
}

/// The path of renewal information, which `pebble` does not have.
pub(super) const RENEWAL_INFO: &str = "/renewal-info";

const PATHS: [(&str, Asked); 13] = [
    ("/dir", Asked::Directory),
    ("/nonce-plz", Asked::Nonce),
    ("/sign-me-up", Asked::NewAccount),
    ("/my-account/", Asked::Account),
    ("/rollover-account-key", Asked::KeyChange),
    ("/order-plz", Asked::NewOrder),
    ("/my-order/", Asked::Order),
    ("/finalize-order/", Asked::Finalize),
    ("/authZ/", Asked::Authorization),
    ("/chalZ/", Asked::Challenge),
    ("/certZ/", Asked::Certificate),
    ("/revoke-cert", Asked::Revoke),
    (RENEWAL_INFO, Asked::RenewalInfo),
];
