//! Content codings on the fly: which answers are coded, and the encoders.
