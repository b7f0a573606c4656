"""A platform in miniature, in place of the real one: what the launcher itself does is tested with it in seconds."""
