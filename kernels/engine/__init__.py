"""The engine: products of panels, what follows them, and the trainers in float32 and bfloat16 that are made of these."""
