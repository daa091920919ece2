"""Bytes or text in, frozen values out. No I/O, no clock, no logging, no global state."""
