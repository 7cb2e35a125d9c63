"""The commands: one typed function each, whose docstring is its help; what a command needs is imported inside it."""
