"""Graph to one native program: the only part of the package that imports llvmlite."""
