//! Who may connect, and who may call what.

use std::fmt;
use std::sync::Arc;

use crate::handler::failure::Failure;
use crate::handler::failure::guard::guarded;
use crate::handler::method::Method;
use crate::handler::module::{Module, methods_of};
use crate::handler::session::Session;
use crate::wire::{FailureCause, Status};

/// A rule of who may connect or call: whom it allows, minus whom it denies. A denial always wins.
///
/// # Example
///
/// ```
/// use drpc::{Allow, PeerCredentials, Session};
///
/// let admins = Allow::root().or(Allow::gid(27)).except(Allow::uid(1001));
///
/// let session = |uid, gid| Session::new(1, PeerCredentials::new(uid, gid));
/// assert!(admins.allows(&session(0, 0)));
/// assert!(admins.allows(&session(1000, 27)));
/// assert!(!admins.allows(&session(1000, 1000)));
/// assert!(!admins.allows(&session(1001, 27)));
/// ```
///
/// A rule by user or group allows nobody who calls from another host; [`certificate`](Self::certificate) does, and allows nobody on this host.
///
/// It is cheap to clone. [The chapter](crate::guide::access#authorization) has more.
#[derive(Clone, Debug)]
#[must_use = "a rule does nothing before it is given to a server"]
pub struct Allow {
    allowed: Vec<Who>,
    denied: Vec<Allow>,
}

/// A test that a session passes or not.
#[derive(Clone)]
enum Who {
    Anyone,
    Users(Vec<u32>),
    Groups(Vec<u32>),
    /// A group by its name, which the system knows, or why it does not.
    Group(String, Result<u32, String>),
    /// A name in the certificate of a caller on another host.
    Certificate(String),
    When(Arc<dyn Fn(&Session) -> bool + Send + Sync>),
}

impl Allow {
    /// Allows everyone.
    pub fn anyone() -> Self {
        Who::Anyone.into()
    }

    /// Allows no one: to start from, or to shut something off.
    pub fn no_one() -> Self {
        Allow { allowed: Vec::new(), denied: Vec::new() }
    }

    /// Allows the user that this process runs as (its effective user ID, now).
    pub fn same_user() -> Self {
        Allow::uid(rustix::process::geteuid().as_raw())
    }

    /// Allows root: user 0.
    pub fn root() -> Self {
        Allow::uid(0)
    }

    /// Allows a user, by ID.
    pub fn uid(uid: u32) -> Self {
        Allow::uids([uid])
    }

    /// Allows any of these users.
    pub fn uids(uids: impl IntoIterator<Item = u32>) -> Self {
        Who::Users(uids.into_iter().collect()).into()
    }

    /// Allows the members of a group, by ID: as their effective group, or a supplementary one.
    pub fn gid(gid: u32) -> Self {
        Allow::gids([gid])
    }

    /// Allows the members of any of these groups.
    pub fn gids(gids: impl IntoIterator<Item = u32>) -> Self {
        Who::Groups(gids.into_iter().collect()).into()
    }

    /// Allows the members of a group, by name, which is looked up now.
    ///
    /// **A server does not start if the group does not exist**: its [`BindError`](crate::BindError) names it. Until then, such a rule allows no one at all.
    ///
    /// ```no_run
    /// use drpc::{Allow, Server};
    ///
    /// let server = Server::builder().allow(Allow::root().or(Allow::group("disk"))).bind("/run/disks.sock")?;
    /// # Ok::<(), drpc::BindError>(())
    /// ```
    #[cfg(any(feature = "server", feature = "progress", feature = "blocking-server"))]
    pub fn group(name: impl Into<String>) -> Self {
        let name = name.into();
        let found = match nix::unistd::Group::from_name(&name) {
            Ok(Some(group)) => Ok(group.gid.as_raw()),
            Ok(None) => Err("there is no such group".to_owned()),
            Err(error) => Err(format!("it can't be looked up: {error}")),
        };
        Who::Group(name, found).into()
    }

    /// Allows callers on other hosts whose certificate has a name, written with its kind, as [`RemotePeer`](crate::RemotePeer) has it.
    ///
    /// ```
    /// use drpc::{Allow, PeerCredentials, RemotePeer, Session};
    ///
    /// let admins = Allow::root().or(Allow::certificate("CN=admin"));
    ///
    /// let remote = RemotePeer::new("192.0.2.7:50112").with_names(["CN=admin"]);
    /// assert!(admins.allows(&Session::new(1, PeerCredentials::of_remote(remote.into()))));
    /// assert!(admins.allows(&Session::new(2, PeerCredentials::new(0, 0))));
    /// ```
    pub fn certificate(name: impl Into<String>) -> Self {
        Who::Certificate(name.into()).into()
    }

    /// Allows those for whom a closure returns true: by their security label, by what an earlier call left in the [extensions](Session::extensions), by a
    /// configuration file.
    ///
    /// It is called for each connection or call that the rule guards, and must not block. If it panics, access is denied. A caller on another host
    /// has neither user nor group: [`PeerCredentials::remote`](crate::PeerCredentials::remote) tells.
    ///
    /// ```
    /// use drpc::Allow;
    ///
    /// struct LoggedIn;
    ///
    /// let users = Allow::when(|session| session.extensions().get::<LoggedIn>().is_some());
    /// ```
    pub fn when(allows: impl Fn(&Session) -> bool + Send + Sync + 'static) -> Self {
        Who::When(Arc::new(allows)).into()
    }

    /// Also allows those whom another rule allows. Whom either denies stays denied.
    pub fn or(mut self, other: Allow) -> Self {
        self.allowed.extend(other.allowed);
        self.denied.extend(other.denied);
        self
    }

    /// Denies those whom another rule would allow, whatever else is allowed, before or after.
    pub fn except(mut self, denied: Allow) -> Self {
        self.denied.push(denied);
        self
    }

    /// The groups that the rule names, also those whom it denies, and the system does not know; and why.
    pub(crate) fn unknown_groups(&self) -> Vec<(&str, &str)> {
        let of_this = self.allowed.iter().filter_map(|who| match who {
            Who::Group(name, Err(why)) => Some((&**name, &**why)),
            _ => None,
        });
        of_this.chain(self.denied.iter().flat_map(Allow::unknown_groups)).collect()
    }

    /// Whether the rule admits a session's client.
    #[must_use]
    pub fn allows(&self, session: &Session) -> bool {
        self.is_known() && self.allows_known(session)
    }

    /// Whether all that it names is known.
    fn is_known(&self) -> bool {
        let unknown = |who: &Who| matches!(who, Who::Group(_, Err(_)));
        !self.allowed.iter().any(unknown) && self.denied.iter().all(Allow::is_known)
    }

    fn allows_known(&self, session: &Session) -> bool {
        self.allowed.iter().any(|who| who.is(session))
            && !self.denied.iter().any(|rule| rule.allows_known(session))
    }

    /// As [`allows`](Self::allows), and if a closure panics, no one is let in. The panic hook has printed where it was.
    pub(crate) fn admits(&self, session: &Session) -> bool {
        guarded(|| self.allows(session)).unwrap_or(false)
    }
}

impl Who {
    fn is(&self, session: &Session) -> bool {
        let peer = session.peer();
        match self {
            Who::Anyone => true,
            Who::Users(uids) => uids.iter().any(|uid| peer.is_user(*uid)),
            Who::Groups(gids) => gids.iter().any(|gid| peer.is_in_group(*gid)),
            Who::Group(_, gid) => gid.as_ref().is_ok_and(|gid| peer.is_in_group(*gid)),
            Who::Certificate(name) => peer.remote().is_some_and(|remote| remote.has_name(name)),
            Who::When(allows) => allows(session),
        }
    }
}

impl From<Who> for Allow {
    fn from(who: Who) -> Self {
        Allow { allowed: vec![who], denied: Vec::new() }
    }
}

impl fmt::Debug for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Anyone => f.write_str("anyone"),
            Who::Users(uids) => write!(f, "uids {uids:?}"),
            Who::Groups(gids) => write!(f, "gids {gids:?}"),
            Who::Group(name, Ok(gid)) => write!(f, "group {name} (gid {gid})"),
            Who::Group(name, Err(why)) => write!(f, "group {name} ({why})"),
            Who::Certificate(name) => write!(f, "certificate {name:?}"),
            Who::When(_) => f.write_str("when a closure says so"),
        }
    }
}

/// As a rule is said: `uids [0], group disk (gid 6), but not uids [1001]`.
impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.allowed.is_empty() {
            f.write_str("no one")?;
        }
        for (at, who) in self.allowed.iter().enumerate() {
            write!(f, "{}{who:?}", if at > 0 { ", " } else { "" })?;
        }
        self.denied.iter().try_for_each(|denied| write!(f, ", but not {denied}"))
    }
}

/// The rules of a server, by the names that methods know them by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules(Vec<(String, Allow)>);

impl Rules {
    /// Gives a name its rule, in place of the one that it had.
    pub(crate) fn define(&mut self, name: String, rule: Allow) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, rule));
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Allow)> {
        self.0.iter().map(|(name, rule)| (&**name, rule))
    }

    /// Refuses a call that a rule, of its module or its method, does not allow.
    ///
    /// A rule that is not defined allows no one. A server does not start with one that it can find.
    pub(crate) fn check(&self, name: &str, session: &Session) -> Result<(), Failure> {
        let refused = match self.0.iter().find(|(known, _)| known == name) {
            Some((_, rule)) if rule.admits(session) => return Ok(()),
            Some(_) => format!("refused: rule `{name}` does not allow this caller"),
            None => format!("refused: no rule `{name}` is defined"),
        };
        Err(Failure::with_message(Status::FAILURE, refused).caused_by(FailureCause::Denied))
    }
}

/// The rules that a module and its methods name; the methods as far as they are of the module's own hundred (M).
pub(crate) fn rules_of(module: &dyn Module) -> impl Iterator<Item = (Option<Method>, &str)> {
    let of_module = guarded(|| module.rule()).ok().flatten();
    let of_methods = methods_of(module).filter_map(|method| Some((Some(method), method.rule()?)));
    of_module.map(|rule| (None, rule)).into_iter().chain(of_methods)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{PeerCredentials, RemotePeer};

    fn session(uid: u32, gid: u32, groups: &[u32]) -> Session {
        Session::new(1, PeerCredentials::new(uid, gid).with_groups(groups.iter().copied()))
    }

    #[test]
    fn a_rule_allows_whom_it_names() {
        let (ann, bob) = (session(1, 10, &[20, 30]), session(2, 10, &[]));
        for (rule, allows_ann, allows_bob) in [
            (Allow::anyone(), true, true),
            (Allow::no_one(), false, false),
            (Allow::root(), false, false),
            (Allow::uid(1), true, false),
            (Allow::uids([3, 2]), false, true),
            (Allow::gid(10), true, true),
            (Allow::gid(30), true, false),
            (Allow::gids([7, 20]), true, false),
            (Allow::gid(1), false, false),
            (Allow::when(|session| session.peer().uid() == 2), false, true),
            (Allow::uid(1).or(Allow::uid(2)), true, true),
            (Allow::no_one().or(Allow::uid(2)), false, true),
        ] {
            assert_eq!((rule.allows(&ann), rule.allows(&bob)), (allows_ann, allows_bob), "{rule:?}");
        }
        assert!(Allow::same_user().allows(&Session::new(1, PeerCredentials::this_process())));
    }

    #[test]
    fn a_caller_on_another_host_is_known_by_its_certificate_alone() {
        let peer = RemotePeer::new("192.0.2.7:1").with_names(["CN=admin", "DNS:host"]);
        let remote = Session::new(1, PeerCredentials::of_remote(peer.into()));
        let nobody = u32::MAX;
        for (rule, allows) in [
            (Allow::anyone(), true),
            (Allow::root(), false),
            (Allow::same_user(), false),
            (Allow::uids([0, nobody]), false),
            (Allow::gids([0, nobody]), false),
            (Allow::certificate("CN=admin"), true),
            (Allow::certificate("DNS:host"), true),
            (Allow::certificate("admin"), false),
            (Allow::certificate("CN=host"), false),
            (Allow::certificate("CN=admin").except(Allow::certificate("DNS:host")), false),
            (Allow::uid(0).or(Allow::certificate("CN=admin")), true),
        ] {
            assert_eq!(rule.allows(&remote), allows, "{rule:?}");
        }
        assert!(!Allow::certificate("CN=admin").allows(&session(0, 0, &[])));
    }

    #[test]
    fn denying_wins_wherever_it_was_said() {
        let ann = session(1, 10, &[]);
        for rule in [
            Allow::anyone().except(Allow::uid(1)),
            Allow::anyone().except(Allow::uid(1)).or(Allow::uid(1)),
            Allow::uid(1).or(Allow::anyone().except(Allow::gid(10))),
            Allow::uid(1).except(Allow::anyone()),
        ] {
            assert!(!rule.allows(&ann), "{rule:?}");
        }
        // Who is excepted from what is denied is not denied.
        assert!(Allow::anyone().except(Allow::gid(10).except(Allow::uid(1))).allows(&ann));
    }
}
