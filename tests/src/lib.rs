//! The tests of the workspace over real sockets. There is nothing here: see `integration/`, and the README for a map.
