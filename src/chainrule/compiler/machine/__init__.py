"""The machine: text to loaded code, what is kept on disk, threads, memory."""
