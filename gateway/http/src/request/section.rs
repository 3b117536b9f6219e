//! A request's head made of the field section of HTTP/2 (RFC 9113 §8.3.1).
//!
//! The result is what the same request gives in HTTP/1: one normalised path, one normalised
//! authority, and one `Host`, so that nothing behind it depends on the version.

use crate::authority::Authority;
use crate::fields::{Known, is_token};
use crate::framing::Framing;
use crate::head::{HeadError, Limits, Version, length};
use crate::section::{OVERHEAD, SectionError, check, check_value};

use super::{RequestHead, has_target_bytes};

/// The pseudo-fields that have been received, as bits.
mod pseudo {
    pub(super) const METHOD: u8 = 1;
    pub(super) const SCHEME: u8 = 2;
    pub(super) const AUTHORITY: u8 = 4;
    pub(super) const PATH: u8 = 8;
    pub(super) const PROTOCOL: u8 = 16;
}

/// A request's head that is being received.
///
/// The fields are passed one by one to [`Self::field`], and [`Self::finish`] ends the head.
pub struct RequestSection<'h> {
    head: &'h mut RequestHead,
    limits: Limits,
    /// The size of the list so far (RFC 9113 §6.5.2).
    size: usize,
    fields: usize,
    crumbs: usize,
    seen: u8,
    has_host: bool,
    is_scheme_good: bool,
    content_length: Option<u64>,
    /// All crumbs so far, joined; empty until the second.
    cookie: Vec<u8>,
    error: Option<SectionError>,
}

impl<'h> RequestSection<'h> {
    /// Begins a head, and clears `head` for it.
    ///
    /// `limits.bytes` is the largest size of the list, in which each field counts its name, its
    /// value and 32 bytes. `limits.fields` is the most fields besides pseudo-fields and cookies,
    /// and also the most crumbs of `cookie`: each of them takes a byte of the encoded
    /// section, and 100 times as much here (CVE-2026-49975).
    #[must_use]
    pub fn new(head: &'h mut RequestHead, limits: Limits) -> Self {
        head.clear();
        head.version = Version::Http2;
        head.keep_alive = true;
        Self {
            head,
            limits,
            size: 0,
            fields: 0,
            crumbs: 0,
            seen: 0,
            has_host: false,
            is_scheme_good: false,
            content_length: None,
            cookie: Vec::new(),
            error: None,
        }
    }

    /// Takes the next field. After an error the rest is ignored.
    #[inline]
    pub fn field(&mut self, name: &[u8], value: &[u8]) {
        if self.error.is_none() {
            self.error = self.take(name, value).err();
        }
    }

    /// Ends the head; `ends` says that no body follows. What was received is in the head even
    /// after an error, for the log.
    ///
    /// # Errors
    /// The first violation; see [`SectionError`].
    pub fn finish(mut self, ends: bool) -> Result<(), SectionError> {
        match self.error {
            Some(error) => Err(error),
            None => self.conclude(ends),
        }
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), SectionError> {
        self.size += name.len() + value.len() + OVERHEAD;
        if self.size > self.limits.bytes {
            return Err(HeadError::TooLarge.into());
        }
        if let Some((b':', name)) = name.split_first() {
            return self.take_pseudo(name, value);
        }
        check(name, value)?;
        match name {
            b"host" => return self.take_host(value),
            b"cookie" => return self.take_crumb(value),
            _ => {}
        }
        self.fields += 1;
        if self.fields > self.limits.fields {
            return Err(HeadError::TooManyFields.into());
        }
        match self.head.fields.append(name, value) {
            Known::Te if value != b"trailers" => {
                return Err(SectionError::Malformed("te other than trailers"));
            }
            Known::Te => {}
            known if known.is_hop_by_hop() => {
                return Err(SectionError::Malformed("connection-specific field"));
            }
            Known::ContentLength => {
                let bad = SectionError::Malformed("bad content-length");
                let length = length(value).map_err(|_| bad)?;
                if self.content_length.replace(length).is_some() {
                    return Err(SectionError::Malformed("more than one content-length"));
                }
            }
            Known::Expect => {
                self.head.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes a pseudo-field: before all others, known, and once (RFC 9113 §8.3).
    fn take_pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), SectionError> {
        let bit = match name {
            b"method" => pseudo::METHOD,
            b"scheme" => pseudo::SCHEME,
            b"authority" => pseudo::AUTHORITY,
            b"path" => pseudo::PATH,
            b"protocol" => pseudo::PROTOCOL,
            _ => return Err(SectionError::Malformed("unknown pseudo-field")),
        };
        if self.fields + self.crumbs > 0 || self.has_host {
            return Err(SectionError::Malformed("pseudo-field after other fields"));
        }
        if self.seen & bit != 0 {
            return Err(SectionError::Malformed("pseudo-field twice"));
        }
        self.seen |= bit;
        check_value(value)?;
        match bit {
            pseudo::METHOD if !is_token(value) => {
                return Err(SectionError::Malformed("bad method"));
            }
            pseudo::METHOD => self.head.method.extend_from_slice(value),
            pseudo::SCHEME => self.is_scheme_good = matches!(value, b"http" | b"https"),
            pseudo::AUTHORITY => self.set_host(value)?,
            pseudo::PATH => self.head.raw_path.extend_from_slice(value),
            _ if !is_token(value) => return Err(SectionError::Malformed("bad protocol")),
            _ => self.head.protocol = Some(value.to_vec()),
        }
        Ok(())
    }

    /// Takes `host`, which must state the same as `:authority` (RFC 9113 §8.3.1).
    fn take_host(&mut self, value: &[u8]) -> Result<(), SectionError> {
        if self.has_host {
            return Err(SectionError::Malformed("more than one host"));
        }
        self.has_host = true;
        if self.seen & pseudo::AUTHORITY == 0 {
            return self.set_host(value);
        }
        if self.head.authority.is_written(value) {
            return Ok(());
        }
        let mut other = Authority::default();
        if other.read(value) && other == self.head.authority {
            return Ok(());
        }
        Err(SectionError::Malformed("host differs from :authority"))
    }

    /// Stores the authority, and `Host` as HTTP/1 would have it.
    fn set_host(&mut self, value: &[u8]) -> Result<(), SectionError> {
        let RequestHead {
            authority, fields, ..
        } = &mut *self.head;
        if !authority.read(value) {
            return Err(HeadError::Malformed("bad Host").into());
        }
        if authority.is_written(value) {
            fields.append_known(Known::Host, value);
        } else {
            let mut host = Vec::new();
            authority.write_to(&mut host);
            fields.append_known(Known::Host, &host);
        }
        Ok(())
    }

    /// Takes `cookie`, which may be split into crumbs (RFC 9113 §8.2.3).
    fn take_crumb(&mut self, value: &[u8]) -> Result<(), SectionError> {
        self.crumbs += 1;
        if self.crumbs > self.limits.fields {
            return Err(HeadError::TooManyFields.into());
        }
        if self.crumbs == 1 {
            self.head.fields.append(b"cookie", value);
            return Ok(());
        }
        if self.crumbs == 2 {
            let first = self.head.fields.get(b"cookie").unwrap_or_default();
            self.cookie.extend_from_slice(first);
        }
        self.cookie.extend_from_slice(b"; ");
        self.cookie.extend_from_slice(value);
        Ok(())
    }

    fn conclude(&mut self, ends: bool) -> Result<(), SectionError> {
        self.check_pseudo()?;
        if !self.cookie.is_empty() {
            self.head.fields.set(b"cookie", &self.cookie);
        }
        self.head.framing = match (ends, self.content_length) {
            (false, length) => Framing::Stream(length),
            (true, None) => Framing::None,
            (true, Some(0)) => Framing::Length(0),
            (true, Some(_)) => return Err(SectionError::Malformed("content-length without body")),
        };
        if self.head.authority.host().is_empty() {
            return Err(HeadError::Malformed("no Host").into());
        }
        if self.seen & pseudo::PATH == 0 {
            return Ok(());
        }
        if !self.is_scheme_good {
            return Err(HeadError::Malformed("scheme other than http and https").into());
        }
        self.take_path().map_err(SectionError::Head)
    }

    /// Checks which pseudo-fields there are (RFC 9113 §8.3.1, §8.5, RFC 8441 §4).
    fn check_pseudo(&self) -> Result<(), SectionError> {
        let is_connect = self.head.method == b"CONNECT";
        let with_target = pseudo::METHOD | pseudo::SCHEME | pseudo::PATH;
        let is_valid = match self.seen & !pseudo::AUTHORITY {
            pseudo::METHOD => is_connect && self.seen & pseudo::AUTHORITY != 0,
            seen if seen == with_target => !is_connect,
            seen => is_connect && seen == with_target | pseudo::PROTOCOL,
        };
        if !is_valid {
            return Err(SectionError::Malformed("missing or surplus pseudo-field"));
        }
        if self.seen & pseudo::PATH != 0 && self.head.raw_path.is_empty() {
            return Err(SectionError::Malformed("empty path"));
        }
        Ok(())
    }

    /// Splits and normalises the path as HTTP/1 does.
    fn take_path(&mut self) -> Result<(), HeadError> {
        let head = &mut *self.head;
        if head.raw_path == b"*" && head.method == b"OPTIONS" {
            head.path.push(b'*');
            return Ok(());
        }
        // The parser of HTTP/1 accepts UTF-8, and no other bytes beyond ASCII.
        let is_text = std::str::from_utf8(&head.raw_path).is_ok();
        if !head.raw_path.starts_with(b"/") || !is_text || !has_target_bytes(&head.raw_path) {
            return Err(HeadError::Malformed("bad request target"));
        }
        if let Some(mark) = memchr::memchr(b'?', &head.raw_path) {
            head.query = head.raw_path.get(mark + 1..).map(<[u8]>::to_vec);
            head.raw_path.truncate(mark);
        }
        head.normalise_path()
    }
}

#[cfg(test)]
mod tests;
