"""Lobes by lungmask, for scans that come without a mask."""
