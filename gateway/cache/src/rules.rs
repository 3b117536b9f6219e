//! What a shared cache may do, as pure functions: no clock, no input or
//! output; each time is an argument.
