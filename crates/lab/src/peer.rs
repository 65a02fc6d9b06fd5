//! A whole peer: the node of `yap_protocol`, a small ledger, and the network of `yap_net`.
