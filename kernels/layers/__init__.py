"""Kinds of layers, one file a kind: forward, backward and update in panels, and the same steps plain, in any dtype.

`steps` names the kinds that there are.
"""
