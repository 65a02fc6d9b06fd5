//! Headers: proof of work, retargeting, time, and the tree they form.
