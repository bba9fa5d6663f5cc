"""From bytes to films: received to a limit, unpacked, without identity, filed."""
