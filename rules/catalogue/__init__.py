"""The checks, one file each. The file's name is the finding's id, its docstring the help."""
