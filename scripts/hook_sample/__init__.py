"""The contents of the sample project, a module a part."""
