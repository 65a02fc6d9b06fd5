//! `yap-peer`: one peer, told what to do by JSON lines on standard input, telling what happens on standard output.

fn main() {}
