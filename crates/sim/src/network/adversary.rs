//! Participants that mean harm, each by one kind of it.
