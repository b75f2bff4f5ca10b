"""The configuration: its model, where it is read from, and how it is shown."""
