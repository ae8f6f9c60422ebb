"""Training: the loop, and what it drives, is fed by, follows, and is guarded by."""
