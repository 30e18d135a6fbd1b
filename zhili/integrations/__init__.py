"""What speaks to somebody else's machine: one complete folder each, found by dotted path in settings, imported by nobody."""
