//! `certificate = "auto"` of a site, and its long form: a certificate that is
//! ordered from an authority by ACME and renewed in time.

use crate::macros::table;
use crate::names::AuthorityName;
use crate::span::Spanned;
use crate::webhook::WebhookUrl;

table! {
    /// A certificate that an authority issues.
    pub struct AcmeCertificate("a table such as `{ acme = \"zerossl\" }`") {
        /// The name of the authority: that of a table `[acme.<name>]`.
        acme: Option<Spanned<AuthorityName>> = optional("the default authority, `[acme]`");
        /// Certificates are ordered name by name, when a client first asks for one, and not
        /// for the hosts in advance: for hosts such as `*` whose names are not known.
        on_demand: Option<OnDemand> = optional("certificates are ordered in advance, for all hosts");
    }
}

impl AcmeCertificate {
    /// The name of the authority; none for the default one.
    pub fn authority(&self) -> Option<&str> {
        self.acme.as_ref().map(|name| name.as_str())
    }
}

table! {
    /// Certificates that are ordered when a client first asks for them.
    pub struct OnDemand("a table such as `{ ask = \"http://127.0.0.1:5555/allowed\" }`") {
        /// Who decides whether there may be a certificate for a name, so that strangers
        /// cannot use up the limits of the authority. It is asked by `GET` with
        /// `?domain=NAME` added, and agrees by the status 200.
        ask: Spanned<WebhookUrl> = required;
    }
}
