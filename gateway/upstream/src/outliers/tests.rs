use std::sync::Arc;

use super::*;
use crate::admission::Entry;
use crate::cursor::Cursor;
use crate::testing;
use crate::tried::Tried;
use crate::{Panic, UpstreamSpec};
