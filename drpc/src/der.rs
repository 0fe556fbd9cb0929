use std::error::Error;
use std::fmt;

/// The code in the field `status` of DAOS's replies ([E4](crate::guide::rules#envelope)): 0, or a negative number that says what went wrong.
///
/// DAOS answers a call whose method failed with [`SUCCESS`](crate::Status::SUCCESS) and such a code in the body. The constants are those of DAOS 2.8. Any other
/// number that a peer sends is kept, and shown as `unknown DER code -42`.
///
/// # Example
///
/// ```
/// use drpc::Der;
///
/// # struct PoolQueryResp { status: i32 }
/// # let reply = PoolQueryResp { status: -1012 };
/// assert!(reply.status == Der::BUSY);
/// assert_eq!(Der::from(reply.status).to_string(), "DER_BUSY(-1012): the device or resource is busy");
///
/// fn checked(reply: PoolQueryResp) -> Result<PoolQueryResp, Der> {
///     Der::check(reply.status)?;
///     Ok(reply)
/// }
/// assert_eq!(checked(reply).err(), Some(Der::BUSY));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Der(i32);

/// The one table of DAOS's codes: name, number, and a text. The numbers are written as DAOS counts them, above zero.
macro_rules! codes {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        impl Der {
            $(
                #[doc = concat!("`DER_", stringify!($name), "`, -", stringify!($code), " on the wire: ", $text, ".")]
                pub const $name: Der = Der(-$code);
            )*

            /// The name in DAOS's sources, or `None` for a number that DAOS 2.8 does not define.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0.wrapping_neg() {
                    0 => Some("DER_SUCCESS"),
                    $($code => Some(concat!("DER_", stringify!($name))),)*
                    _ => None,
                }
            }

            /// What it means, in a few words.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self.0.wrapping_neg() {
                    0 => "success",
                    $($code => $text,)*
                    _ => "not a code of DAOS 2.8",
                }
            }

            /// All codes that say what went wrong.
            #[cfg(test)]
            const ALL: &[Der] = &[$(Der::$name),*];
        }
    };
}

codes! {
    NO_PERM = 1001, "no permission";
    NO_HDL = 1002, "the handle is not valid";
    INVAL = 1003, "a parameter is not valid";
    EXIST = 1004, "it exists already";
    NONEXIST = 1005, "it does not exist";
    UNREACH = 1006, "the node can't be reached";
    NOSPACE = 1007, "no space is left on the storage target";
    ALREADY = 1008, "it was done already";
    NOMEM = 1009, "out of memory";
    NOSYS = 1010, "the function is not implemented";
    TIMEDOUT = 1011, "the time is over";
    BUSY = 1012, "the device or resource is busy";
    AGAIN = 1013, "try again";
    PROTO = 1014, "the protocols don't fit";
    UNINIT = 1015, "it is not initialized";
    TRUNC = 1016, "the buffer is too short";
    OVERFLOW = 1017, "the value is too large for its type or buffer";
    CANCELED = 1018, "the operation was cancelled";
    OOG = 1019, "not in the group or list of members";
    HG = 1020, "the transport (Mercury) failed";
    UNREG = 1021, "the RPC or its protocol version is not registered";
    ADDRSTR_GEN = 1022, "no address string could be made";
    PMIX = 1023, "the PMIx layer failed";
    IVCB_FORWARD = 1024, "the incast variable is not here, and must be forwarded";
    MISC = 1025, "another error";
    BADPATH = 1026, "the path is not valid";
    NOTDIR = 1027, "not a directory";
    CORPC_INCOMPLETE = 1028, "the collective RPC failed";
    NO_RAS_RANK = 1029, "no rank listens to RAS events";
    NOTATTACH = 1030, "the service group is not attached";
    MISMATCH = 1031, "the versions differ";
    EXCLUDED = 1032, "the rank is excluded";
    NOREPLY = 1033, "the RPC's handler sent no reply";
    DOS = 1034, "denial of service";
    BAD_TARGET = 1035, "the RPC came to the wrong target";
    GRPVER = 1036, "the versions of the group differ";
    HLC_SYNC = 1037, "the hybrid logical clocks don't agree";
    NO_SHMEM = 1038, "not enough shared memory is free";
    ADD_METRIC_FAILED = 1039, "the metric could not be added";
    DURATION_MISMATCH = 1040, "the duration ends without a beginning";
    OP_NOT_PERMITTED = 1041, "metrics of this type don't allow for it";
    EXCEEDS_PATH_LEN = 1042, "the metric's path is too long";
    METRIC_NOT_FOUND = 1043, "there is no such metric";
    SHMEM_PERMS = 1044, "the user or group may not use the shared memory";
    HG_FATAL = 1045, "the transport (Mercury) failed, and will again";
    IO = 2001, "input or output failed";
    FREE_MEM = 2002, "memory could not be freed";
    ENOENT = 2003, "there is no such entry";
    NOTYPE = 2004, "the type of the object is not known";
    NOSCHEMA = 2005, "the schema of the object is not known";
    NOLOCAL = 2006, "the object is not local";
    STALE = 2007, "the version of the pool map is stale";
    NOTLEADER = 2008, "not the leader of the service";
    TGT_CREATE = 2009, "the target could not be created";
    EP_RO = 2010, "the epoch is read-only";
    EP_OLD = 2011, "the epoch is too old: its data are recycled";
    KEY2BIG = 2012, "the key is too large";
    REC2BIG = 2013, "the record is too large";
    IO_INVAL = 2014, "the buffers don't match the extents of the object";
    EQ_BUSY = 2015, "the event queue is busy";
    DOMAIN = 2016, "the domains of the cluster's components don't match";
    SHUTDOWN = 2017, "the service should shut down";
    INPROGRESS = 2018, "it is in progress";
    NOTAPPLICABLE = 2019, "not applicable";
    NOTREPLICA = 2020, "not a replica of the service";
    CSUM = 2021, "the checksum is wrong";
    DF_INVAL = 2022, "the durable format is not supported";
    DF_INCOMPT = 2023, "the version of the durable format does not fit";
    REC_SIZE = 2024, "the size of the record is wrong";
    TX_RESTART = 2025, "the transaction should begin again";
    DATA_LOSS = 2026, "data are lost, or can't be recovered";
    OP_CANCELED = 2027, "the operation was cancelled";
    TX_BUSY = 2028, "the transaction is not committed";
    AGENT_INCOMPAT = 2029, "the agent and libdaos don't fit";
    NEED_TX = 2030, "it needs a distributed transaction";
    RF = 2031, "more has failed than the redundancy factor allows";
    FETCH_AGAIN = 2032, "fetch again";
    TX_UNCERTAIN = 2033, "the state of the transaction is not certain";
    AGENT_COMM = 2034, "the agent can't be talked to";
    ID_MISMATCH = 2035, "the IDs differ";
    TGT_RETRY = 2036, "try another target";
    NOTSUPPORTED = 2037, "the operation is not supported";
    CONTROL_INCOMPAT = 2038, "components of the control plane don't fit";
    NO_SERVICE = 2039, "no service is there";
    TX_ID_REUSED = 2040, "the transaction's ID may have been used before";
    UPDATE_AGAIN = 2041, "update again";
    NVME_IO = 2042, "the NVMe device failed";
    NO_CERT = 2043, "a certificate can't be read";
    BAD_CERT = 2044, "a certificate is not valid";
    VOS_PARTIAL_UPDATE = 2045, "the object store was updated in part";
    CHKPT_BUSY = 2046, "a checkpoint is made, and the page is read-only meanwhile";
    DIV_BY_ZERO = 2047, "division by zero";
    UNKNOWN = 501000, "an unknown error";
}

impl Der {
    /// Nothing went wrong.
    pub const SUCCESS: Der = Der(0);

    /// Of the `status` of a reply: an error unless it is [`SUCCESS`](Self::SUCCESS).
    ///
    /// # Errors
    ///
    /// The code itself.
    pub const fn check(status: i32) -> Result<(), Der> {
        if status == 0 { Ok(()) } else { Err(Der(status)) }
    }

    /// Whether the same call may succeed after a pause: [`BUSY`](Self::BUSY), and those for which DAOS's control plane makes a call for a pool
    /// again, which are [`TIMEDOUT`](Self::TIMEDOUT), [`AGAIN`](Self::AGAIN), [`GRPVER`](Self::GRPVER), [`OOG`](Self::OOG),
    /// [`UNREACH`](Self::UNREACH) and [`EXCLUDED`](Self::EXCLUDED).
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(
            self,
            Der::BUSY | Der::TIMEDOUT | Der::AGAIN | Der::GRPVER | Der::OOG | Der::UNREACH | Der::EXCLUDED
        )
    }

    /// The number on the wire: negative, unless it is 0, or a peer's mistake.
    #[must_use]
    pub const fn code(self) -> i32 {
        self.0
    }
}

impl From<i32> for Der {
    fn from(status: i32) -> Self {
        Der(status)
    }
}

impl From<Der> for i32 {
    fn from(code: Der) -> Self {
        code.0
    }
}

/// So that the `status` of a message is compared as it is: `reply.status == Der::BUSY`.
impl PartialEq<Der> for i32 {
    fn eq(&self, code: &Der) -> bool {
        *self == code.0
    }
}

impl fmt::Display for Der {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name}({}): {}", self.0, self.text()),
            None => write!(f, "unknown DER code {}", self.0),
        }
    }
}

impl fmt::Debug for Der {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Der({})", self.0),
        }
    }
}

impl Error for Der {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_negative_and_those_that_the_specification_names() {
        // E4, and P.
        assert_eq!(Der::NO_PERM.code(), -1001);
        assert_eq!(Der::INVAL.code(), -1003);
        assert_eq!(Der::NONEXIST.code(), -1005);
        assert_eq!(Der::MISC.code(), -1025);
        assert_eq!(i32::from(Der::SUCCESS), 0);
    }

    #[test]
    fn each_of_the_two_ranges_is_without_gaps() {
        let numbers: Vec<_> = Der::ALL.iter().map(|code| -code.code()).collect();
        let expected: Vec<_> = (1001..=1045).chain(2001..=2047).chain([501_000]).collect();
        assert_eq!(numbers, expected);
    }

    #[test]
    fn a_number_outside_the_table_is_kept_and_shown() {
        for number in [-42, 1012, i32::MIN] {
            assert_eq!(Der::from(number).code(), number);
            assert_eq!(Der::from(number).name(), None);
            assert_eq!(Der::from(number).to_string(), format!("unknown DER code {number}"));
            assert!(Der::check(number).is_err());
        }
        assert_eq!(Der::check(0), Ok(()));
    }
}
