"""The pipeline as data, one renderer a CI provider, and the files they make."""
