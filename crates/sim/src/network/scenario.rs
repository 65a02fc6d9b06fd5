//! Whole runs with a report.
