"""The shell against real peers on loopback."""
