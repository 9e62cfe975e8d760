"""Features: values of an entity as they were known at a moment, alike in training, serving and replay."""
