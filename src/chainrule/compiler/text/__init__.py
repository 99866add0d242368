"""Text for LLVM: registers, instructions, functions of a module, and what is written for every kind of kernel."""
