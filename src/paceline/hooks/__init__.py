"""Git hooks: installing ours, and reading, measuring and merging those a project has."""
