//! `[policies.<name>]`: components with their configuration, and their uses.

use std::path::PathBuf;
use std::time::Duration;

use crate::breaker::Breaker;
use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::macros::{table, words};
use crate::names::{Definition, Kind, PolicyName, Reference};
use crate::policy_config::PolicyConfig;
use crate::span::Spanned;
use crate::throttle::Throttle;
use crate::units::Size;

table! {
    /// A component with its configuration, under a name that sites and routes use.
    pub struct Policy("a table of policy settings") {
        /// The name of a bundled component (`"rate-limit"`), or the path of a `.wasm` file, relative to this file.
        component: Spanned<Component> = required;
        /// The configuration of the component, as its documentation describes. A
        /// key that ends in `_file` refers to a file, relative to this file, and
        /// one that ends in `_env` to an environment variable: the component gets
        /// the content under the same key, at any depth. Other tables of header
        /// fields (`listeners.<name>.headers` and the like) do not support such
        /// references, and refuse such names. A key that the component's documentation
        /// calls a secret takes the name of one of `secrets`, or a source in its place,
        /// such as `{ file = "key" }` or `{ env = "KEY" }`; the component never gets
        /// the content.
        config: PolicyConfig = default("{}");
        /// Permissions that the component needs beyond what every component may do.
        /// `janua check` prints the line to add.
        grants: Vec<Spanned<Grant>> = default("[]");
        /// What happens to a request whose policy fails: it is denied with 503, or
        /// continues as if the policy did not exist. The default denies in the phase
        /// `request`, and later where the policy may respond. Where it only edits a response
        /// that is there already, this is delivered without its edits, and not stored. A
        /// request for which a policy that may respond is not called, because its time is
        /// short or it is suspended, or gives a verdict that is not valid, is always denied.
        on_error: Option<OnError> = optional("`\"deny\"` in the phase `request`, `\"skip\"` in later ones");
        /// The CPU time limit of one call.
        deadline: Spanned<Duration> = default("\"10ms\"");
        /// The CPU time limit for creating an instance and for configuring it. At
        /// most `30s`: each worker does both when it first needs the policy.
        configure_deadline: Spanned<Duration> = default("\"1s\"");
        /// The memory limit of one instance. At most `4GiB`.
        memory: Spanned<Size> = default("\"64MiB\"");
        /// The longest time for which a verdict may be reused. `0s`: never.
        max_reuse: Option<Duration> = optional("as long as the verdict says");
        /// The memory for reusable verdicts, per worker. 0: none.
        memo: Size = default("\"1MiB\"");
        /// One in this many reused verdicts is recomputed and compared. 0: none.
        memo_sample: u32 = default("8192");
        /// Whether policies with the same component share an instance in each
        /// worker, or this one has its own.
        isolation: Isolation = default("\"shared\"");
        /// How much of a worker's time its calls may use.
        throttle: Throttle = default("{}");
        /// When it is suspended.
        breaker: Breaker = default("{}");
    }
    check budgets
}

impl Definition for Policy {
    const KIND: Kind = Kind::Policy;
    /// The names of a policy's variables and annotations stand behind a dot, and those of its
    /// own secrets behind a colon: no policy may be taken for another one.
    const REFUSED: &[char] = &['.', ':'];
    const REFUSED_BECAUSE: &str = "write a `-`: `policy.name` is a variable or an annotation of a policy, and `policy:key` a secret in its configuration";
}

/// The upper bound of `configure_deadline`: the worker is blocked for that time.
const MAX_CONFIGURE: Duration = Duration::from_secs(30);
/// The largest memory that 32-bit WebAssembly can address.
const MAX_MEMORY: u64 = 4 << 30;

fn budgets(policy: &Policy, decoder: &mut Decoder<'_>) {
    if policy.deadline.is_zero() {
        decoder.push(
            Diagnostic::error(policy.deadline.span, "`deadline` must not be 0")
                .help("write the CPU time that a call may take: \"10ms\""),
        );
    }
    if policy.configure_deadline.is_zero() || policy.configure_deadline.value > MAX_CONFIGURE {
        let span = policy.configure_deadline.span;
        decoder.push(
            Diagnostic::error(span, "`configure_deadline` is not between 1ms and 30s")
                .help("write the CPU time that reading the configuration may take: \"1s\""),
        );
    }
    if policy.memory.bytes() > MAX_MEMORY {
        decoder.push(
            Diagnostic::error(policy.memory.span, "`memory` is more than a component can have")
                .help("write at most \"4GiB\", which is all that 32-bit WebAssembly can address; the default is \"64MiB\""),
        );
    }
    // WebAssembly memory comes in pages of 64 KiB.
    if policy.memory.bytes() < 64 * 1024 {
        decoder.push(
            Diagnostic::error(policy.memory.span, "`memory` is less than one page")
                .help("write at least \"64KiB\"; most components need a few MiB"),
        );
    }
}

/// A permission of a component: `header:authorization`, `outbound:<upstream>`. The
/// policy host knows which exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Grant(String);

impl Grant {
    /// The grant as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for Grant {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?.to_owned();
        // An upstream that only a policy calls or chooses counts as used, and must be defined.
        let upstream = text.strip_prefix("outbound:");
        if let Some(upstream) = upstream.or_else(|| text.strip_prefix("upstream:")) {
            let name = Spanned::new(upstream.to_owned(), decoder.span(node));
            decoder
                .references
                .push(Reference::new(Kind::Upstream, name));
        }
        if let Some(secret) = text.strip_prefix("secret:") {
            let name = Spanned::new(secret.to_owned(), decoder.span(node));
            decoder.references.push(Reference::new(Kind::Secret, name));
        }
        Some(Self(text))
    }

    fn kind() -> String {
        "a grant such as \"input:header:authorization\"".to_owned()
    }
}

/// The component of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Component {
    /// A component that comes with the gateway, by its name.
    Bundled(String),
    /// A file; the path is made relative to the working directory.
    File(PathBuf),
}

impl Decode for Component {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        if text.ends_with(".wasm") {
            let path = decoder.directory.join(text);
            let file = Spanned::new(path.clone(), decoder.span(node));
            decoder.component_files.push(file);
            return Some(Self::File(path));
        }
        let bundled = !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if bundled {
            return Some(Self::Bundled(text.to_owned()));
        }
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(span, format!("`{text}` is not a component")).help(
                "write the name of a bundled component (\"rate-limit\") \
                 or the path of a file that ends in \".wasm\"",
            ),
        )
    }

    fn kind() -> String {
        "the name of a bundled component, or the path of a .wasm file".to_owned()
    }
}

words! {
    /// What happens to a request whose policy fails, if the operator says so.
    pub enum OnError {
        /// It is answered with 503.
        Deny = "deny",
        /// It continues as if the policy did not exist.
        Skip = "skip",
    }
}

words! {
    /// Which policies share an instance.
    pub enum Isolation {
        /// All policies with the same component.
        Shared = "shared",
        /// Only this policy.
        Policy = "policy",
    }
}

table! {
    /// One use of a policy, by a site or a route: `"jwt"` or
    /// `{ name = "jwt", on_error = "skip", deadline = "5ms" }`.
    pub struct PolicyUse("a use of a policy: its name, or a table with it") {
        /// The name of a policy.
        name: Spanned<PolicyName> = required;
        /// Overrides the policy's `on_error`.
        on_error: Option<OnError> = optional("as the policy says");
        /// Overrides the policy's `deadline`.
        deadline: Option<Spanned<Duration>> = optional("as the policy says");
    }
    short name
    called "use of policy" by label
    check use_budget
}

impl PolicyUse {
    fn label(&self) -> String {
        self.name.to_string()
    }
}

fn use_budget(used: &PolicyUse, decoder: &mut Decoder<'_>) {
    if let Some(deadline) = used.deadline.as_ref().filter(|deadline| deadline.is_zero()) {
        decoder.push(Diagnostic::error(deadline.span, "`deadline` must not be 0"));
    }
}
