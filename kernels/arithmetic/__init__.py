"""Arithmetic of numbers, vectors and rows, in any dtype: what panels and plain steps share."""
