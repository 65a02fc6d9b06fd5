//! Scripts in words, descriptors, difficulty.
