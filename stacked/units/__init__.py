"""Units: the layers that are pretrained on their own. `base` is what they share, every other file one of them."""
